"""Manifests to entries: the files ``<artifact>.json`` beside ``<artifact>`` (``net.tflite.json``).

The files of the models that are still there must have the hashes that the manifests hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgezoo.artifacts import file_sha256
from edgezoo.errors import ArtifactError
from edgezoo.report.data import ArtifactEntry, QuantizationFacts
from edgezoo.report.json_files import decode, parse, read_text
from edgezoo.types import SUFFIXES, Artifact, Comparison, Format, Origin

SCHEMA = 1


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


def read_entries(
    folder: Path,
) -> tuple[tuple[ArtifactEntry, ...], Mapping[str, Mapping[str, Any]]]:
    """The artifacts of a folder by name, and what their manifests say was published, by model.

    Raises ``ArtifactError`` where a manifest is damaged or a model file was changed.
    """
    paths = sorted(p for suffix in SUFFIXES.values() for p in folder.glob(f"*{suffix}.json"))
    manifests = [(path, _read_manifest(path)) for path in paths]
    entries = tuple(_entry(folder, path, manifest) for path, manifest in manifests)
    return entries, {m.model: m.published for _, m in manifests if m.published}


def _read_manifest(path: Path) -> _Manifest:
    raw = parse(read_text(path), str(path))
    if isinstance(raw, Mapping) and raw.get("schema", SCHEMA) != SCHEMA:
        raise ArtifactError(
            f"{path} has manifest schema {raw['schema']!r} but this edgezoo reads schema {SCHEMA}; "
            "make the artifact again with this version."
        )
    return decode(_Manifest, raw, str(path))


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
