"""The tables as plain data, so that HTML and Markdown cannot disagree.

A column is a heading and a function from a row to a cell; a table is a tuple of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from edgezoo.report.data import ArtifactEntry, ReportData
from edgezoo.report.grouping import Group, Grouping, Timing
from edgezoo.report.numbers import (
    ABSENT,
    binomial_interval,
    decibels,
    images_per_second,
    mebibytes,
    megabytes,
    milliseconds,
    percent,
    relative_error,
    significant,
    times,
)
from edgezoo.report.words import (
    FLOAT_RECIPE,
    FORMAT_NAMES,
    PROVENANCE_HEADINGS,
    REFERENCE_HEADINGS,
    describe_inputs,
    describe_setting,
    describe_status,
    float_sibling,
    float_timing,
    has_interval,
    speed_ratio,
)

Tone = Literal["", "good", "warn", "bad", "muted"]


@dataclass(frozen=True, slots=True)
class Cell:
    """``text``, the ``doubt`` about it in a word, a smaller line ``note``, an explanation ``hint``,
    the sources' ``marks``.
    """

    text: str
    doubt: str = ""
    note: str = ""
    hint: str = ""
    tone: Tone = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One artifact, with its timing in ``group`` where it has one."""

    entry: ArtifactEntry
    mark: str
    float_bytes: int | None
    timing: Timing | None = None
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and what stands under it."""

    heading: str
    cell: Callable[[Row], Cell]
    numeric: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under their columns; the first column names the row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


def mark_artifacts(data: ReportData) -> dict[str, str]:
    """File name to its mark (a1, a2, …) in the provenance list."""
    return {entry.name: f"a{index}" for index, entry in enumerate(data.artifacts, start=1)}


def file_table(data: ReportData) -> Table:
    """Size and accuracy of every artifact; nothing that depends on a device."""
    rows = [_row(entry, data) for entry in data.artifacts]
    return _fill("Files: size and difference from PyTorch", FILE_COLUMNS, rows)


def group_table(group: Group, grouping: Grouping, data: ReportData) -> Table:
    """What was measured in ``group``; with the files' own columns if it is the only group."""
    caption = f"{PROVENANCE_HEADINGS[group.setting.provenance]}: {describe_setting(group.setting)}"
    if len(grouping.groups) > 1:
        rows = [_row(timing.entry, data, timing, group) for timing in group.timings]
        return _fill(caption, TIMING_COLUMNS, rows)
    rows = []
    for entry in data.artifacts:
        timings = [timing for timing in group.timings if timing.entry is entry]
        rows += [_row(entry, data, timing, group) for timing in timings] or [_row(entry, data)]
    return _fill(caption, FULL_COLUMNS, rows)


def reference_table(group: Group, data: ReportData) -> Table:
    """The reference runs of ``group``, latency and throughput apart."""
    heading = REFERENCE_HEADINGS[group.setting.provenance]
    rows = [_row(timing.entry, data, timing, group) for timing in group.timings]
    return _fill(f"{heading}: {describe_setting(group.setting)}", REFERENCE_COLUMNS, rows)


def result_tables(data: ReportData, grouping: Grouping) -> list[Table]:
    """One full table for one group; for none or several the files, then one table per group.

    Reference runs follow.
    """
    timings = [group_table(group, grouping, data) for group in grouping.groups]
    references = [reference_table(group, data) for group in grouping.references]
    return [*([] if len(timings) == 1 else [file_table(data)]), *timings, *references]


def _fill(caption: str, columns: tuple[Column, ...], rows: list[Row]) -> Table:
    return Table(caption, columns, tuple(tuple(c.cell(row) for c in columns) for row in rows))


def _row(
    entry: ArtifactEntry,
    data: ReportData,
    timing: Timing | None = None,
    group: Group | None = None,
) -> Row:
    sibling = float_sibling(entry, data.artifacts)
    return Row(
        entry=entry,
        mark=mark_artifacts(data)[entry.name],
        float_bytes=sibling.artifact.bytes if sibling else None,
        timing=timing,
        group=group,
    )


# ------------------------------------------------------------------- cells of the files


def _artifact(row: Row) -> Cell:
    marks = (row.mark, row.timing.mark) if row.timing else (row.mark,)
    return Cell(row.entry.name, hint=f"sha256 {row.entry.artifact.sha256}", marks=marks)


