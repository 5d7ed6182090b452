"""Inputs to calibrate with and to compare on: a folder of photos, or random numbers from a seed.

A photo is prepared as its model's weights were trained (``Preprocessing``). Photos are told apart
by their content: a renamed file stays in its part of the split, and copies of one file never sit
in two parts, where they would flatter the comparison.
"""

from __future__ import annotations

import hashlib
import os
import struct
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgezoo.errors import SamplesError
from edgezoo.types import Preprocessing, Shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
# Of the distinct photos, the share that calibrates; the rest is halved.
CALIBRATION_SHARE = 0.7
# What Pillow's decoders raise on damaged files.
DAMAGE = (OSError, SyntaxError, ValueError, LookupError, EOFError, struct.error, zlib.error)


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Prepared photos: ``arrays`` is (n, channels, height, width) float32, in the order of ``paths``.

    ``digests`` are the SHA-256 of the files, ``sha256`` that of all their contents together,
    whatever their names and order. ``skipped`` holds the unreadable pictures, each with the reason.
    """

    paths: tuple[Path, ...]
    arrays: NDArray[np.float32] = field(repr=False)
    digests: tuple[str, ...] = field(repr=False)
    sha256: str
    skipped: tuple[tuple[Path, str], ...] = ()

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True, slots=True)
class Split:
    """Indices of the photos to calibrate on, to choose a range rule on, and to report on.

    ``held_out`` is false where there are fewer than three distinct photos: then all three parts
    are all the photos.
    """

    calibration: tuple[int, ...]
    selection: tuple[int, ...]
    evaluation: tuple[int, ...]
    held_out: bool


def find_photos(folder: Path) -> tuple[Path, ...]:
    """Return the pictures in ``folder`` and below, by suffix, sorted; hidden files are left out.

    Raises ``SamplesError`` where the folder is missing, unreadable or holds none.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise SamplesError(f"photo folder {folder} {what}; give a folder with pictures")

    def refuse(error: OSError) -> None:
        raise SamplesError(
            f"photo folder {error.filename} cannot be read ({error.strerror})"
        ) from error

    found = [
        Path(parent) / name
        for parent, _, names in os.walk(folder, onerror=refuse)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]
    if not found:
        raise SamplesError(
            f"photo folder {folder} holds no pictures; put files ending in "
            f"{', '.join(SUFFIXES)} there"
        )
    return tuple(sorted(found))


def load_photo(
    path: Path, preprocessing: Preprocessing, shape: Shape | None = None
) -> NDArray[np.float32]:
    """Return the picture as ``shape``, float32, prepared as ``preprocessing`` says.

    ``shape`` is (channels, height, width), without it (3, size, size). The picture is turned upright
    (EXIF) and converted to RGB; one channel is its luma (ITU-R 601), shifted and scaled by the
    averages of the three means and deviations. Raises ``SamplesError`` naming a file that is
    damaged, no picture, or so large that it looks like a decompression bomb.
    """
    import numpy as np

    channels, height, width = shape or (3, preprocessing.size, preprocessing.size)
    image = _read_centre(path, preprocessing, (width, height))
    mean = np.array(preprocessing.mean, np.float32)
    std = np.array(preprocessing.std, np.float32)
    if channels == 1:
        pixels = np.asarray(image.convert("L"), dtype=np.float32)[:, :, None]
        mean, std = mean.mean(keepdims=True), std.mean(keepdims=True)
    else:
        pixels = np.asarray(image, dtype=np.float32)
    if preprocessing.channel_order == "bgr":
        pixels = pixels[:, :, ::-1]
    return np.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1))


def load_photos(
    folder: Path,
    preprocessing: Preprocessing,
    *,
    shape: Shape | None = None,
    skip_bad: bool = False,
) -> PhotoSet:
    """Load every picture of ``folder`` as ``shape``, (channels, height, width), see ``load_photo``.

    Raises ``SamplesError`` naming every unreadable picture unless ``skip_bad``.
    """
    import numpy as np

    shape = shape or (3, preprocessing.size, preprocessing.size)
    found = find_photos(folder)
    # Filled in place: a list to stack would hold every photo twice.
    arrays = np.empty((len(found), *shape), np.float32)
    paths: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    for path in found:
        try:
            arrays[len(paths)] = load_photo(path, preprocessing, shape)
        except SamplesError as error:
            skipped.append((path, str(error)))
        else:
            paths.append(path)
    if skipped and not (skip_bad and paths):
        listed = "; ".join(reason for _, reason in skipped)
        advice = "remove them" if skip_bad or not paths else "remove them or pass --skip-bad"
        raise SamplesError(
            f"{len(skipped)} of {len(found)} pictures in {folder} are unreadable ({listed}); "
            f"{advice}"
        )
    digests = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    together = hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
    return PhotoSet(tuple(paths), arrays[: len(paths)], digests, together, tuple(skipped))


