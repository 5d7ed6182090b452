"""The tables of files and of one group of measurements: their rows, columns and cells.

What several devices have in common is in ``side_by_side``, ``beside`` and ``published_latency``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgezoo.report import cells
from edgezoo.report.data import ArtifactEntry, ReportData
from edgezoo.report.grouping import Group, Grouping, Timing
from edgezoo.report.numbers import ABSENT
from edgezoo.report.table import NOTHING, Cell, Column, Table, fill, nothing
from edgezoo.report.words import (
    FORMAT_NAMES,
    PROVENANCE_HEADINGS,
    REFERENCE_HEADINGS,
    describe_setting,
    float_sibling,
)

NOT_MEASURED = Cell("not measured", tone="muted")


@dataclass(frozen=True, slots=True)
class Row:
    """One artifact, with its timing in ``group`` where it has one; without ``entry`` a file that
    only its measurement tells of.
    """

    entry: ArtifactEntry | None
    mark: str
    float_bytes: int | None
    timing: Timing | None = None
    group: Group | None = None


def mark_artifacts(data: ReportData) -> dict[str, str]:
    """File name to its mark (a1, a2, …) in the provenance list."""
    return {entry.name: f"a{index}" for index, entry in enumerate(data.artifacts, start=1)}


def file_table(data: ReportData) -> Table:
    """Size and accuracy of every artifact; nothing that depends on a device."""
    rows = [_row(data, entry) for entry in data.artifacts]
    return fill("Files: size and difference from PyTorch", FILE_COLUMNS, rows)


def group_table(group: Group, grouping: Grouping, data: ReportData) -> Table:
    """What was measured in ``group``; with the files' own columns if it is the only group."""
    caption = f"{PROVENANCE_HEADINGS[group.setting.provenance]}: {describe_setting(group.setting)}"
    if len(grouping.groups) > 1 or not data.artifacts:
        rows = [_row(data, timing.entry, timing, group) for timing in group.timings]
        return fill(caption, _with_energy(TIMING_COLUMNS, group), rows)
    rows = []
    for entry in data.artifacts:
        timings = [timing for timing in group.timings if timing.entry is entry]
        rows += [_row(data, entry, t, group) for t in timings] or [_row(data, entry)]
    rows += [_row(data, None, t, group) for t in group.timings if t.entry is None]
    return fill(caption, _with_energy(FULL_COLUMNS, group), rows)


def _with_energy(columns: Sequence[Column[Row]], group: Group) -> Sequence[Column[Row]]:
    """The columns of a group, with that of the energy where one was measured."""
    if all(timing.measurement.energy is None for timing in group.timings):
        return columns
    place = columns.index(MEMORY) + 1
    return (*columns[:place], ENERGY, *columns[place:])


def reference_table(group: Group, data: ReportData) -> Table:
    """The reference runs of ``group``, latency and throughput apart."""
    heading = REFERENCE_HEADINGS[group.setting.provenance]
    rows = [_row(data, timing.entry, timing, group) for timing in group.timings]
    return fill(f"{heading}: {describe_setting(group.setting)}", REFERENCE_COLUMNS, rows)


def result_tables(data: ReportData, grouping: Grouping) -> list[Table]:
    """One full table for one group; for none or several the files, then one table per group.

    Reference runs follow. Without a file there is no table of files.
    """
    timings = [group_table(group, grouping, data) for group in grouping.groups]
    references = [reference_table(group, data) for group in grouping.references]
    files = [file_table(data)] if data.artifacts and len(timings) != 1 else []
    return [*files, *timings, *references]


def _row(
    data: ReportData,
    entry: ArtifactEntry | None,
    timing: Timing | None = None,
    group: Group | None = None,
) -> Row:
    sibling = float_sibling(entry, data.artifacts) if entry else None
    return Row(
        entry=entry,
        mark=mark_artifacts(data)[entry.name] if entry else "",
        float_bytes=sibling.artifact.bytes if sibling else None,
        timing=timing,
        group=group,
    )


