"""Per-operator tables of benchmark_model (``--enable_op_profiling=true``), as text or CSV.

Two groups, initialization and the regular runs, each with three sections: Run Order, Top by
Computation Time, Summary by node type. Columns are found by their names, because old versions have
``[start]`` and new ones do not. Names of operators hold spaces and commas ("Convolution (NHWC, F32)
IGEMM") and the CSV does not quote them, so its rows are read from the numbers outwards. Source of
the layout: tsl/util/stats_calculator.cc.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from edgezoo.devices.runners.benchmark_timing import RunStatistics, parse_statistics
from edgezoo.devices.runners.log_lines import NUMBER, lines

MOST_GROUPS = 16
MOST_ROWS = 20_000  # of one section

Phase = Literal["initialization", "runs"]


@dataclass(frozen=True, slots=True)
class OpTiming:
    """One executed node: times in milliseconds, memory in KiB, shares in percent of the group.

    ``times_called`` is per run; ``avg_ms`` is over all runs. ``start_ms`` only in old versions.
    """

    node_type: str
    name: str
    first_ms: float
    avg_ms: float
    percent: float
    cumulative_percent: float
    memory_kib: float
    times_called: int
    start_ms: float | None = None


@dataclass(frozen=True, slots=True)
class TypeTiming:
    """All nodes of one type; ``avg_ms`` is their sum, averaged over runs."""

    node_type: str
    count: int
    avg_ms: float
    percent: float
    cumulative_percent: float
    memory_kib: float
    times_called: int


@dataclass(frozen=True, slots=True)
class Profile:
    """One group of tables; ``complete`` tells that its last line ("N nodes observed") was read."""

    phase: Phase
    run_order: tuple[OpTiming, ...]
    by_time: tuple[OpTiming, ...]
    by_type: tuple[TypeTiming, ...]
    total: RunStatistics | None
    nodes_observed: int | None

    @property
    def complete(self) -> bool:
        """Whether all nodes that the tool saw are in the table."""
        return self.nodes_observed is not None and self.nodes_observed == len(self.run_order)


@dataclass(slots=True)
class _Group:
    phase: Phase
    sections: dict[str, list[OpTiming | TypeTiming]] = field(default_factory=dict)
    total: RunStatistics | None = None
    nodes_observed: int | None = None


_GROUP = re.compile(r"(?:Operator-wise )?Profiling Info for (.{1,80}):")
_SECTION = re.compile(r"=+ (Run Order|Top by Computation Time|Summary by node type) =+")
_OBSERVED = re.compile(r"(\d{1,9}) nodes observed")
_NONE: tuple[str, ...] = ()
_TOTAL = "Timings (microseconds): "

# The tool's column names, in the text form and in the CSV, as fields of the rows above.
_COLUMNS = {
    "node type": "node_type",
    "start": "start_ms",
    "first": "first_ms",
    "avg ms": "avg_ms",
    "avg_ms": "avg_ms",
    "%": "percent",
    "avg %": "percent",
    "cdf%": "cumulative_percent",
    "cdf %": "cumulative_percent",
    "mem kb": "memory_kib",
    "times called": "times_called",
    "count": "count",
    "name": "name",
}
_TEXTS = ("node_type", "name")
_INTEGERS = ("count", "times_called")
_NUMBERS = {"avg_ms", "percent", "cumulative_percent", "memory_kib", "times_called"}
_OP_COLUMNS = _NUMBERS | {"node_type", "name", "first_ms"}
_TYPE_COLUMNS = _NUMBERS | {"node_type", "count"}


def parse_profiles(data: bytes) -> tuple[Profile, ...]:
    """Return the groups of tables in a log or a CSV file, in their order; never raises.

    Rows that cannot be read are left out, which shows in ``complete``.
    """
    groups: list[_Group] = []
    section, columns = "", _NONE
    for line in lines(data):
        text = line.text.rstrip()
        if (found := _GROUP.fullmatch(text)) is not None:
            if len(groups) == MOST_GROUPS:
                break
            groups.append(_Group("initialization" if "Init" in found[1] else "runs"))
            section, columns = "", _NONE
        elif (found := _SECTION.fullmatch(text)) is not None:
            section, columns = found[1], _NONE
            if not groups or section in groups[-1].sections:  # old versions name no group
                groups.append(_Group("runs"))
            groups[-1].sections[section] = []
        elif not text:
            section, columns = "", _NONE
        elif section and not columns:
            columns = _columns(text)
        elif section:
            _add_row(groups[-1].sections[section], columns, text)
        elif groups:
            _read_end(groups[-1], text)
    return tuple(_profile(group) for group in groups[:MOST_GROUPS])


def _profile(group: _Group) -> Profile:
    def ops(section: str) -> tuple[OpTiming, ...]:
        rows = group.sections.get(section, ())
        return tuple(row for row in rows if isinstance(row, OpTiming))

    types = group.sections.get("Summary by node type", ())
    return Profile(
        phase=group.phase,
        run_order=ops("Run Order"),
        by_time=ops("Top by Computation Time"),
        by_type=tuple(row for row in types if isinstance(row, TypeTiming)),
        total=group.total,
        nodes_observed=group.nodes_observed,
    )


def _read_end(group: _Group, text: str) -> None:
    if text.startswith(_TOTAL):
        group.total = parse_statistics(text.removeprefix(_TOTAL))
    elif (found := _OBSERVED.fullmatch(text)) is not None:
        group.nodes_observed = int(found[1])


def _columns(text: str) -> tuple[str, ...]:
    """Return the fields of a header line; empty where one of its columns is unknown."""
    names = text.split("\t") if "\t" in text else text.split(", ")
    stripped = [name.strip().strip("[]").lower() for name in names]
    fields = tuple(_COLUMNS.get(name, "") for name in stripped if name)
    wanted = _OP_COLUMNS if "name" in fields else _TYPE_COLUMNS
    known = set(fields) - {"start_ms"} == wanted and len(set(fields)) == len(fields)
    return fields if known else ("",)  # not empty: the rows after it are not a header


def _add_row(rows: list[OpTiming | TypeTiming], columns: Sequence[str], text: str) -> None:
    if columns == ("",) or len(rows) == MOST_ROWS:
        return
    cells = _text_cells(columns, text) if text.startswith("\t") else _csv_cells(columns, text)
    if cells is None:
        return
    named: dict[str, Any] = dict(zip(columns, cells, strict=True))  # Any: becomes a row's fields
    for name, text in named.items():
        if name in _INTEGERS and re.fullmatch(r"\d{1,15}", text):
            named[name] = int(text)
        elif name not in (*_TEXTS, *_INTEGERS) and re.fullmatch(NUMBER, text):
            named[name] = float(text)
        elif name not in _TEXTS:
            return
    rows.append(OpTiming(**named) if "name" in named else TypeTiming(**named))


def _text_cells(columns: Sequence[str], text: str) -> list[str] | None:
    cells = [cell.strip() for cell in text.split("\t")[1:]]
    if len(cells) > len(columns):  # a name may hold a tab, and stands last
        cells[len(columns) - 1 :] = [" ".join(cells[len(columns) - 1 :])]
    return [cell.rstrip("%") for cell in cells] if len(cells) == len(columns) else None


def _csv_cells(columns: Sequence[str], text: str) -> list[str] | None:
    """Return the cells of an unquoted row: the numbers in its middle, texts on either side."""
    numbers = [name for name in columns if name not in _TEXTS]
    pattern = (
        "(.+)" + rf", ({NUMBER})%?" * len(numbers) + ("(?:, (.*))" if columns[-1] == "name" else "")
    )
    found = re.fullmatch(pattern, text)
    if found is None:
        return None
    return [(cell or "").replace("\t", ",") for cell in found.groups()]
