"""Model files and the manifests beside them: written whole, found again by their key.

``lite0.tflite`` has its manifest in ``lite0.tflite.json``. The manifest's ``key`` is the hash of all
that decides the file's content, so a second run knows whether the file is already the right one.
The weights of a large ONNX model lie in a second file, ``big.onnx.data``: the two are one artifact,
published together, and the manifest holds the hashes of both.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from typing import Any

from edgezoo.errors import ArtifactError, OutputError
from edgezoo.types import FORMATS, SUFFIXES, Artifact, Comparison, Format, Origin, to_json

SCHEMA = 1
STAGED = ".edgezoo-"  # how the names of files that are being written begin


def manifest_path(path: Path) -> Path:
    """Return where the manifest of ``path`` lies."""
    return path.with_name(path.name + ".json")


def data_path(path: Path) -> Path:
    """Return where the weights of ``path`` lie, if they are not in it."""
    return path.with_name(path.name + ".data")


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key_of(**parts: Any) -> str:
    """Return the hash of everything that decides an artifact's content; parts must be JSON data.

    The version of edgezoo is one of them: another version may write other bytes.
    """
    text = json.dumps(to_json({**parts, "edgezoo": metadata.version("edgezoo")}), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def format_of(path: Path) -> Format:
    """Return the format that the suffix names."""
    for name in FORMATS:
        if path.suffix == SUFFIXES[name]:
            return name
    known = " or ".join(SUFFIXES.values())
    raise ArtifactError(
        f"{path} is no model file that edgezoo knows; give a path ending in {known}"
    )


@contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """Give an output folder that can be written to, cleared of what killed runs left behind.

    If the block fails, folders that were made for it go again, unless something lies in them.

    Raises:
        OutputError: it cannot be created or written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise output_error(folder, error) from error
    for leftover in folder.glob(f"{STAGED}*"):
        _remove_abandoned(leftover)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):  # not empty
            for path in made:
                path.rmdir()
        raise


def _remove_abandoned(path: Path) -> None:
    """Delete what a writer that is gone was writing: nobody holds its lock."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        finally:
            os.close(handle)


def output_error(path: Path, error: OSError) -> OutputError:
    """Turn an ``OSError`` of writing into one sentence with the next step."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return OutputError(f"no space left to write {path}; free some or choose another --out")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return OutputError(f"cannot write {path} ({reason}); choose another --out")


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give a path of the same name in a temporary folder beside ``path``.

    What the block does not rename away, that file and others beside it, disappears.

    Raises:
        OutputError: the file cannot be created or written.
    """
    try:
        handle, folder = _locked_folder(path)
    except OSError as error:
        raise output_error(path, error) from error
    try:
        yield folder / path.name
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        shutil.rmtree(folder)
        os.close(handle)


def _locked_folder(path: Path) -> tuple[int, Path]:
    """Make a folder and lock it until the handle is closed, so that it does not look abandoned."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=STAGED))
        with suppress(FileNotFoundError):  # another run took it for abandoned just before
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if folder.exists():
                return handle, folder
            os.close(handle)


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a whole file or nothing: temporary file, flush to disk, rename.

    Raises:
        OutputError: the path cannot be written, or the disk is full.
    """
    with staged(path) as temporary:
        _write_synced(temporary, data)
        temporary.chmod(0o644)
        temporary.replace(path)


def _write_synced(path: Path, data: bytes | memoryview) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write JSON data, whole or not at all."""
    write_bytes(path, _json_bytes(value))


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(to_json(value), indent=2) + "\n").encode()


def publish(staged_file: Path, path: Path, manifest: Mapping[str, Any]) -> None:
    """Rename a verified file to its place, its old manifest first removed and the new one last.

    Its weights, where they lie beside it, go before it. All are on disk before the first rename. A
    crash in between leaves a model without manifest, which the next run makes again.
    """
    with staged(manifest_path(path)) as staged_manifest:
        _write_synced(staged_manifest, _json_bytes(manifest))
        staged_manifest.chmod(0o644)
        staged_file.chmod(0o644)
        manifest_path(path).unlink(missing_ok=True)
        if data_path(staged_file).exists():
            data_path(staged_file).chmod(0o644)
            data_path(staged_file).replace(data_path(path))
        elif data_path(path).exists():  # of the larger model that is being replaced
            data_path(path).unlink()
        staged_file.replace(path)
        staged_manifest.replace(manifest_path(path))


