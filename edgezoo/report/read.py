"""A folder of artifacts to ``ReportData``: manifests, ``results.jsonl`` and ``gallery.json``.

Manifests are the files ``<artifact>.json`` beside ``<artifact>`` (``net.tflite.json``). The files
of the models that are still there must have the hashes that the manifests hold.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edgezoo import results
from edgezoo.artifacts import file_sha256
from edgezoo.decode import from_json
from edgezoo.errors import ArtifactError
from edgezoo.measurement import Measurement
from edgezoo.report.data import ArtifactEntry, QuantizationFacts, ReportData
from edgezoo.report.words import FLOAT_RECIPE
from edgezoo.types import FORMATS, SUFFIXES, Artifact, Comparison, Format, GalleryPhoto, Origin

SCHEMA = 1
RESULTS_NAME = "results.jsonl"
GALLERY_NAME = "gallery.json"
Noun = TypeVar("Noun")


@dataclass(frozen=True, slots=True)
class _GraphFacts:
    nodes: int | None = None
    ops: Mapping[str, int] = field(default_factory=dict)
    params: int | None = None
    macs: int | None = None


@dataclass(frozen=True, slots=True)
class _Quantization:
    rule: str | None = None
    rules: Mapping[str, float] = field(default_factory=dict)
    calibration_photos: int | None = None
    selection_photos: int | None = None
    evaluation_photos: int | None = None
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Manifest:
    """The manifest's JSON, key by key; what has a default may be absent."""

    schema: int
    path: str
    format: Format
    recipe: str
    sha256: str
    bytes: int
    model: str
    comparison: Comparison
    parent: str | None = None
    origin: Origin | None = None
    key: str | None = None
    graph: _GraphFacts | None = None
    partitions: int | None = None
    published: Mapping[str, Any] | None = None
    quantization: _Quantization | None = None
    preprocessing: Mapping[str, Any] | None = None
    versions: Mapping[str, Any] | None = None


def read_report_data(folder: Path) -> ReportData:
    """Read everything that ``folder`` holds about its artifacts.

    Raises ``ArtifactError`` where there is no manifest, or a file is unreadable or damaged.
    """
    paths = sorted(p for suffix in SUFFIXES.values() for p in folder.glob(f"*{suffix}.json"))
    if not paths:
        raise ArtifactError(
            f"{folder} holds no artifact with a manifest (*.tflite.json, *.onnx.json); "
            "make one with `edgezoo convert MODEL --out FOLDER` first."
        )
    manifests = [(path, _read_manifest(path)) for path in paths]
    entries = sorted((_entry(folder, path, manifest) for path, manifest in manifests), key=_order)
    return ReportData(
        title=", ".join(dict.fromkeys(entry.artifact.model for entry in entries)),
        artifacts=tuple(entries),
        measurements=_read_measurements(folder / RESULTS_NAME),
        gallery=_read_gallery(folder / GALLERY_NAME),
        published={m.model: m.published for _, m in manifests if m.published},
    )


def _order(entry: ArtifactEntry) -> tuple[str, int, bool, int, str]:
    """Models together, TFLite before ONNX, within a format float first, then by falling size."""
    artifact = entry.artifact
    is_reduced = artifact.recipe != FLOAT_RECIPE
    rank = FORMATS.index(artifact.format)
    return artifact.model, rank, is_reduced, -artifact.bytes, entry.name


def _read_manifest(path: Path) -> _Manifest:
    raw = _parse(_read_text(path), str(path))
    if isinstance(raw, Mapping) and raw.get("schema", SCHEMA) != SCHEMA:
        raise ArtifactError(
            f"{path} has manifest schema {raw['schema']!r} but this edgezoo reads schema {SCHEMA}; "
            "make the artifact again with this version."
        )
    return _decode(_Manifest, raw, str(path))


def _entry(folder: Path, path: Path, manifest: _Manifest) -> ArtifactEntry:
    graph = manifest.graph or _GraphFacts()
    model = folder / Path(manifest.path).name
    if model.exists() and file_sha256(model) != manifest.sha256:
        raise ArtifactError(
            f"{model} was changed after it was written (its sha256 is not the manifest's); "
            "convert the model again."
        )
    artifact = Artifact(
        path=model,
        format=manifest.format,
        recipe=manifest.recipe,
        sha256=manifest.sha256,
        bytes=manifest.bytes,
        model=manifest.model,
        comparison=manifest.comparison,
        manifest=path,
        parent=manifest.parent,
    )
    return ArtifactEntry(
        artifact=artifact,
        ops=graph.ops,
        nodes=graph.nodes,
        params=graph.params,
        macs=graph.macs,
        partitions=manifest.partitions,
        quantization=_quantization(manifest.quantization),
        origin=manifest.origin,
        key=manifest.key,
        preprocessing=manifest.preprocessing or {},
        versions=manifest.versions or {},
    )


def _quantization(raw: _Quantization | None) -> QuantizationFacts | None:
    if raw is None:
        return None
    return QuantizationFacts(
        rule=raw.rule,
        sqnr_db=raw.rules,
        calibration_photos=raw.calibration_photos,
        selection_photos=raw.selection_photos,
        evaluation_photos=raw.evaluation_photos,
        repairs=raw.repairs,
    )


def _read_measurements(path: Path) -> tuple[Measurement, ...]:
    """Return what the store holds; no file means that nothing was measured."""
    return results.read(path).measurements if path.exists() else ()


def _read_gallery(path: Path) -> tuple[GalleryPhoto, ...]:
    if not path.exists():
        return ()
    raw = _parse(_read_text(path), str(path))
    if not isinstance(raw, list):
        raise _damaged(str(path), "a list of photos was expected")
    photos = tuple(_decode(GalleryPhoto, item, f"{path} photo {i}") for i, item in enumerate(raw))
    for photo in photos:
        try:
            base64.b64decode(photo.thumbnail, validate=True)
        except ValueError as error:
            raise _damaged(f"{path} photo {photo.name}", "thumbnail is not base64") from error
    return photos


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise _damaged(str(path), "it is not UTF-8 text") from error


def _parse(text: str, place: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _damaged(place, f"no JSON: {error}") from error


def _decode(noun: type[Noun], raw: object, place: str) -> Noun:
    try:
        return from_json(noun, raw)
    except ValueError as error:
        raise _damaged(place, str(error)) from error


def _damaged(place: str, reason: str) -> ArtifactError:
    return ArtifactError(
        f"{place} is damaged ({reason}); remove it and run the command that wrote it again."
    )
