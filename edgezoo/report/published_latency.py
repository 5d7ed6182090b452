"""Published latencies beside measured ones: never in one column, each with the device's name.

The devices differ, and so do runtimes years apart; so no ratio is given. A published number stands
beside what was measured in the same way: processor or GPU, as many threads, as many bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgezoo.measurement import Provenance
from edgezoo.report.cells import latency_cell
from edgezoo.report.data import ReportData
from edgezoo.report.grouping import Grouping, Timing
from edgezoo.report.published import PublishedNumber, published_numbers, spell_keys
from edgezoo.report.table import Cell, Column, Table, fill, nothing, with_marks
from edgezoo.report.words import PROVENANCE_PLURALS, describe_threads

WORDS = (
    "What papers and their authors published, and what was measured here in the same way (processor "
    "or GPU, as many threads where the source names them, as many bits). The devices differ, and so "
    "do runtimes years apart: no ratio is given."
)


@dataclass(frozen=True, slots=True)
class _Row:
    model: str
    number: PublishedNumber
    timings: Mapping[str, Timing]


def published_latency_tables(
    data: ReportData, grouping: Grouping, provenance: Provenance
) -> tuple[Table, ...]:
    """One table for ``provenance``, or none where no measured network has a published latency."""
    groups = grouping.of(provenance)
    places = tuple(dict.fromkeys(group.setting.place for group in groups))
    measured = {t.measurement.model for group in groups for t in group.timings}
    rows = []
    for model in (model for model in data.models if model in measured):
        for number in published_numbers(data, model):
            if number.keys[0] == "latency_ms" and isinstance(number.value, (int, float)):
                rows.append(_row(model, number, grouping, provenance))
    if not rows:
        return ()
    caption = f"Published latency, and {PROVENANCE_PLURALS[provenance].lower()} measured here"
    columns = [*COLUMNS, *(_device(place) for place in places)]
    return (fill(caption, columns, rows, words=WORDS),)


def _row(model: str, number: PublishedNumber, grouping: Grouping, provenance: Provenance) -> _Row:
    """The best fit on each device: the threads of the source, else the fewest; a number if any."""
    found: dict[str, list[Timing]] = {}
    for group in grouping.of(provenance):
        for timing in group.timings:
            if timing.measurement.model == model and _fits(timing, number.keys):
                found.setdefault(group.setting.place, []).append(timing)
    return _Row(model, number, {place: min(some, key=_rank) for place, some in found.items()})


def _fits(timing: Timing, keys: tuple[str, ...]) -> bool:
    """Whether it was run as the published number's name says: ``pixel4_cpu_4_threads_int8``."""
    words = "_".join(keys[1:])
    tokens, way = set(words.split("_")), timing.way
    wanted = "w8a8" if "int8" in tokens else "fp16" if "fp16" in tokens else "fp32"
    threads = re.search(r"(\d+)_threads?", words)
    one_core = re.search(r"_(big|little)_core(_|$)", words) is not None
    on_gpu = "gpu" in tokens
    return (
        timing.measurement.recipe == wanted
        and way.accelerator == ("gpu" if on_gpu else "cpu")
        and not way.sustained_s
        and (threads is None or way.threads == int(threads[1]))
        and (not one_core or way.threads == 1)
    )


def _rank(timing: Timing) -> tuple[bool, bool, bool, int]:
    no_number = timing.shown_latency_ms is None
    return no_number, bool(timing.doubt), timing.measurement.format != "tflite", timing.way.threads


def _device(place: str) -> Column[_Row]:
    def found(row: _Row) -> Cell:
        timing = row.timings.get(place)
        if timing is None:
            return nothing("not measured in this way")
        shown = latency_cell(timing)
        threads = describe_threads(timing.way.threads)
        on_cpu = timing.way.accelerator == "cpu"
        note = " · ".join(part for part in (shown.note, threads if on_cpu else "") if part)
        cell = replace(shown, note=note, hint=f"{timing.name}; {shown.hint}")
        return with_marks(cell, timing.mark)

    return Column(place, found, compact=True)


COLUMNS: tuple[Column[_Row], ...] = (
    Column("Network", lambda row: Cell(row.model), numeric=False),
    Column(
        "Published for",
        lambda row: Cell(spell_keys(row.number.keys[1:]) or "–", note=row.number.source_text),
        numeric=False,
        prose=True,
    ),
    Column("Published", lambda row: Cell(row.number.text)),
)