def describe_data(path: Path) -> dict[str, Any] | None:
    """Return what a manifest holds of the weights beside ``path``, if they are not in it."""
    data = data_path(path)
    if not data.exists():
        return None
    return {"path": data.name, "sha256": file_sha256(data), "bytes": data.stat().st_size}


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of an artifact.

    Raises:
        ArtifactError: the artifact or its manifest is missing or damaged.
    """
    where = manifest_path(path)
    if not path.exists():
        raise ArtifactError(f"{path} does not exist; give the path of an artifact")
    try:
        content = json.loads(where.read_text())
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{path} has no manifest {where.name} beside it; make it with edgezoo convert"
        ) from error
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{where} is damaged ({error}); convert the model again") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ArtifactError(f"{where} is no manifest of schema {SCHEMA}; convert the model again")
    return content


def read_intact(path: Path) -> dict[str, Any]:
    """Return the manifest of an artifact that is still the file that was written.

    Raises:
        ArtifactError: the artifact was changed, or it or its manifest is missing or damaged.
    """
    manifest = read_manifest(path)
    if (changed := _changed(path, manifest)) is not None:
        raise ArtifactError(
            f"{changed} was changed after it was written (its sha256 is not the manifest's); "
            "convert the model again"
        )
    return manifest


def _changed(path: Path, manifest: Mapping[str, Any]) -> Path | None:
    """Return which file of an artifact is not the one that was written, or is gone."""
    expected = {path: manifest["sha256"]}
    if manifest.get("data") is not None:
        expected[data_path(path)] = manifest["data"]["sha256"]
    for file, sha256 in expected.items():
        if not file.exists() or file_sha256(file) != sha256:
            return file
    return None


def origin_of(manifest: Mapping[str, Any]) -> Origin:
    """Return where the artifact's network came from."""
    entry = dict(manifest["origin"])
    return Origin(**{**entry, "input": tuple(entry["input"])})


def builder_options(origin: Origin) -> dict[str, Any]:
    """Return the options to build the network again with; the input's shape gives its channels."""
    return {name: value for name, value in origin.options.items() if name != "in_channels"}


def artifact_of(path: Path, manifest: Mapping[str, Any], *, reused: bool = False) -> Artifact:
    """Return the noun that a manifest describes."""
    known = {field.name for field in fields(Comparison)}
    comparison = {k: v for k, v in manifest["comparison"].items() if k in known}
    return Artifact(
        path=path,
        format=manifest["format"],
        recipe=manifest["recipe"],
        sha256=manifest["sha256"],
        bytes=manifest["bytes"],
        model=manifest["model"],
        comparison=Comparison(**comparison),
        manifest=manifest_path(path),
        parent=manifest.get("parent"),
        reused=reused,
    )


def find_existing(path: Path, key: str) -> Artifact | None:
    """Return the artifact at ``path`` if it is whole and was made from the same inputs.

    A file without a readable manifest, or one that was changed since, counts as not there.

    Raises:
        ArtifactError: another run's artifact is in the way.
    """
    if not path.exists() or not manifest_path(path).exists():
        return None
    try:
        manifest = read_manifest(path)
    except ArtifactError:
        return None
    if manifest["key"] != key:
        raise ArtifactError(
            f"{path} was made from other inputs ({_describe(manifest)}); "
            "choose another --out, or pass --force to replace it"
        )
    intact = _changed(path, manifest) is None
    return artifact_of(path, manifest, reused=True) if intact else None


def _describe(manifest: Mapping[str, Any]) -> str:
    origin, compared = manifest.get("origin", {}), manifest.get("comparison", {})
    inputs = "photos" if compared.get("inputs") == "photos" else "random inputs"
    shape = "x".join(map(str, origin.get("input", [])))
    return (
        f"{origin.get('model')}, weights {origin.get('weights')}, seed {origin.get('seed')}, "
        f"input {shape}, recipe {manifest.get('recipe')}, "
        f"compared on {compared.get('samples')} {inputs}"
    )
