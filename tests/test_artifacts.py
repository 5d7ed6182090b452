"""Files appear whole or not at all, and what killed runs left behind goes."""

import json
from pathlib import Path

import pytest

from edgezoo import artifacts
from edgezoo.errors import ArtifactError, OutputError
from edgezoo.types import Comparison, Origin, to_json

KEY = "k" * 64


def write_artifact(
    path: Path, content: bytes = b"model", key: str = KEY, data: bytes | None = None
) -> None:
    manifest = {
        "schema": artifacts.SCHEMA,
        "format": "tflite",
        "recipe": "fp32",
        "sha256": "",
        "bytes": len(content),
        "model": "mine:net",
        "comparison": to_json(Comparison(100.0, 1e-6, 1e-6, 1.0, 1.0, 8)),
        "origin": to_json(Origin("mine:net", "factory", "0" * 64, 3, (1, 3, 8, 8))),
        "key": key,
    }
    with artifacts.staged(path) as temporary:
        temporary.write_bytes(content)
        if data is not None:
            artifacts.data_path(temporary).write_bytes(data)
        manifest["sha256"] = artifacts.file_sha256(temporary)
        manifest["data"] = artifacts.describe_data(temporary)
        artifacts.publish(temporary, path, manifest)


# -------------------------------------------------------------------------- the folder


def test_a_failed_block_takes_the_new_folders_with_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), artifacts.output_folder(tmp_path / "a" / "b"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_failed_block_leaves_old_folders_and_files(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(ZeroDivisionError), artifacts.output_folder(tmp_path / "old"):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), artifacts.output_folder(tmp_path / "a" / "b") as folder:
        (folder / "done").touch()
        raise ZeroDivisionError
    assert (tmp_path / "old").is_dir()
    assert (tmp_path / "a" / "b" / "done").is_file()


def test_only_abandoned_files_are_swept(tmp_path: Path) -> None:
    """A file that is being written, here or in another process, is locked."""
    abandoned = tmp_path / f"{artifacts.STAGED}dead.tflite"
    abandoned.write_bytes(b"half")
    folder = tmp_path / f"{artifacts.STAGED}gone"
    folder.mkdir()
    (folder / "model.onnx.data").write_bytes(b"half")
    mine = tmp_path / "mine"
    mine.touch()
    with artifacts.staged(tmp_path / "model.tflite") as temporary:
        temporary.write_bytes(b"half")
        with artifacts.output_folder(tmp_path):
            assert not abandoned.exists() and not folder.exists()
            assert temporary.exists()
        assert mine.exists()
    assert list(tmp_path.iterdir()) == [mine]


def test_unwritable_paths(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"file/below \(Not a directory\); choose another --out"),
        artifacts.output_folder(tmp_path / "file" / "below"),
    ):
        pass
    with pytest.raises(OutputError, match="absent"):
        artifacts.write_bytes(tmp_path / "absent" / "x", b"")


# --------------------------------------------------------------------------- artifacts


def test_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    write_artifact(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.tflite", "m.tflite.json"]
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o644}
    assert artifacts.read_intact(path)["bytes"] == 5


def test_a_failure_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    write_artifact(path)
    with pytest.raises(ZeroDivisionError), artifacts.staged(path) as temporary:
        temporary.write_bytes(b"ha")
        raise ZeroDivisionError
    assert path.read_bytes() == b"model"
    assert len(list(tmp_path.iterdir())) == 2


def test_found_by_its_key(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    assert artifacts.find_existing(path, KEY) is None
    write_artifact(path)
    found = artifacts.find_existing(path, KEY)
    assert found is not None
    assert (found.reused, found.path, found.comparison.samples) == (True, path, 8)
    words = "mine:net, weights factory, seed 3, input 1x3x8x8, recipe fp32, compared on 8 random"
    with pytest.raises(ArtifactError, match=words):
        artifacts.find_existing(path, "other")


@pytest.mark.parametrize("damage", ["model", "manifest", "no manifest"])
def test_damaged_artifacts_count_as_not_there(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "m.tflite"
    write_artifact(path)
    manifest = artifacts.manifest_path(path)
    if damage == "model":
        path.write_bytes(b"modem")
        with pytest.raises(ArtifactError, match="was changed after it was written"):
            artifacts.read_intact(path)
    elif damage == "manifest":
        manifest.write_text(manifest.read_text()[:20])
        with pytest.raises(ArtifactError, match="is damaged"):
            artifacts.read_intact(path)
    else:
        manifest.unlink()
        with pytest.raises(ArtifactError, match="has no manifest"):
            artifacts.read_intact(path)
    assert artifacts.find_existing(path, KEY) is None


def test_a_model_in_two_files_is_one_artifact(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    write_artifact(path, data=b"weights")
    assert {file.name for file in tmp_path.iterdir()} == {"m.onnx", "m.onnx.data", "m.onnx.json"}
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o644}
    data = artifacts.read_intact(path)["data"]
    assert (data["path"], data["bytes"]) == ("m.onnx.data", 7)
    assert artifacts.find_existing(path, KEY) is not None
    write_artifact(path, data=b"other weights")
    assert artifacts.data_path(path).read_bytes() == b"other weights"
    write_artifact(path)  # a smaller model in one file takes the weights of the old one with it
    assert {file.name for file in tmp_path.iterdir()} == {"m.onnx", "m.onnx.json"}


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_damaged_weights_count_as_not_there(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "m.onnx"
    write_artifact(path, data=b"weights")
    data = artifacts.data_path(path)
    data.write_bytes(b"weighty") if damage == "changed" else data.unlink()
    with pytest.raises(ArtifactError, match=r"m\.onnx\.data was changed after it was written"):
        artifacts.read_intact(path)
    assert artifacts.find_existing(path, KEY) is None


def test_foreign_manifests(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.touch()
    for content in ("[]", json.dumps({"schema": artifacts.SCHEMA + 1})):
        artifacts.manifest_path(path).write_text(content)
        with pytest.raises(ArtifactError, match="no manifest of schema"):
            artifacts.read_manifest(path)


def test_keys_depend_on_every_part() -> None:
    base = artifacts.key_of(a=1, b={"x": (1, 2)})
    assert base == artifacts.key_of(b={"x": [1, 2]}, a=1)
    assert len({base, artifacts.key_of(a=2, b={"x": (1, 2)}), artifacts.key_of(a=1)}) == 3
