"""Phones beside a computer and beside a GPU reference: tables of their own, a column per device.

A ratio is printed only where the same was done on both: the same file on as many threads of a
processor, or the same network in float32, one image at a time. It compares two machines, not files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from edgezoo.measurement import Provenance
from edgezoo.report.cells import latency_cell
from edgezoo.report.grouping import Group, Grouping, Timing, Way
from edgezoo.report.numbers import times
from edgezoo.report.side_by_side import FILE, FileRow, device_column, file_rows, ways
from edgezoo.report.table import Cell, Column, Table, fill, with_marks
from edgezoo.report.words import FLOAT_RECIPE, PROVENANCE_PLURALS, describe_way

HOST_WORDS = "The same files on as many threads."
HOST_RATIO = (
    "× is the latency there over the computer's; it compares two machines on this file, and another "
    "file may give another ratio."
)
GPU_WORDS = (
    "The reference is the whole network in PyTorch, or its ONNX file, one image at a time in fp32, "
    "run in the fastest way that was measured; the phones ran the float files."
)
GPU_RATIO = "× is the latency there over the GPU's."
NO_GPU_RATIO = "No ratio: an accelerator of a phone may round to fp16, which the reference did not."
NO_RATIO = "No ratio: a simulated phone has no speed of its own."


@dataclass(frozen=True, slots=True)
class _Reference:
    """What stands in the first column of numbers: a timing per file."""

    heading: str
    timings: Mapping[str, Timing]
    comparable: bool

    def cell(self, row: FileRow) -> Cell:
        timing = self.timings[row.subject]
        cell = latency_cell(timing)
        setting = timing.measurement.plan.reference
        if setting is not None and timing.shown_latency_ms:
            cell = replace(cell, note=f"{cell.note} · {setting.execution}")
        return with_marks(cell, timing.mark)

    def compared(self, timing: Timing) -> Cell:
        """The latency of ``timing``, with its ratio to the reference where that says something."""
        cell, reference = latency_cell(timing), self.timings[timing.measurement.subject]
        mine, theirs = timing.trusted_latency_ms, reference.trusted_latency_ms
        if mine is None or theirs is None or theirs.median <= 0 or not self.comparable:
            return cell
        return replace(cell, note=f"{cell.note} · {times(mine.median / theirs.median)}")


def beside_tables(grouping: Grouping, provenance: Provenance) -> tuple[Table, ...]:
    """Phones of ``provenance`` against every computer and every GPU that shares a file with them."""
    found = ways(grouping.of(provenance))
    gpus = [group for group in grouping.references if group.setting.provenance == "gpu"]
    tables = [
        *(t for group in grouping.of("host") for t in _host_tables(group, found, grouping)),
        *(t for group in gpus for t in _gpu_tables(group, found, grouping)),
    ]
    plural = PROVENANCE_PLURALS[provenance]
    return tuple(
        replace(table, caption=f"{plural} {table.caption}", title=_capital(table.caption))
        for table in tables
    )


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


Found = Mapping[Way, Mapping[str, tuple[Timing, ...]]]


def _host_tables(group: Group, found: Found, grouping: Grouping) -> Iterator[Table]:
    timings = {t.measurement.subject: t for t in group.timings if not t.way.sustained_s}
    for way, by_device in found.items():
        alike = way.accelerator == "cpu" and way.threads == group.setting.threads
        if alike and not way.sustained_s:
            real = not _is_simulated(by_device)
            reference = _Reference(f"{group.setting.place} (computer)", timings, real)
            words = f"{HOST_WORDS} {HOST_RATIO if real else NO_RATIO}"
            caption = f"beside the computer {group.setting.place}: {describe_way(way)}"
            yield from _table(caption, words, reference, by_device, grouping)


def _gpu_tables(group: Group, found: Found, grouping: Grouping) -> Iterator[Table]:
    fastest = _fastest(group)
    for way, by_device in found.items():
        measured = [t.measurement for timings in by_device.values() for t in timings]
        floats = {m.subject: m.model for m in measured if m.recipe == FLOAT_RECIPE}
        timings = {subject: fastest[model] for subject, model in floats.items() if model in fastest}
        if not way.sustained_s:
            real, on_cpu = not _is_simulated(by_device), way.accelerator == "cpu"
            reference = _Reference(f"{group.setting.place} (GPU)", timings, real and on_cpu)
            why = GPU_RATIO if on_cpu else NO_GPU_RATIO
            words = f"{GPU_WORDS} {why if real else NO_RATIO}"
            caption = f"beside the GPU reference {group.setting.place}: {describe_way(way)}"
            yield from _table(caption, words, reference, by_device, grouping)


def _is_simulated(by_device: Mapping[str, tuple[Timing, ...]]) -> bool:
    first = next(iter(by_device.values()))
    return first[0].measurement.provenance == "simulated"


def _fastest(group: Group) -> Mapping[str, Timing]:
    """The fastest trusted fp32 row of one image, by network."""
    found: dict[str, tuple[float, Timing]] = {}
    for timing in group.timings:
        setting, latency = timing.measurement.plan.reference, timing.trusted_latency_ms
        if setting is None or latency is None or timing.measurement.recipe != FLOAT_RECIPE:
            continue
        if (setting.precision, setting.batch) != ("fp32", 1):
            continue
        model = timing.measurement.model
        if model not in found or latency.median < found[model][0]:
            found[model] = (latency.median, timing)
    return {model: timing for model, (_, timing) in found.items()}


def _table(
    caption: str,
    words: str,
    reference: _Reference,
    by_device: Mapping[str, tuple[Timing, ...]],
    grouping: Grouping,
) -> Iterator[Table]:
    rows = [r for r in file_rows(by_device, grouping) if r.subject in reference.timings]
    if rows:
        columns = [
            *(FILE, Column(reference.heading, reference.cell, compact=True)),
            *(device_column(place, reference.compared) for place in by_device),
        ]
        yield fill(caption, columns, rows, words=words)