def split_photos(photos: PhotoSet) -> Split:
    """Split photos by their files' content into about 70, 15 and 15 % of the distinct ones."""
    return split_digests(photos.digests)


def split_digests(digests: Sequence[str]) -> Split:
    """Split inputs by a digest of each: equal ones stay together, names and order do not matter."""
    distinct = sorted(set(digests))
    if len(distinct) < 3:
        everything = tuple(range(len(digests)))
        return Split(everything, everything, everything, held_out=False)
    held_out = max(1, round(len(distinct) * (1 - CALIBRATION_SHARE) / 2))
    ranks = {digest: rank for rank, digest in enumerate(distinct)}
    start = len(distinct) - 2 * held_out
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for index, digest in enumerate(digests):
        part = 0 if ranks[digest] < start else 1 + (ranks[digest] - start) // held_out
        parts[part].append(index)
    calibration, selection, evaluation = map(tuple, parts)
    return Split(calibration, selection, evaluation, held_out=True)


def random_inputs(shape: Shape, count: int, seed: int) -> NDArray[np.float32]:
    """Return ``count`` inputs drawn from N(0, 1): (count, *shape[1:]) float32.

    ``shape`` is a model's input, (1, channels, height, width).
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    return generator.standard_normal((count, *shape[1:]), dtype=np.float32)


# ----------------------------------------------------------------------------- pictures


def _read_centre(path: Path, preprocessing: Preprocessing, size: tuple[int, int]) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow only warns up to twice its limit and about odd metadata.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _centre(_upright_rgb(image, preprocessing.resize), preprocessing, size)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise SamplesError(f"picture {path} has too many pixels; scale it down") from error
    except UnidentifiedImageError as error:
        raise SamplesError(f"{path} is no picture that Pillow can read") from error
    except DAMAGE as error:
        raise SamplesError(f"picture {path} cannot be read ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _upright_rgb(image: Image.Image, resize: int) -> Image.Image:
    from PIL import ImageOps

    shorter = min(image.size)
    if shorter > 4 * resize:
        # Let a JPEG decode at 1/2, 1/4 or 1/8 of its size; twice the target keeps the quality.
        scale = 2 * resize / shorter
        image.draft(None, (round(image.width * scale), round(image.height * scale)))
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Scale grey 0-65535 to 0-255; Pillow's own conversion would clip."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image).astype(np.float32)
    if image.mode == "I" and (values.min() < 0 or values.max() > 65535):
        raise ValueError("32-bit pixels have no known range")
    grey = Image.fromarray(np.round(values / 257).astype(np.uint8))
    return grey.convert("RGB")


def _centre(image: Image.Image, preprocessing: Preprocessing, size: tuple[int, int]) -> Image.Image:
    """Resize and take the centre (width, height) pixels.

    For a square the shorter side becomes ``preprocessing.resize``; else the centre is the same share
    of the side that limits it.
    """
    from PIL import Image

    image = _without_far_ends(image, 4 * max(size) / min(size))
    width, height = _resized(image.size, preprocessing, size)
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    resample = filters[preprocessing.interpolation]
    image = image.resize((width, height), resample, reducing_gap=3.0)
    left, top = round((width - size[0]) / 2), round((height - size[1]) / 2)
    return image.crop((left, top, left + size[0], top + size[1]))


def _resized(
    sides: tuple[int, int], preprocessing: Preprocessing, size: tuple[int, int]
) -> tuple[int, int]:
    """Return the (width, height) that a picture of ``sides`` gets before its centre is taken."""
    margin = preprocessing.resize / preprocessing.size
    limiting, wanted = min(zip(sides, size, strict=True), key=lambda pair: pair[0] / pair[1])
    fitted = preprocessing.resize if wanted == preprocessing.size else margin * wanted
    if preprocessing.squash:
        return round(margin * size[0]), round(margin * size[1])
    # Never under ``size``: a crop beyond the picture would be filled with black.
    width, height = (
        max(least, int(fitted * side / limiting)) for side, least in zip(sides, size, strict=True)
    )
    return width, height


def _without_far_ends(image: Image.Image, ratio: float) -> Image.Image:
    """Cut a strip to ``ratio``:1 around its centre; the resize would make gigabytes of 1x10000."""
    width, height = image.size
    longest = int(ratio * min(width, height))
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return image.crop((left, top, min(width, left + longest), min(height, top + longest)))
