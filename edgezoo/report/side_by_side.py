"""Devices side by side: what was run in one way on several devices of one provenance.

A table has a column per device and never two provenances; simulated phones have their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgezoo.measurement import Provenance
from edgezoo.report.cells import latency_cell
from edgezoo.report.grouping import Group, Grouping, Timing, Way
from edgezoo.report.table import Cell, Column, Table, fill, with_marks
from edgezoo.report.words import PROVENANCE_PLURALS, describe_way

NOT_MEASURED = Cell("not measured", tone="muted")


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file with its timing on each device (by the device's name)."""

    name: str
    subject: str
    timings: Mapping[str, Timing]


def side_by_side_tables(grouping: Grouping, provenance: Provenance) -> tuple[Table, ...]:
    """One table per way of running that two devices of ``provenance`` have in common."""
    tables = []
    for way, by_device in ways(grouping.of(provenance)).items():
        if len(by_device) > 1:
            heading = f"{PROVENANCE_PLURALS[provenance]} side by side: {describe_way(way)}"
            rows = file_rows(by_device, grouping)
            columns = [FILE, *(device_column(place, latency_cell) for place in by_device)]
            tables.append(fill(heading, columns, rows, title=describe_way(way)))
    return tuple(tables)


def ways(groups: tuple[Group, ...]) -> Mapping[Way, Mapping[str, tuple[Timing, ...]]]:
    """The timings by way and device, the devices in their order; processors before accelerators."""
    found: dict[Way, dict[str, tuple[Timing, ...]]] = {}
    for group in groups:
        for timing in group.timings:
            devices = found.setdefault(timing.way, {})
            place = group.setting.place
            devices[place] = (*devices.get(place, ()), timing)
    return {way: found[way] for way in sorted(found, key=_way_order)}


def _way_order(way: Way) -> tuple[object, ...]:
    return way.sustained_s, way.accelerator, not way.xnnpack, way.runner, way.threads, way.cores


def file_rows(
    by_device: Mapping[str, tuple[Timing, ...]], grouping: Grouping
) -> tuple[FileRow, ...]:
    """One row per file that any of the devices was given, in the report's order."""
    rows: dict[str, dict[str, Timing]] = {}
    for place, timings in by_device.items():
        for timing in timings:
            rows.setdefault(timing.measurement.subject, {})[place] = timing
    return tuple(
        FileRow(next(iter(rows[subject].values())).name, subject, rows[subject])
        for subject in grouping.subjects
        if subject in rows
    )


def device_column(place: str, cell: Callable[[Timing], Cell]) -> Column[FileRow]:
    """A column of one device: ``cell`` of its timing, with the mark of the source."""

    def found(row: FileRow) -> Cell:
        timing = row.timings.get(place)
        return with_marks(cell(timing), timing.mark) if timing else NOT_MEASURED

    return Column(place, found, compact=True)


FILE: Column[FileRow] = Column("File", lambda row: Cell(row.name, hint=row.subject), numeric=False)
