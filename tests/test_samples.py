import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgezoo.errors import SamplesError
from edgezoo.samples import (
    find_photos,
    load_photo,
    load_photos,
    random_inputs,
    split_digests,
    split_photos,
)
from edgezoo.types import Preprocessing

PLAIN = Preprocessing(size=32, resize=36, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def picture(seed: int, width: int = 60, height: int = 48) -> Image.Image:
    """Smooth colours, so that two ways to resize or compress differ little."""
    corners = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)


def fill_folder(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for seed in range(count):
        picture(seed).save(folder / f"photo_{seed:03}.png")


# ------------------------------------------------------------------------------ finding


def test_finds_pictures_below_sorted_and_by_suffix(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("z.JPG", "b/a.png", "b/c.webp", "a.TIFF", "notes.txt", "._z.jpg"):
        (tmp_path / name).write_bytes(b"x")
    found = [path.relative_to(tmp_path).as_posix() for path in find_photos(tmp_path)]
    assert found == ["a.TIFF", "b/a.png", "b/c.webp", "z.JPG"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("empty", "holds no pictures"), ("absent", "does not exist"), ("file", "is not a folder")],
)
def test_folders_without_photos(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SamplesError, match=f"{name} {message}"):
        find_photos(tmp_path / name)


# -------------------------------------------------------------------------- one picture


def test_resize_and_crop_as_published(tmp_path: Path) -> None:
    """The transform that timm and torchvision evaluate with, written out with Pillow."""
    path = tmp_path / "a.png"
    picture(1, 100, 70).save(path)
    resized = Image.open(path).resize((int(36 * 100 / 70), 36), Image.Resampling.BICUBIC)
    left = round((resized.width - 32) / 2)
    expected = np.asarray(resized.crop((left, 2, left + 32, 34)), np.float32).transpose(2, 0, 1)
    actual = load_photo(path, PLAIN)
    assert actual.dtype == np.float32
    np.testing.assert_array_equal(actual, expected)


def test_normalisation_and_channel_order(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 40), (10, 20, 30)).save(path)
    normal = replace(PLAIN, mean=(1.0, 2.0, 3.0), std=(2.0, 4.0, 8.0))
    rgb = load_photo(path, normal)
    assert rgb[:, 0, 0].tolist() == [4.5, 4.5, 3.375]
    # mean and std are given in the model's channel order
    bgr = load_photo(path, replace(normal, channel_order="bgr"))
    assert bgr[:, 0, 0].tolist() == [14.5, 4.5, 0.875]


@pytest.mark.parametrize("size", [(60, 48), (48, 60), (61, 47), (300, 20)])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (16, 32), (32, 16), (31, 29), (4, 32)])
def test_inputs_that_are_not_square(
    tmp_path: Path, size: tuple[int, int], height: int, width: int
) -> None:
    """The largest centre of the wanted shape, less the margin of 32 in 36, without a distortion."""
    across, down = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    pixels = np.stack([across * 255 / size[0], down * 255 / size[1], across * 0 + 255], -1)
    Image.fromarray(np.round(pixels).astype(np.uint8)).save(tmp_path / "a.png")
    photo = load_photo(tmp_path / "a.png", PLAIN, (3, height, width))
    assert photo.shape == (3, height, width)
    assert photo[2].min() == 255  # no black border
    scale = min(size[0] / width, size[1] / height) * 32 / 36  # photo pixels per input pixel
    spans = (np.ptp(photo[0, 0]) / 255 * size[0], np.ptp(photo[1, :, 0]) / 255 * size[1])
    # Half a pixel of bicubic blur at either end and one of rounding the resized side.
    assert spans[0] == pytest.approx((width - 1) * scale, abs=2 * max(scale, 1))
    assert spans[1] == pytest.approx((height - 1) * scale, abs=2 * max(scale, 1))
    assert photo[0].mean() == pytest.approx(127.5, abs=255 * max(scale, 1) / size[0] + 1)


def test_grey_input(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 40), (10, 20, 30)).save(path)
    normal = replace(PLAIN, mean=(1.0, 2.0, 3.0), std=(2.0, 4.0, 9.0))
    grey = load_photo(path, normal, (1, 32, 32))
    assert grey.shape == (1, 32, 32)
    luma = round(0.299 * 10 + 0.587 * 20 + 0.114 * 30)
    np.testing.assert_allclose(grey, (luma - 2.0) / 5.0, rtol=1e-6)


def grey_16_bit(colour: Image.Image) -> Image.Image:
    values = np.asarray(colour.convert("L")).astype(np.uint16) * 257
    return Image.fromarray(values)


