"""Fill a folder with real photos out of installed packages: ``python -m benchmarks.demo_photos FOLDER``.

Everyday photos only: no textures, scanned text, microscopy or drawings, whose value ranges mislead a
calibration. The pictures keep their own terms (foolbox's are ImageNet's), so they are copied from what
is installed and never shipped. Crops of one photo are alike: ``--split`` therefore splits the source
photos, never the crops.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgezoo.errors import EdgezooError, OutputError, UsageError
from edgezoo.samples import SUFFIXES

INSTALL = "pip install 'edgezoo[photos]'"


@dataclass(frozen=True, slots=True)
class Source:
    """Photos inside an installed package; ``patterns`` below its folder."""

    package: str
    distribution: str
    patterns: tuple[str, ...]


SOURCES = (
    Source("foolbox", "foolbox", ("data/imagenet_*.jpg",)),  # 20, ImageNet's class in the name
    Source(
        "skimage",
        "scikit-image",
        tuple(
            f"data/{name}"
            for name in (
                "astronaut.png",
                "camera.png",
                "chelsea.png",
                "clock_motion.png",
                "coffee.png",
                "coins.png",
                "motorcycle_left.png",  # the right one shows the same
                "rocket.jpg",
            )
        ),
    ),
    Source("sklearn", "scikit-learn", ("datasets/images/china.jpg", "datasets/images/flower.jpg")),
)


def find_photos() -> tuple[Path, ...]:
    """Return the photos of all sources.

    Raises ``UsageError`` naming every package that is missing.
    """
    missing = [source.distribution for source in SOURCES if _folder(source) is None]
    if missing:
        raise UsageError(f"the photos of {', '.join(missing)} are not installed; run {INSTALL}")
    photos: list[Path] = []
    for source in SOURCES:
        folder = _folder(source)
        for pattern in source.patterns:
            found = sorted(folder.glob(pattern)) if folder else []
            if not found:
                raise UsageError(
                    f"{source.distribution} holds no {pattern} any more; run {INSTALL} with the "
                    "versions of constraints.txt"
                )
            photos += found
    return tuple(photos)


def _folder(source: Source) -> Path | None:
    """Find a package without importing it, which would take seconds."""
    found = importlib.util.find_spec(source.package)
    return None if found is None or found.origin is None else Path(found.origin).parent


def plan(
    photos: Sequence[Path], *, crops: int, split: float | None, seed: int
) -> Iterator[tuple[Path, str, int | None]]:
    """Yield (photo, name below the folder, number of the crop or ``None`` for the whole photo)."""
    shuffled = sorted(photos, key=lambda photo: photo.name)
    random.Random(seed).shuffle(shuffled)
    first = len(shuffled) if split is None else round(len(shuffled) * split)
    for index, photo in enumerate(shuffled):
        part = "" if split is None else "calibration/" if index < first else "test/"
        if not crops:
            yield photo, part + photo.name, None
        for number in range(crops):
            yield photo, f"{part}{photo.stem}_crop{number:02}.png", number


def crop(photo: Path, number: int, seed: int) -> bytes:
    """Return a PNG of a random part: 30 to 100 % of the area, sides 3:4 to 4:3."""
    from PIL import Image

    generator = random.Random(f"{seed} {photo.name} {number}")
    with Image.open(photo) as image:
        area = image.width * image.height * generator.uniform(0.3, 1.0)
        ratio = generator.uniform(3 / 4, 4 / 3)
        width = min(image.width, round((area * ratio) ** 0.5))
        height = min(image.height, round((area / ratio) ** 0.5))
        left = generator.randint(0, image.width - width)
        top = generator.randint(0, image.height - height)
        part = image.convert("RGB").crop((left, top, left + width, top + height))
    buffer = io.BytesIO()
    part.save(buffer, "PNG")
    return buffer.getvalue()


def fill(folder: Path, *, crops: int = 0, split: float | None = None, seed: int = 0) -> int:
    """Write the photos, leaving those that are there already; return how many there are.

    Raises ``UsageError`` for missing packages or a folder with other pictures in it, and
    ``OutputError`` where it cannot be written.
    """
    wanted = {
        folder / name: (photo, number)
        for photo, name, number in plan(find_photos(), crops=crops, split=split, seed=seed)
    }
    present = {p for p in folder.rglob("*") if p.suffix in SUFFIXES} if folder.is_dir() else set()
    if others := sorted(present - set(wanted)):
        raise UsageError(
            f"{folder} holds {len(others)} other pictures ({others[0].name}, …); "
            "choose an empty folder"
        )
    try:
        for path, (photo, number) in wanted.items():
            if path not in present:
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(path, photo.read_bytes() if number is None else crop(photo, number, seed))
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot write into {folder} ({reason}); choose another") from error
    return len(wanted)


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, fill the folder and say what is in it."""
    parser = argparse.ArgumentParser("demo_photos", description="Real photos from packages.")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--crops", type=int, default=0, help="random crops per photo, not the photo"
    )
    parser.add_argument("--split", type=float, help="share of the photos for calibration/")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    if given.crops < 0:
        parser.error("--crops must be 0 or more")
    if given.split is not None and not 0 < given.split < 1:
        parser.error("--split must lie between 0 and 1")
    try:
        count = fill(given.folder, crops=given.crops, split=given.split, seed=given.seed)
    except EdgezooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{count} pictures in {given.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
