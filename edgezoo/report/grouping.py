"""Which measurements may stand side by side: same provenance, same device, same threads.

Rows of different groups are never in one table or plot. Within a group every artifact, runner and
delegate has one row, the newest measurement; older ones and those of other files are counted.
Reference runs have groups of their own, with one row per setting.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from edgezoo.measurement import Latency, Measurement, Provenance
from edgezoo.report.data import ArtifactEntry, ReportData
from edgezoo.types import to_json

PROVENANCES: tuple[Provenance, ...] = ("phone", "host", "gpu", "imported", "simulated")


@dataclass(frozen=True, slots=True)
class Setting:
    """What all rows of one table have in common; ``reference`` for those of reference runs."""

    provenance: Provenance
    device: str
    cpu: str
    threads: int
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """One row: a measurement of an artifact; ``mark`` (m1, m2, …) names it among the sources.

    In a reference run of a network, ``entry`` is an artifact with the same weights.
    """

    entry: ArtifactEntry
    measurement: Measurement
    mark: str = ""

    @property
    def name(self) -> str:
        """What was measured: a file, or a network with its setting."""
        reference = self.measurement.plan.reference
        name = self.measurement.artifact
        return name if reference is None else f"{name}, {reference.label}"

    @property
    def shown_latency_ms(self) -> Latency | None:
        """The latency to print, whose ``doubt`` must stand beside it; a failed one has none."""
        return None if self.measurement.status == "failed" else self.measurement.latency_ms

    @property
    def trusted_latency_ms(self) -> Latency | None:
        """The latency that may carry a claim or be compared: only that of an ``ok`` measurement."""
        return None if self.doubt else self.shown_latency_ms

    @property
    def doubt(self) -> str:
        """The word that marks the number as doubtful: "unstable", "throttled"; else empty."""
        return "" if self.measurement.status in ("ok", "failed") else self.measurement.status


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one setting, in the order of the artifacts."""

    setting: Setting
    timings: tuple[Timing, ...]
    older: int


@dataclass(frozen=True, slots=True)
class Grouping:
    """All groups, phones first; ``foreign`` were taken of files that are not in the report.

    ``references`` are the groups of reference runs.
    """

    groups: tuple[Group, ...]
    foreign: tuple[Measurement, ...]
    references: tuple[Group, ...] = ()

    @property
    def timings(self) -> tuple[Timing, ...]:
        """All rows of all groups, in the order of their marks."""
        groups = (*self.groups, *self.references)
        return tuple(timing for group in groups for timing in group.timings)


def without_number(timings: Iterable[Timing]) -> tuple[Timing, ...]:
    """Those of which no number is shown."""
    return tuple(timing for timing in timings if timing.shown_latency_ms is None)


def without_claim(timings: Iterable[Timing]) -> tuple[Timing, ...]:
    """Those whose number is shown, but in doubt."""
    return tuple(timing for timing in timings if timing.shown_latency_ms and timing.doubt)


def setting_of(measurement: Measurement) -> Setting:
    """The setting a measurement belongs to."""
    device = measurement.device
    plan = measurement.plan
    place = (measurement.provenance, device.name, device.cpu)
    return Setting(*place, plan.threads, plan.reference is not None)


def group_measurements(data: ReportData) -> Grouping:
    """Sort the measurements into groups; artifacts and measurements meet by sha256.

    A network's is that of the weights that its artifacts were made from.
    """
    entries = _entries(data)
    known = [m for m in data.measurements if m.artifact_sha256 in entries]
    foreign = tuple(m for m in data.measurements if m.artifact_sha256 not in entries)
    settings = sorted({setting_of(m) for m in known}, key=_setting_order)
    groups = [_group(setting, known, entries) for setting in settings]
    numbered, start = [], 1
    for group in groups:
        timings = (replace(t, mark=f"m{start + i}") for i, t in enumerate(group.timings))
        numbered.append(replace(group, timings=tuple(timings)))
        start += len(group.timings)
    files = tuple(group for group in numbered if not group.setting.reference)
    references = tuple(group for group in numbered if group.setting.reference)
    return Grouping(files, foreign, references)


def _entries(data: ReportData) -> dict[str, ArtifactEntry]:
    """Artifacts by their sha256, and the first of every network by that of its weights."""
    entries = {entry.artifact.sha256: entry for entry in data.artifacts}
    for entry in data.artifacts:
        if entry.origin is not None:
            entries.setdefault(entry.origin.weights_sha256, entry)
    return entries


def _setting_order(setting: Setting) -> tuple[bool, int, str, str, int]:
    rank = PROVENANCES.index(setting.provenance)
    return setting.reference, rank, setting.device, setting.cpu, setting.threads


def _group(setting: Setting, known: list[Measurement], entries: dict[str, ArtifactEntry]) -> Group:
    mine = [m for m in known if setting_of(m) == setting]
    newest: dict[tuple[str, str, str], Measurement] = {}
    for measurement in sorted(mine, key=lambda m: m.measured_at):
        newest[_row_key(measurement)] = measurement
    positions = {sha: index for index, sha in enumerate(entries)}
    keys = sorted(newest, key=lambda key: (positions[key[0]], key[1:]))
    timings = tuple(Timing(entries[key[0]], newest[key]) for key in keys)
    return Group(setting, timings, older=len(mine) - len(newest))


def _row_key(measurement: Measurement) -> tuple[str, str, str]:
    setting = measurement.plan.reference
    if setting is not None:
        place = f"{setting.execution} {setting.precision} {setting.memory_format}"
        return measurement.artifact_sha256, measurement.runner, f"{place} {setting.batch:09}"
    delegate = measurement.delegate.get("requested", measurement.delegate)
    asked_for = json.dumps(to_json(delegate), sort_keys=True)
    return measurement.artifact_sha256, measurement.runner, asked_for