@pytest.mark.parametrize(
    ("name", "convert", "reference"),
    [
        ("a.png", lambda im: im.convert("RGBA"), lambda im: im),
        ("a.png", lambda im: im.convert("L"), lambda im: im.convert("L").convert("RGB")),
        ("a.png", grey_16_bit, lambda im: im.convert("L").convert("RGB")),
        ("a.tif", grey_16_bit, lambda im: im.convert("L").convert("RGB")),
        ("a.tif", lambda im: im.convert("CMYK"), lambda im: im),
        ("a.jpg", lambda im: im.convert("CMYK"), lambda im: im),
        ("a.webp", lambda im: im, lambda im: im),
        ("a.bmp", lambda im: im, lambda im: im),
    ],
)
def test_modes(
    tmp_path: Path,
    name: str,
    convert: Callable[[Image.Image], Image.Image],
    reference: Callable[[Image.Image], Image.Image],
) -> None:
    colour = picture(2)
    convert(colour).save(tmp_path / name, quality=95)
    reference(colour).save(tmp_path / "reference.png")
    actual = load_photo(tmp_path / name, PLAIN)
    expected = load_photo(tmp_path / "reference.png", PLAIN)
    # Lossy formats move smooth colours by a few of 255 levels; a wrong conversion by tens.
    assert float(np.abs(actual - expected).mean()) <= 3.0


