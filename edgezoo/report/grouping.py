"""Which measurements may stand side by side: same provenance, device, accelerator, threads.

Rows of different groups are never in one table or plot, but in those that say so (``side_by_side``,
``beside``), where each has a column of its own. Within a group every file, runner and accelerator
has one row, the newest measurement; older ones and those of earlier files are counted.
Reference runs have groups of their own, with one row per setting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from edgezoo.measurement import DeviceInfo, Latency, Measurement, Provenance
from edgezoo.report.data import ArtifactEntry, ReportData

PROVENANCES: tuple[Provenance, ...] = ("phone", "host", "gpu", "imported", "simulated")


@dataclass(frozen=True, slots=True)
class Setting:
    """What all rows of one table have in common; ``reference`` for those of reference runs.

    ``device`` is unique within its provenance: the name, with the serial where two share it.
    Threads and cores are those of the processor; an accelerator has none.
    """

    provenance: Provenance
    device: str
    cpu: str
    threads: int
    reference: bool = False
    cores: str = "none"
    accelerator: str = "cpu"

    @property
    def place(self) -> str:
        """The device; one that is simulated says so wherever it is named."""
        return f"{self.device} (simulated)" if self.provenance == "simulated" else self.device


@dataclass(frozen=True, slots=True)
class Way:
    """How a file was run, wherever that was; only numbers of one way stand side by side."""

    runner: str
    accelerator: str
    xnnpack: bool
    threads: int
    cores: str
    sustained_s: float


@dataclass(frozen=True, slots=True)
class Timing:
    """One row: a measurement; ``mark`` (m1, m2, …) names it among the sources.

    ``entry`` is the artifact that was measured, ``None`` where the report holds no such file; in a
    reference run of a network, an artifact with the same weights.
    """

    measurement: Measurement
    entry: ArtifactEntry | None = None
    mark: str = ""

    @property
    def name(self) -> str:
        """What was measured: a file, or a network with its setting."""
        return self.measurement.title

    @property
    def way(self) -> Way:
        """How it was run, as its plan says; what really ran is another matter (``fallback``)."""
        plan = self.measurement.plan
        how = (plan.accelerator, plan.xnnpack, plan.threads, plan.cores, plan.sustained_s)
        return Way(self.measurement.runner, *how)

    @property
    def fallback(self) -> str:
        """What ran instead of the accelerator that was asked for; empty where that one ran."""
        asked, used = self.measurement.plan.accelerator, self.measurement.delegate.get("used")
        return str(used) if asked != "cpu" and used not in (None, asked) else ""

    @property
    def failed(self) -> bool:
        """Whether there is no number; that of another accelerator is none."""
        return self.measurement.status == "failed" or bool(self.fallback)

    @property
    def status(self) -> str:
        """The status to print: a fallback is a failure, whatever the store says."""
        return "failed" if self.failed else self.measurement.status

    @property
    def failure_class(self) -> str:
        """The stable name of the failure; empty where there is none or it has no name."""
        fallback = "delegate_fallback" if self.fallback else ""
        return self.measurement.failure_class or fallback

    @property
    def shown_latency_ms(self) -> Latency | None:
        """The latency to print, whose ``doubt`` must stand beside it; a failed one has none."""
        return None if self.failed else self.measurement.latency_ms

    @property
    def trusted_latency_ms(self) -> Latency | None:
        """The latency that may carry a claim or be compared: only that of an ``ok`` measurement."""
        return None if self.doubt else self.shown_latency_ms

    @property
    def doubt(self) -> str:
        """The word that marks the number as doubtful: "unstable", "throttled"; else empty."""
        return "" if self.status in ("ok", "failed") else self.status


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one setting, in the order of the artifacts."""

    setting: Setting
    timings: tuple[Timing, ...]
    older: int


@dataclass(frozen=True, slots=True)
class Grouping:
    """All groups, phones first; ``foreign`` were taken of files with another content than those of
    the same name here. ``references`` are the groups of reference runs, ``subjects`` are all
    that was measured, in the order of every table.
    """

    groups: tuple[Group, ...]
    foreign: tuple[Measurement, ...]
    references: tuple[Group, ...] = ()
    subjects: tuple[str, ...] = ()

    @property
    def timings(self) -> tuple[Timing, ...]:
        """All rows of all groups, in the order of their marks."""
        groups = (*self.groups, *self.references)
        return tuple(timing for group in groups for timing in group.timings)

    def of(self, provenance: Provenance) -> tuple[Group, ...]:
        """The groups of one provenance, without reference runs."""
        return tuple(group for group in self.groups if group.setting.provenance == provenance)


def without_number(timings: Iterable[Timing]) -> tuple[Timing, ...]:
    """Those of which no number is shown."""
    return tuple(timing for timing in timings if timing.shown_latency_ms is None)


def without_claim(timings: Iterable[Timing]) -> tuple[Timing, ...]:
    """Those whose number is shown, but in doubt."""
    return tuple(timing for timing in timings if timing.shown_latency_ms and timing.doubt)