def _format(row: Row) -> Cell:
    return Cell(FORMAT_NAMES[row.entry.artifact.format])


def _recipe(row: Row) -> Cell:
    return Cell(row.entry.artifact.recipe)


def _size(row: Row) -> Cell:
    size_bytes = row.entry.artifact.bytes
    hint = f"{size_bytes:,} bytes on disk"
    if not row.float_bytes or row.entry.artifact.recipe == FLOAT_RECIPE:
        return Cell(megabytes(size_bytes), hint=hint)
    share = percent(size_bytes / row.float_bytes)
    return Cell(megabytes(size_bytes), note=share, hint=hint)


def _sqnr(row: Row) -> Cell:
    comparison = row.entry.artifact.comparison
    hint = f"signal to error over all logits, {describe_inputs(comparison)}"
    return Cell(decibels(comparison.sqnr_db), hint=hint)


def _max_rel(row: Row) -> Cell:
    comparison = row.entry.artifact.comparison
    hint = (
        f"largest difference {significant(comparison.max_abs)} over the largest logit, "
        f"{describe_inputs(comparison)}"
    )
    return Cell(relative_error(comparison.max_rel), hint=hint)


def _top1(row: Row) -> Cell:
    comparison = row.entry.artifact.comparison
    text, hint = percent(comparison.top1_agreement), describe_inputs(comparison)
    if comparison.samples > 0:
        low, high = binomial_interval(comparison.top1_agreement, comparison.samples)
        hint += f"; 95 % interval {percent(low)} to {percent(high)}"
    return Cell(text, note=f"n = {comparison.samples}", hint=hint)


def _partitions(row: Row) -> Cell:
    if row.entry.partitions is None:
        return Cell(ABSENT, tone="muted", hint="XNNPACK partitions are counted in TFLite files")
    tone: Tone = "" if row.entry.partitions == 1 else "warn"
    hint = "1 means that XNNPACK takes the whole graph"
    return Cell(str(row.entry.partitions), tone=tone, hint=hint)


# ----------------------------------------------------------------- cells of the timings


def _latency(row: Row) -> Cell:
    if row.timing is None:
        return Cell("not measured", tone="muted")
    measurement, latency = row.timing.measurement, row.timing.shown_latency_ms
    if latency is None:
        tone: Tone = "bad" if measurement.status == "failed" else "warn"
        return Cell(measurement.status, tone=tone, hint=describe_status(row.timing))
    samples = sum(len(process.wall_ms) for process in measurement.processes)
    hint = (
        f"median of {len(measurement.processes)} process medians, {samples} raw samples, "
        f"{measurement.runner} {measurement.runner_version}"
    )
    note = "no interval"
    if has_interval(latency):
        note = "–".join(significant(bound) for bound in latency.interval)
    return _measured(row.timing, milliseconds(latency.median), hint, note)


def _measured(timing: Timing, text: str, hint: str, note: str = "") -> Cell:
    """A number of ``timing``, with its doubt if there is one."""
    if not timing.doubt:
        return Cell(text, note=note, hint=hint)
    hint = f"{hint}; {describe_status(timing)}"
    return Cell(text, doubt=timing.doubt, note=note, hint=hint, tone="muted")


def _speed(row: Row) -> Cell:
    ratio = speed_ratio(row.timing, row.group) if row.timing and row.group else None
    if ratio is None:
        hint = _why_no_ratio(row.timing, row.group) if row.timing and row.group else ""
        return Cell(ABSENT, hint=hint, tone="muted")
    if ratio.distinct is False:
        return Cell("same", hint="the two 95 % intervals overlap", tone="muted")
    faster = ratio.ratio >= 1
    text = times(ratio.ratio if faster else 1 / ratio.ratio)
    return Cell(text, note="faster" if faster else "slower")


def _why_no_ratio(timing: Timing, group: Group) -> str:
    other = float_timing(timing, group)
    if other is None:
        return ""
    doubts = {t.entry.artifact.recipe: t.doubt for t in (timing, other) if t.doubt}
    words = " and ".join(f"{recipe} is {doubt}" for recipe, doubt in doubts.items())
    return f"not compared: {words}" if words else ""


def _p90(row: Row) -> Cell:
    if row.timing is None or row.timing.shown_latency_ms is None:
        return Cell(ABSENT, tone="muted")
    p90_ms = row.timing.shown_latency_ms.p90
    if p90_ms is None:
        return Cell(ABSENT, tone="muted", hint="this runner keeps no samples")
    return _measured(row.timing, milliseconds(p90_ms), "90th percentile of all samples")


