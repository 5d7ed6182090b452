"""What gave no number: class, what happened and the next step, by device.

Jobs of one device that failed alike share a row, so that an unplugged phone is one line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from edgezoo.report.data import ReportData
from edgezoo.report.grouping import Grouping, Timing, without_number
from edgezoo.report.numbers import ABSENT
from edgezoo.report.table import Cell, Column, Table, fill
from edgezoo.report.words import describe_failure, describe_way

NAMED = 4  # jobs that a row names; their marks lead to the others


@dataclass(frozen=True, slots=True)
class _Failure:
    """Jobs that ended alike: all with the same words, but for the file's name."""

    timings: tuple[Timing, ...]
    failure_class: str
    happened: str
    next_step: str


def failure_tables(data: ReportData, grouping: Grouping) -> tuple[Table, ...]:
    """One table per device that has failures, the commonest class first."""
    members: dict[str, list[Timing]] = {}
    for group in (*grouping.groups, *grouping.references):
        members.setdefault(group.setting.place, []).extend(group.timings)
    tables = []
    for place, timings in members.items():
        bad = without_number(timings)
        if bad:
            words = f"{len(bad)} of {len(timings)} measurements: {_summary(bad)}."
            rows, caption = _failures(bad, data.advice), f"Without a number on {place}"
            tables.append(fill(caption, COLUMNS, rows, words=words, title=place))
    return tuple(tables)


def _summary(bad: tuple[Timing, ...]) -> str:
    counts = Counter(timing.failure_class or timing.status for timing in bad)
    return ", ".join(f"{number} {name}" for name, number in counts.most_common())


def _failures(bad: tuple[Timing, ...], advice: Mapping[str, str]) -> list[_Failure]:
    alike: dict[tuple[str, str, str], list[Timing]] = {}
    for timing in bad:
        name = timing.failure_class
        step = advice.get(name, "")
        alike.setdefault((name, _happened(timing, step), step), []).append(timing)
    found = [_Failure(tuple(timings), *key) for key, timings in alike.items()]
    counts = Counter(timing.failure_class for timing in bad)
    return sorted(found, key=lambda f: (-counts[f.failure_class], f.failure_class, -len(f.timings)))


def _happened(timing: Timing, step: str) -> str:
    """The message without the file's name in front and without the advice behind."""
    message = describe_failure(timing).removeprefix(f"{timing.measurement.artifact} ")
    message = message.removesuffix(".").removesuffix(step).rstrip("; .")
    return f"{message[:1].upper()}{message[1:]}." if message else ABSENT


def _jobs(failure: _Failure) -> Cell:
    first, *others = failure.timings
    marks = tuple(timing.mark for timing in failure.timings[:NAMED])
    names = ", ".join(timing.name for timing in others[: NAMED - 1])
    more = f" and {len(others) - NAMED + 1} more" if len(others) > NAMED - 1 else ""
    hint = ", ".join(timing.name for timing in failure.timings)
    return Cell(first.name, note=f"{names}{more}", hint=hint, marks=marks)


def _ways(failure: _Failure) -> Cell:
    ways = list(dict.fromkeys(describe_way(timing.way) for timing in failure.timings))
    more = f"and {len(ways) - 1} more" if len(ways) > 1 else ""
    return Cell(ways[0], note=more, hint="; ".join(ways))


def _class(failure: _Failure) -> Cell:
    number = len(failure.timings)
    name = failure.failure_class or failure.timings[0].status
    return Cell(name, note=f"{number} jobs" if number > 1 else "", tone="bad")


def _step(failure: _Failure) -> Cell:
    step = failure.next_step
    return Cell(f"{step[:1].upper()}{step[1:]}." if step else ABSENT)


COLUMNS: tuple[Column[_Failure], ...] = (
    Column("Job", _jobs, numeric=False),
    Column("How", _ways, numeric=False),
    Column("Class", _class, numeric=False),
    Column("What happened", lambda failure: Cell(failure.happened), numeric=False, prose=True),
    Column("Next step", _step, numeric=False, prose=True),
)