def _artifact(row: Row) -> Cell:
    marks = tuple(mark for mark in (row.mark, row.timing.mark if row.timing else "") if mark)
    if row.entry is not None:
        return Cell(row.entry.name, hint=f"sha256 {row.entry.artifact.sha256}", marks=marks)
    if row.timing is None:
        raise ValueError("a row is of a file or of a measurement")
    return Cell(
        row.timing.name, hint=f"sha256 {row.timing.measurement.artifact_sha256}", marks=marks
    )


def _format(row: Row) -> Cell:
    if row.entry is not None:
        return Cell(FORMAT_NAMES[row.entry.artifact.format])
    return Cell(FORMAT_NAMES[row.timing.measurement.format]) if row.timing else NOTHING


def _recipe(row: Row) -> Cell:
    if row.entry is not None:
        return Cell(row.entry.artifact.recipe)
    return Cell(row.timing.measurement.recipe) if row.timing else NOTHING


def _size(row: Row) -> Cell:
    return cells.size_cell(row.entry, row.float_bytes) if row.entry else _no_file()


def _of_file(cell: Callable[[ArtifactEntry], Cell]) -> Callable[[Row], Cell]:
    return lambda row: cell(row.entry) if row.entry else _no_file()


def _no_file() -> Cell:
    return nothing("the file is not in this report")


def _of_timing(cell: Callable[[Timing], Cell], absent: Cell = NOTHING) -> Callable[[Row], Cell]:
    return lambda row: cell(row.timing) if row.timing else absent


def _speed(row: Row) -> Cell:
    return cells.speed_cell(row.timing, row.group) if row.timing and row.group else NOTHING


def _measured_model(row: Row) -> Cell:
    if row.timing is None:
        return NOTHING
    measurement = row.timing.measurement
    kind = "weights " if measurement.format == "pytorch" else ""
    hint = f"{kind}sha256 {measurement.artifact_sha256}"
    return Cell(measurement.artifact, hint=hint, marks=(row.timing.mark,))


def _setting(row: Row) -> Cell:
    reference = row.timing.measurement.plan.reference if row.timing else None
    return Cell(reference.label if reference else ABSENT)


ARTIFACT = Column("Artifact", _artifact, numeric=False)
FORMAT = Column("Format", _format, numeric=False)
RECIPE = Column("Recipe", _recipe, numeric=False)
SIZE = Column("Size (of\u00a0fp32)", _size)
SQNR = Column("SQNR", _of_file(cells.sqnr_cell))
MAX_REL = Column("Max\u00a0rel. error", _of_file(cells.relative_error_cell))
TOP1 = Column("Top-1 agreement", _of_file(cells.agreement_cell))
PARTITIONS = Column("XNNPACK partitions", _of_file(cells.partitions_cell))
RUNNER = Column("Runner", _of_timing(cells.runner_cell), numeric=False)
LATENCY = Column("Latency, median", _of_timing(cells.latency_cell, NOT_MEASURED))
SPEED = Column("Against fp32", _speed)
P90 = Column("Latency, p90", _of_timing(cells.p90_cell))
MEMORY = Column("Peak memory", _of_timing(cells.memory_cell))
ENERGY = Column("Energy", _of_timing(cells.energy_cell))
STATUS = Column("Status", _of_timing(cells.status_cell, NOT_MEASURED), numeric=False)
MODEL = Column("Network or file", _measured_model, numeric=False)
SETTING = Column("Setting", _setting, numeric=False)
THROUGHPUT = Column("Throughput", _of_timing(cells.throughput_cell))
EXACTNESS = Column("SQNR", _of_timing(cells.exactness_cell))

FILE_COLUMNS = (ARTIFACT, FORMAT, RECIPE, SIZE, SQNR, MAX_REL, TOP1, PARTITIONS)
TIMING_COLUMNS = (ARTIFACT, RECIPE, RUNNER, LATENCY, SPEED, P90, MEMORY, STATUS)
FULL_COLUMNS = (
    *(ARTIFACT, FORMAT, RECIPE, SIZE, LATENCY, SPEED, P90, MEMORY),
    *(SQNR, MAX_REL, TOP1, PARTITIONS, STATUS),
)
REFERENCE_COLUMNS = (MODEL, SETTING, LATENCY, P90, THROUGHPUT, MEMORY, EXACTNESS, STATUS)