def _memory(row: Row) -> Cell:
    if row.timing is None or row.timing.shown_latency_ms is None:
        return Cell(ABSENT, tone="muted")
    memory_mib = row.timing.measurement.peak_memory_mib
    if memory_mib is None:
        return Cell(ABSENT, tone="muted", hint="not recorded by this runner")
    hint = str(row.timing.measurement.delegate.get("memory", "peak of the measuring process"))
    return _measured(row.timing, mebibytes(memory_mib), hint)


def _status(row: Row) -> Cell:
    if row.timing is None:
        return Cell("not measured", tone="muted")
    measurement = row.timing.measurement
    tones: Mapping[str, Tone] = {"ok": "good", "failed": "bad"}
    return Cell(
        measurement.status,
        note=measurement.failure_class or "",
        hint="" if measurement.status == "ok" else describe_status(row.timing),
        tone=tones.get(measurement.status, "warn"),
    )


def _runner(row: Row) -> Cell:
    if row.timing is None:
        return Cell(ABSENT, tone="muted")
    measurement = row.timing.measurement
    requested = measurement.delegate.get("requested")
    return Cell(measurement.runner, note=str(requested) if requested else "")


# -------------------------------------------------------- cells of the reference runs


def _measured_model(row: Row) -> Cell:
    if row.timing is None:
        return Cell(row.entry.name)
    measurement = row.timing.measurement
    kind = "weights " if measurement.format == "pytorch" else ""
    hint = f"{kind}sha256 {measurement.artifact_sha256}"
    return Cell(measurement.artifact, hint=hint, marks=(row.timing.mark,))


def _setting(row: Row) -> Cell:
    reference = row.timing.measurement.plan.reference if row.timing else None
    return Cell(reference.label if reference else ABSENT)


def _throughput(row: Row) -> Cell:
    throughput = row.timing.measurement.throughput if row.timing else None
    if row.timing is None or throughput is None:
        return Cell(ABSENT, tone="muted")
    note = "–".join(significant(bound) for bound in throughput.interval)
    hint = "from runs back to back, apart from the latency"
    return _measured(row.timing, images_per_second(throughput), hint, note)


def _exactness(row: Row) -> Cell:
    found = row.timing.measurement.delegate.get("sqnr_db") if row.timing else None
    if not isinstance(found, (int, float)):
        return Cell(ABSENT, tone="muted")
    return Cell(decibels(found), hint="signal to error against float32 on the processor")


ARTIFACT = Column("Artifact", _artifact, numeric=False)
FORMAT = Column("Format", _format, numeric=False)
RECIPE = Column("Recipe", _recipe, numeric=False)
SIZE = Column("Size (of\u00a0fp32)", _size)
SQNR = Column("SQNR", _sqnr)
MAX_REL = Column("Max\u00a0rel. error", _max_rel)
TOP1 = Column("Top-1 agreement", _top1)
PARTITIONS = Column("XNNPACK partitions", _partitions)
RUNNER = Column("Runner", _runner, numeric=False)
LATENCY = Column("Latency, median", _latency)
SPEED = Column("Against fp32", _speed)
P90 = Column("Latency, p90", _p90)
MEMORY = Column("Peak memory", _memory)
STATUS = Column("Status", _status, numeric=False)
MODEL = Column("Network or file", _measured_model, numeric=False)
SETTING = Column("Setting", _setting, numeric=False)
THROUGHPUT = Column("Throughput", _throughput)
EXACTNESS = Column("SQNR", _exactness)

FILE_COLUMNS = (ARTIFACT, FORMAT, RECIPE, SIZE, SQNR, MAX_REL, TOP1, PARTITIONS)
TIMING_COLUMNS = (ARTIFACT, RECIPE, RUNNER, LATENCY, SPEED, P90, MEMORY, STATUS)
FULL_COLUMNS = (
    *(ARTIFACT, FORMAT, RECIPE, SIZE, LATENCY, SPEED, P90, MEMORY),
    *(SQNR, MAX_REL, TOP1, PARTITIONS, STATUS),
)
REFERENCE_COLUMNS = (MODEL, SETTING, LATENCY, P90, THROUGHPUT, MEMORY, EXACTNESS, STATUS)
