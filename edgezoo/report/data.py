"""What a report is made of: the artifacts with their manifests, the measurements, the photos.

``ReportData`` holds facts only; every sentence, table and plot is derived from it, so that a
number that is not in here cannot appear on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgezoo.measurement import Measurement
from edgezoo.types import Artifact, GalleryPhoto, Origin


@dataclass(frozen=True, slots=True)
class QuantizationFacts:
    """How activation ranges were chosen: SQNR in dB of every rule tried on the selection photos."""

    rule: str | None = None
    sqnr_db: Mapping[str, float] = field(default_factory=dict)
    calibration_photos: int | None = None
    selection_photos: int | None = None
    evaluation_photos: int | None = None
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """One artifact with what its manifest says; ``partitions`` are those that XNNPACK made of it.

    ``params`` and ``macs`` are counted on the artifact's own graph at its input shape.
    """

    artifact: Artifact
    ops: Mapping[str, int] = field(default_factory=dict)
    nodes: int | None = None
    params: int | None = None
    macs: int | None = None
    partitions: int | None = None
    quantization: QuantizationFacts | None = None
    origin: Origin | None = None
    key: str | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file name, by which measurements and photos refer to the artifact."""
        return self.artifact.path.name


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything on the page. ``published`` maps a model name to ``ModelSpec.published``, ``advice``
    a class of failure to the next step.
    """

    title: str
    artifacts: tuple[ArtifactEntry, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    gallery: tuple[GalleryPhoto, ...] = ()
    published: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    advice: Mapping[str, str] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models: those of the artifacts in their order, then the others."""
        others = sorted({measurement.model for measurement in self.measurements})
        mine = (entry.artifact.model for entry in self.artifacts)
        return tuple(dict.fromkeys((*mine, *others)))