def test_transparent_palette(tmp_path: Path) -> None:
    palette = picture(2).quantize(16)
    palette.save(tmp_path / "a.png", transparency=bytes(range(16)))
    assert load_photo(tmp_path / "a.png", PLAIN).shape == (3, 32, 32)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    upright = picture(3, 60, 48)
    # What a camera held that way stores: the inverse of the turn that the tag asks for.
    methods = Image.Transpose
    inverse = {
        2: methods.FLIP_LEFT_RIGHT,
        3: methods.ROTATE_180,
        4: methods.FLIP_TOP_BOTTOM,
        5: methods.TRANSPOSE,
        6: methods.ROTATE_90,
        7: methods.TRANSVERSE,
        8: methods.ROTATE_270,
    }
    stored = upright.transpose(inverse[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.png", exif=exif)
    upright.save(tmp_path / "upright.png")
    turned, expected = (load_photo(tmp_path / f"{n}.png", PLAIN) for n in ("turned", "upright"))
    np.testing.assert_array_equal(turned, expected)


def test_big_jpeg_decoded_small_looks_the_same(tmp_path: Path) -> None:
    big = picture(4, 1600, 1200)
    big.save(tmp_path / "big.jpg", quality=98)
    big.save(tmp_path / "big.png")
    jpeg, png = (load_photo(tmp_path / f"big.{kind}", PLAIN) for kind in ("jpg", "png"))
    assert float(np.abs(jpeg - png).mean()) <= 1.0  # of 255 levels


def test_thin_strip_stays_small(tmp_path: Path) -> None:
    Image.new("RGB", (30_000, 2), (9, 9, 9)).save(tmp_path / "strip.png")
    assert set(load_photo(tmp_path / "strip.png", PLAIN).flatten().tolist()) == {9.0}


def truncated_jpeg(path: Path) -> None:
    picture(5, 400, 300).save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[:1500])


def truncated_png(path: Path) -> None:
    picture(5, 400, 300).save(path, format="PNG")
    path.write_bytes(path.read_bytes()[:300])


def decompression_bomb(path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(path, format="PNG")


def floating_point(path: Path) -> None:
    Image.fromarray(np.zeros((40, 40), np.float32)).save(path, format="TIFF")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (truncated_jpeg, "cannot be read"),
        (truncated_png, "cannot be read"),
        (lambda path: path.write_bytes(b""), "is no picture"),
        (lambda path: path.write_text("<html>not found</html>"), "is no picture"),
        (decompression_bomb, "too many pixels"),
        (floating_point, "floating-point"),
    ],
)
def test_unreadable_pictures(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "bad.jpg"
    make(path)
    with pytest.raises(SamplesError, match=rf"bad\.jpg .*{message}"):
        load_photo(path, PLAIN)


# ----------------------------------------------------------------------------- a folder


def test_photo_set(tmp_path: Path) -> None:
    fill_folder(tmp_path, 4)
    photos = load_photos(tmp_path, PLAIN)
    assert len(photos) == 4
    assert photos.arrays.shape == (4, 3, 32, 32)
    assert photos.arrays.dtype == np.float32
    np.testing.assert_array_equal(photos.arrays[2], load_photo(photos.paths[2], PLAIN))
    assert photos.skipped == ()


def test_bad_pictures_are_all_named(tmp_path: Path) -> None:
    fill_folder(tmp_path, 3)
    truncated_jpeg(tmp_path / "cut.jpg")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(SamplesError, match=r"2 of 5 .*cut\.jpg.*text\.png.*--skip-bad"):
        load_photos(tmp_path, PLAIN)
    photos = load_photos(tmp_path, PLAIN, skip_bad=True)
    assert len(photos) == 3
    assert [path.name for path, _ in photos.skipped] == ["cut.jpg", "text.png"]
    assert all(reason for _, reason in photos.skipped)


def test_only_bad_pictures(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(SamplesError, match=r"1 of 1 .*text\.png"):
        load_photos(tmp_path, PLAIN, skip_bad=True)


def test_digest_is_of_the_contents(tmp_path: Path) -> None:
    fill_folder(tmp_path, 3)
    before = load_photos(tmp_path, PLAIN).sha256
    (tmp_path / "photo_000.png").rename(tmp_path / "renamed.png")
    assert load_photos(tmp_path, PLAIN).sha256 == before
    picture(9).save(tmp_path / "renamed.png")
    assert load_photos(tmp_path, PLAIN).sha256 != before


# ------------------------------------------------------------------------------ a split


def parts_by_content(folder: Path) -> dict[str, str]:
    photos = load_photos(folder, PLAIN)
    split = split_photos(photos)
    return {
        photos.digests[index]: part
        for part in ("calibration", "selection", "evaluation")
        for index in getattr(split, part)
    }


def test_renaming_moves_no_photo(tmp_path: Path) -> None:
    fill_folder(tmp_path, 20)
    before = parts_by_content(tmp_path)
    assert [list(before.values()).count(p) for p in ("calibration", "selection", "evaluation")] == [
        14,
        3,
        3,
    ]
    for index, path in enumerate(sorted(tmp_path.iterdir())):
        path.rename(tmp_path / f"{(index * 7) % 20}_{path.name}")
    assert parts_by_content(tmp_path) == before


def test_copies_stay_together(tmp_path: Path) -> None:
    fill_folder(tmp_path, 12)
    for path in sorted(tmp_path.iterdir()):
        shutil.copy(path, tmp_path / f"copy_of_{path.name}")
    photos = load_photos(tmp_path, PLAIN)
    split = split_photos(photos)
    digests = [
        {photos.digests[i] for i in part}
        for part in (split.calibration, split.selection, split.evaluation)
    ]
    assert split.held_out
    assert [len(part) for part in digests] == [8, 2, 2]
    assert not digests[0] & digests[1] | digests[0] & digests[2] | digests[1] & digests[2]


@given(st.lists(st.integers(0, 40).map(str), max_size=80))
def test_split_covers_every_input_once(digests: list[str]) -> None:
    split = split_digests(digests)
    parts = (split.calibration, split.selection, split.evaluation)
    if len(set(digests)) < 3:
        assert not split.held_out
        assert all(part == tuple(range(len(digests))) for part in parts)
    else:
        assert split.held_out
        assert all(parts)
        assert sorted(index for part in parts for index in part) == list(range(len(digests)))


def test_hundred_photos() -> None:
    split = split_digests([f"{index:03}" for index in range(100)])
    parts = (split.calibration, split.selection, split.evaluation)
    assert [len(part) for part in parts] == [70, 15, 15]


# ------------------------------------------------------------------------------- random


def test_random_inputs_follow_the_seed() -> None:
    first = random_inputs((1, 3, 32, 32), 8, seed=1)
    assert first.shape == (8, 3, 32, 32)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, random_inputs((1, 3, 32, 32), 8, seed=1))
    assert not np.array_equal(first, random_inputs((1, 3, 32, 32), 8, seed=2))
    # Standard error over 24576 numbers is 0.0064; five of them.
    assert abs(float(first.mean())) < 0.032
    assert float(first.std()) == pytest.approx(1.0, abs=0.032)


def test_squashed_whatever_the_shape(tmp_path: Path) -> None:
    """Both ends of a wide picture stay in sight; without it the centre square is all there is."""
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, :30], wide[:, -30:] = 255, 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    squashed = load_photo(tmp_path / "wide.png", replace(PLAIN, squash=True))
    assert squashed.shape == (3, 32, 32)
    assert squashed[:, :, 0].min() > 250
    assert squashed[:, :, -1].min() > 250
    assert load_photo(tmp_path / "wide.png", PLAIN).max() == 0
    flat = load_photo(tmp_path / "wide.png", replace(PLAIN, squash=True), (3, 16, 48))
    assert flat[:, :, 0].min() > 250
