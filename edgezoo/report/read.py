"""Folders and results files to ``ReportData``.

A folder holds manifests, ``results.jsonl`` and ``gallery.json``, each of which may be missing; a
file is a results store, perhaps from a phone lab that keeps no models.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgezoo import results
from edgezoo.errors import ArtifactError
from edgezoo.measurement import Measurement
from edgezoo.report.data import ArtifactEntry, ReportData
from edgezoo.report.json_files import damaged, decode, parse, read_text
from edgezoo.report.manifests import read_entries
from edgezoo.report.words import FLOAT_RECIPE
from edgezoo.types import FORMATS, GalleryPhoto

RESULTS_NAME = "results.jsonl"
GALLERY_NAME = "gallery.json"
TITLED = 4  # models that the title names
Published = Callable[[str], Mapping[str, Any]]


def _nothing_published(model: str) -> Mapping[str, Any]:
    return {}


def read_report_data(
    *places: Path,
    published: Published = _nothing_published,
    advice: Mapping[str, str] | None = None,
) -> ReportData:
    """Read everything that the folders and results files ``places`` hold.

    ``published`` looks up what manifests do not tell, ``advice`` is the next step by failure class.
    Raises ``ArtifactError`` where a place has nothing to report, or a file is unreadable, damaged
    or in contradiction to another.
    """
    entries: list[ArtifactEntry] = []
    found: dict[str, Mapping[str, Any]] = {}
    gallery: list[GalleryPhoto] = []
    stores: list[Path] = []
    for place in dict.fromkeys(places):
        if place.is_file():
            stores.append(place)
            continue
        mine, of_manifests = read_entries(place)
        kept = _stores_in(place, bool(mine))
        if not mine and not kept:
            raise _nothing_in(place)
        entries += mine
        found |= of_manifests
        stores += kept
        gallery += _read_gallery(place / GALLERY_NAME)
    artifacts = _distinct(entries)
    measurements = _read_measurements(stores)
    if not artifacts and not measurements:
        raise _nothing_in(places[0])
    data = ReportData("", artifacts, measurements, tuple(gallery), advice=advice or {})
    known = {model: found.get(model) or published(model) for model in data.models}
    facts = {model: some for model, some in known.items() if some}
    return replace(data, title=_title(data.models), published=facts)


def _nothing_in(place: Path) -> ArtifactError:
    return ArtifactError(
        f"{place} holds no artifact with a manifest (*.tflite.json, *.onnx.json) and no "
        "measurements (*.jsonl); make them with `edgezoo convert MODEL --out FOLDER` and "
        "`edgezoo bench`."
    )


def _stores_in(folder: Path, has_artifacts: bool) -> list[Path]:
    """The folder's own results; where it holds no models, every store in it."""
    own = folder / RESULTS_NAME
    if own.exists() or has_artifacts:
        return [own] if own.exists() else []
    return sorted(folder.glob("*.jsonl"))


def _distinct(entries: Sequence[ArtifactEntry]) -> tuple[ArtifactEntry, ...]:
    """Each file once; two of one name and different content cannot be told apart in a table."""
    known: dict[str, ArtifactEntry] = {}
    for entry in entries:
        other = known.setdefault(entry.name, entry)
        if other.artifact.sha256 != entry.artifact.sha256:
            raise ArtifactError(
                f"{other.artifact.path} and {entry.artifact.path} have one name and different "
                "content; report their folders one by one."
            )
    return tuple(sorted(known.values(), key=_order))


def _title(models: Sequence[str]) -> str:
    if len(models) <= TITLED:
        return ", ".join(models)
    return f"{', '.join(models[: TITLED - 1])} and {len(models) - TITLED + 1} more networks"


def _order(entry: ArtifactEntry) -> tuple[str, int, bool, int, str]:
    """Models together, TFLite before ONNX, within a format float first, then by falling size."""
    artifact = entry.artifact
    is_reduced = artifact.recipe != FLOAT_RECIPE
    rank = FORMATS.index(artifact.format)
    return artifact.model, rank, is_reduced, -artifact.bytes, entry.name


def _read_measurements(stores: Iterable[Path]) -> tuple[Measurement, ...]:
    """What the stores hold, each store once however it is named."""
    paths = {path.resolve(): path for path in stores}
    return tuple(m for path in paths.values() for m in results.read(path).measurements)


def _read_gallery(path: Path) -> tuple[GalleryPhoto, ...]:
    if not path.exists():
        return ()
    raw = parse(read_text(path), str(path))
    if not isinstance(raw, list):
        raise damaged(str(path), "a list of photos was expected")
    photos = tuple(decode(GalleryPhoto, item, f"{path} photo {i}") for i, item in enumerate(raw))
    for photo in photos:
        try:
            base64.b64decode(photo.thumbnail, validate=True)
        except ValueError as error:
            raise damaged(f"{path} photo {photo.name}", "thumbnail is not base64") from error
    return photos
