from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import demo_photos
from edgezoo.samples import find_photos

for package in ("foolbox", "skimage", "sklearn"):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed", allow_module_level=True)


def test_thirty_photos_and_nothing_the_second_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    assert demo_photos.main([str(folder)]) == 0
    assert capsys.readouterr().out == f"30 pictures in {folder}\n"
    photos = find_photos(folder)
    assert len(photos) == 30
    assert sum(photo.name.startswith("imagenet_") for photo in photos) == 20
    times = [photo.stat().st_mtime_ns for photo in photos]
    assert demo_photos.main([str(folder)]) == 0
    assert [photo.stat().st_mtime_ns for photo in photos] == times


def test_crops_are_split_by_source(tmp_path: Path) -> None:
    assert demo_photos.fill(tmp_path / "a", crops=2, split=0.5, seed=3) == 60
    sources = {
        part: {path.name.rpartition("_crop")[0] for path in (tmp_path / "a" / part).iterdir()}
        for part in ("calibration", "test")
    }
    assert {len(names) for names in sources.values()} == {15}
    assert not sources["calibration"] & sources["test"]
    crop = next((tmp_path / "a" / "test").glob("imagenet_*_crop01.png"))
    with Image.open(crop) as image:
        assert 0.25 < image.width * image.height / (512 * 512) <= 1
        assert 0.7 < image.width / image.height < 1.4


def test_crops_follow_the_seed(tmp_path: Path) -> None:
    photo = demo_photos.find_photos()[0]
    assert demo_photos.crop(photo, 0, seed=1) == demo_photos.crop(photo, 0, seed=1)
    assert demo_photos.crop(photo, 0, seed=1) != demo_photos.crop(photo, 0, seed=2)
    assert demo_photos.crop(photo, 0, seed=1) != demo_photos.crop(photo, 1, seed=1)


def test_other_pictures_are_not_mixed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.jpg").write_bytes(b"")
    assert demo_photos.main([str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {tmp_path} holds 1 other pictures (mine.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.jpg"]


def test_missing_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = demo_photos.Source("no_such_package", "no-such-package", ("*.jpg",))
    monkeypatch.setattr(demo_photos, "SOURCES", (*demo_photos.SOURCES, absent))
    assert demo_photos.main([str(tmp_path / "photos")]) == 2
    message = "the photos of no-such-package are not installed; run pip install 'edgezoo[photos]'"
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not (tmp_path / "photos").exists()
