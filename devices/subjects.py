"""What is measured: a model file, its hash, and what the manifest beside it says about it.

A reference run measures a network itself: its ``origin`` says how to build it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgezoo.artifacts import data_path, file_sha256
from edgezoo.errors import ArtifactError, UsageError
from edgezoo.measurement import MeasuredFormat
from edgezoo.types import SUFFIXES, Format, Origin


@dataclass(frozen=True, slots=True)
class Subject:
    """A model file to measure; ``sha256`` is empty where it cannot be read (``unreadable``).

    ``data_sha256`` is that of the weights beside an ONNX file, empty where they are in it.
    With an ``origin`` it is a network of the format ``pytorch``: ``path`` is its name and ``sha256``
    that of its weights.
    """

    path: Path
    format: MeasuredFormat
    sha256: str
    model: str
    recipe: str
    unreadable: str | None = None
    origin: Origin | None = None
    data_sha256: str = ""

    @property
    def contents(self) -> str:
        """What tells it from every other subject: both hashes."""
        return self.sha256 + self.data_sha256

    @property
    def files(self) -> tuple[Path, ...]:
        """The absolute paths of the file and of its weights, where they lie beside it."""
        path = self.path.absolute()
        return (path, data_path(path)) if self.data_sha256 else (path,)


def network(name: str, origin: Origin) -> Subject:
    """Return a network to measure as it is in PyTorch.

    Raises ``UsageError`` for one that a fresh process cannot build again.
    """
    if origin.weights == "object":
        raise UsageError(
            f"{origin.model} is a module object, which a fresh process cannot build again; name it as "
            "package.module:factory"
        )
    return Subject(Path(name), "pytorch", origin.weights_sha256, name, "fp32", origin=origin)


def is_intact(subject: Subject) -> bool:
    """Return whether a file is still the one that was hashed.

    A network's weights are checked by every process that builds it.
    """
    if subject.origin is not None:
        return True
    hashes = (subject.sha256, subject.data_sha256)
    try:
        return all(map(_has_hash, subject.files, hashes))
    except OSError:
        return False


def _has_hash(path: Path, sha256: str) -> bool:
    status = path.stat()
    version = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return _sha256_of(path, version) == sha256


@lru_cache(maxsize=1024)
def _sha256_of(path: Path, version: tuple[int, ...]) -> str:
    """Return the sha256 of a file, which is asked for after every process of it.

    A file that was written since has another ``version``: its inode, size or times differ.
    """
    return file_sha256(path)


def read_subjects(paths: Sequence[Path]) -> tuple[Subject, ...]:
    """Return the files to measure in their order.

    Raises ``UsageError`` for no file or a wrong suffix, ``ArtifactError`` for files that are
    missing (all of them at once) and for manifests that are damaged or belong to another file.
    """
    if not paths:
        raise UsageError("No model file was given: name at least one .tflite or .onnx file.")
    formats = {path: _format(path) for path in paths}
    missing = [str(path) for path in formats if not path.is_file()]
    if missing:
        raise ArtifactError(f"No such file: {', '.join(missing)}; check the path.")
    return tuple(_subject(path, formats[path]) for path in paths)


def _format(path: Path) -> Format:
    for format_, suffix in SUFFIXES.items():
        if path.suffix == suffix:
            return format_
    known = ", ".join(SUFFIXES.values())
    raise UsageError(f"{path} cannot be measured: its name must end in one of {known}.")


def _subject(path: Path, format_: Format) -> Subject:
    manifest = _manifest(path)
    model, recipe = manifest.get("model", path.stem), manifest.get("recipe", "unknown")
    data = data_path(path)
    try:
        sha256 = file_sha256(path)
        data_sha256 = file_sha256(data) if format_ == "onnx" and data.exists() else ""
    except OSError as error:
        return Subject(path, format_, "", model, recipe, str(error.strerror))
    described = (manifest.get("data") or {}).get("sha256", data_sha256)
    if (manifest.get("sha256", sha256), described) != (sha256, data_sha256):
        message = f"{path} is not the file that {path.name}.json describes: convert it again."
        raise ArtifactError(message)
    return Subject(path, format_, sha256, model, recipe, data_sha256=data_sha256)


def _manifest(path: Path) -> Mapping[str, Any]:
    """Return the manifest beside ``path``, empty where there is none."""
    manifest = path.with_name(path.name + ".json")
    try:
        content = json.loads(manifest.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        message = f"{manifest} cannot be read ({error}): convert the model again or delete it."
        raise ArtifactError(message) from error
    named = ("model", "recipe", "sha256")
    if (
        isinstance(content, dict)
        and all(isinstance(content.get(key, ""), str) for key in named)
        and isinstance(content.get("data") or {}, dict)
    ):
        return content
    message = f"{manifest} is no manifest: convert the model again or delete it."
    raise ArtifactError(message)