def group_measurements(data: ReportData) -> Grouping:
    """Sort the measurements into groups; artifacts and measurements meet by sha256.

    A network's is that of the weights that its artifacts were made from. What was measured of a
    file that is not in the report stands for itself; of several contents the newest counts.
    """
    entries = _entries(data)
    known, foreign = _split(data, entries)
    names = _device_names(known)
    members: dict[Setting, list[Measurement]] = {}
    for measurement in known:
        members.setdefault(_setting_of(measurement, names), []).append(measurement)
    order = _subject_order(known, entries)
    groups = [_group(s, members[s], entries, order) for s in sorted(members, key=_setting_order)]
    numbered = _numbered(groups)
    files = tuple(group for group in numbered if not group.setting.reference)
    references = tuple(group for group in numbered if group.setting.reference)
    return Grouping(files, tuple(foreign), references, tuple(order))


def _numbered(groups: Sequence[Group]) -> list[Group]:
    numbered, start = [], 1
    for group in groups:
        timings = (replace(t, mark=f"m{start + i}") for i, t in enumerate(group.timings))
        numbered.append(replace(group, timings=tuple(timings)))
        start += len(group.timings)
    return numbered


def _entries(data: ReportData) -> dict[str, ArtifactEntry]:
    """Artifacts by their sha256, and the first of every network by that of its weights."""
    entries = {entry.artifact.sha256: entry for entry in data.artifacts}
    for entry in data.artifacts:
        if entry.origin is not None:
            entries.setdefault(entry.origin.weights_sha256, entry)
    return entries


def _identity(measurement: Measurement) -> tuple[str, str, str]:
    """What a measurement claims to be of, whatever the content was."""
    return measurement.artifact, measurement.model, measurement.format


def _split(
    data: ReportData, entries: Mapping[str, ArtifactEntry]
) -> tuple[list[Measurement], list[Measurement]]:
    """Those of the report's files and of others, and those of an earlier content of either."""
    own: set[tuple[str, str, str]] = {
        (e.name, e.artifact.model, e.artifact.format) for e in data.artifacts
    }
    own |= {(e.artifact.model, e.artifact.model, "pytorch") for e in data.artifacts if e.origin}
    newest = {_identity(m): m.subject for m in _by_time(data.measurements)}
    known: list[Measurement] = []
    foreign: list[Measurement] = []
    for measurement in data.measurements:
        subject, identity = measurement.subject, _identity(measurement)
        other = identity not in own and newest[identity] == subject
        (known if subject in entries or other else foreign).append(measurement)
    return known, foreign


def _by_time(measurements: Iterable[Measurement]) -> list[Measurement]:
    return sorted(measurements, key=lambda m: m.measured_at)


def _device_names(measurements: Iterable[Measurement]) -> Mapping[tuple[str, ...], str]:
    """A name for every device, with its serial where another of the provenance has that name too."""
    devices = dict.fromkeys(_device_key(m.provenance, m.device) for m in measurements)
    uses = Counter((provenance, name) for provenance, name, _, _ in devices)
    return {
        key: key[1] if uses[key[0], key[1]] == 1 else f"{key[1]} {key[3]}".strip()
        for key in devices
    }


def _device_key(provenance: Provenance, device: DeviceInfo) -> tuple[str, str, str, str]:
    return provenance, device.name, device.cpu, device.serial


def _setting_of(measurement: Measurement, names: Mapping[tuple[str, ...], str]) -> Setting:
    device, plan = measurement.device, measurement.plan
    name = names[_device_key(measurement.provenance, device)]
    is_cpu = plan.accelerator == "cpu"
    return Setting(
        measurement.provenance,
        name,
        device.cpu,
        plan.threads if is_cpu else 0,
        reference=plan.reference is not None,
        cores=plan.cores if is_cpu else "none",
        accelerator=plan.accelerator,
    )


def _setting_order(setting: Setting) -> tuple[object, ...]:
    rank = PROVENANCES.index(setting.provenance)
    how = (setting.accelerator, setting.threads, setting.cores)
    return setting.reference, rank, setting.device, setting.cpu, *how


def _subject_order(
    measurements: Iterable[Measurement], entries: Mapping[str, ArtifactEntry]
) -> Mapping[str, int]:
    """The place of every subject: the report's files in their order, then models by name."""
    bare = {
        m.subject: (m.model, m.format, m.recipe != "fp32", m.recipe, m.artifact)
        for m in measurements
        if m.subject not in entries
    }
    ordered = [*entries, *sorted(bare, key=lambda subject: bare[subject])]
    return {subject: place for place, subject in enumerate(ordered)}


def _group(
    setting: Setting,
    mine: Sequence[Measurement],
    entries: Mapping[str, ArtifactEntry],
    order: Mapping[str, int],
) -> Group:
    newest = {_row_key(measurement): measurement for measurement in _by_time(mine)}
    keys = sorted(newest, key=lambda key: (order[key[0]], key[1:]))
    timings = tuple(Timing(newest[key], entries.get(key[0])) for key in keys)
    return Group(setting, timings, older=len(mine) - len(newest))


def _row_key(measurement: Measurement) -> tuple[str, ...]:
    """What tells the rows of a group apart; one that failed says only in its plan what was asked."""
    plan, subject = measurement.plan, (measurement.subject, measurement.runner)
    if plan.reference is not None:
        reference = plan.reference
        place = f"{reference.execution} {reference.precision} {reference.memory_format}"
        return *subject, f"{place} {reference.batch:09}"
    kind = f"{plan.accelerator} {plan.xnnpack} {plan.sustained_s > 0}"
    return *subject, kind
