"""The timing statements of a benchmark_model log: when they make a number, and when not.

A number needs, in this order and nothing else: header, statistics (warm-up), header, statistics
(timed), summary; and all of them have to agree. The statistics are microseconds; the tool prints
averages with six digits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgezoo.devices.failures import Failure
from edgezoo.devices.runners.log_lines import NUMBER

SHORTEST_US = 1.0  # the tool's clock ticks in microseconds; less was never run
LONGEST_US = 1e10  # nearly three hours for one inference
SIX_DIGITS = 1e-5  # relative error of an average as printed


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """Statistics of one phase in microseconds, as the tool names them.

    ``curr`` is the last run; ``std`` is the population's, cut to an integer; the percentiles are
    samples (no interpolation) and ``None`` in old versions.
    """

    count: int
    first_us: float
    curr_us: float
    min_us: float
    max_us: float
    avg_us: float
    std_us: float
    p5_us: float | None = None
    median_us: float | None = None
    p95_us: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The line after the last run; ``first_us`` is ``None`` in old versions."""

    init_us: float
    first_us: float | None
    warmup_us: float
    inference_us: float


@dataclass(frozen=True, slots=True)
class Event:
    """One timing statement, in the order printed; ``value`` is ``None`` for a header."""

    kind: Literal["header", "statistics", "summary"]
    value: RunStatistics | Summary | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """What the statements amount to; see ``benchmark_log.BenchmarkLog``."""

    complete: bool
    problem: Failure | None
    timed: RunStatistics | None
    warmup: RunStatistics | None
    init_us: float | None
    first_us: float | None


_HEADER = re.compile(
    rf"Running benchmark for (?:at least )?-?\d{{1,10}} iterations"
    rf"(?: and at least {NUMBER} seconds(?: but terminate if exceeding {NUMBER} seconds)?)?[.:]?"
)
_STATISTICS = re.compile(
    rf"count=(?P<count>\d{{1,10}})"
    rf"(?:(?: first=(?P<first>{NUMBER}))? curr=(?P<curr>{NUMBER}) ?(?:\(all same\))?)?"
    rf"(?: min=(?P<min>{NUMBER}) max=(?P<max>{NUMBER}) avg=(?P<avg>{NUMBER}) std=(?P<std>{NUMBER}))?"
    rf"(?: p5=(?P<p5>{NUMBER}) median=(?P<median>{NUMBER}) p95=(?P<p95>{NUMBER}))?"
)
_SUMMARY = re.compile(
    rf"Inference timings in us: Init: ({NUMBER}), First inference: ({NUMBER}), "
    rf"Warmup \(avg\): ({NUMBER}), Inference \(avg\): ({NUMBER})"
)
_OLD_SUMMARY = re.compile(
    rf"Average inference timings in us: Warmup: ({NUMBER}), Init: ({NUMBER}), "
    rf"(?:[Ww]ith stats|no stats|Inference): ({NUMBER})"
)


def timing_event(text: str) -> Event | None:
    """Return the timing statement that a line is as a whole, or ``None``."""
    text = text.strip()
    if text.startswith("Running benchmark"):
        return Event("header") if _HEADER.fullmatch(text) else None
    if text.startswith("count="):
        found = _STATISTICS.fullmatch(text)
        return None if found is None else Event("statistics", run_statistics(found))
    if (found := _SUMMARY.fullmatch(text)) is not None:
        init, first, warmup, inference = map(float, found.groups())
        return Event("summary", Summary(init, first, warmup, inference))
    if (found := _OLD_SUMMARY.fullmatch(text)) is not None:
        warmup, init, inference = map(float, found.groups())
        return Event("summary", Summary(init, None, warmup, inference))
    return None


def parse_statistics(text: str) -> RunStatistics | None:
    """Return the statistics in "count=3 first=…", or ``None``; nothing is checked."""
    found = _STATISTICS.fullmatch(text.strip())
    return None if found is None else run_statistics(found)


def run_statistics(found: re.Match[str]) -> RunStatistics:
    """Return the three forms (none run, all alike, the rest) as one."""
    curr = float(found["curr"] or 0)

    def value(name: str) -> float:
        return curr if found[name] is None else float(found[name])

    def percentile(name: str) -> float | None:
        return None if found[name] is None else float(found[name])

    return RunStatistics(
        count=int(found["count"]),
        first_us=value("first"),
        curr_us=curr,
        min_us=value("min"),
        max_us=value("max"),
        avg_us=value("avg"),
        std_us=float(found["std"] or 0),
        p5_us=percentile("p5"),
        median_us=percentile("median"),
        p95_us=percentile("p95"),
    )


def read_timing(events: Sequence[Event]) -> Timing:
    """Return what ``events`` prove; ``timed`` only for a complete log whose numbers agree."""
    kinds = [event.kind for event in events]
    warmup = events[1].value if kinds[1:3] == ["statistics", "header"] else None
    warmup = warmup if isinstance(warmup, RunStatistics) else None
    if kinds != ["header", "statistics", "header", "statistics", "summary"]:
        problem = Failure("incomplete_log", _what_is_missing(kinds))
        return Timing(False, problem, None, warmup, None, None)
    timed, summary = events[3].value, events[4].value
    assert isinstance(timed, RunStatistics) and isinstance(summary, Summary) and warmup
    wrong = _contradiction(warmup, timed, summary)
    first_us = warmup.first_us if warmup.count else None
    if wrong is not None:
        return Timing(True, Failure("invalid_numbers", wrong), None, warmup, None, None)
    return Timing(True, None, timed, warmup, summary.init_us, first_us)


def _what_is_missing(kinds: Sequence[str]) -> str:
    if kinds.count("header") > 2 or kinds.count("summary") > 1 or kinds.count("statistics") > 2:
        return "its log holds more than one run, mixed up"
    if not kinds.count("header"):
        return "its log ends before the first inference"
    if kinds.count("header") == 1:
        return "its log ends in the warm-up"
    if kinds.count("statistics") < 2:
        return "its log ends in the timed phase, with nothing but the warm-up's statistics"
    return "its log ends before the summary"


def _contradiction(warmup: RunStatistics, timed: RunStatistics, summary: Summary) -> str | None:
    """Return why the numbers cannot be true, or ``None``."""
    if timed.count == 0:
        return "it ran no inference at all (count=0)"
    for name, phase in (("warm-up", warmup), ("timed", timed)):
        if phase.count and (wrong := _implausible(phase)) is not None:
            return f"the statistics of its {name} phase cannot be true: {wrong}"
    pairs = (
        ("inference", summary.inference_us, timed.avg_us),
        ("warm-up", summary.warmup_us, warmup.avg_us),
        ("first inference", summary.first_us, warmup.first_us),
    )
    for name, said, counted in pairs:
        if said is not None and not math.isclose(said, counted, rel_tol=SIX_DIGITS / 2):
            return f"its summary says {name} {said:g} us, its statistics {counted:g} us"
    if not 0 <= summary.init_us <= LONGEST_US:
        return f"its initialization took {summary.init_us:g} us"
    return None


def _implausible(phase: RunStatistics) -> str | None:
    if phase.min_us < SHORTEST_US:
        return f"min={phase.min_us:g} us"
    if phase.max_us > LONGEST_US:
        return f"max={phase.max_us:g} us"
    for name in ("first_us", "curr_us", "p5_us", "median_us", "p95_us"):
        value = getattr(phase, name)
        if value is not None and not phase.min_us <= value <= phase.max_us:
            return f"{name.removesuffix('_us')}={value:g} us is not between min and max"
    slack = SIX_DIGITS * phase.max_us
    if not phase.min_us - slack <= phase.avg_us <= phase.max_us + slack:
        return f"avg={phase.avg_us:g} us is not between min and max"
    if not 0 <= phase.std_us <= phase.max_us - phase.min_us:
        return f"std={phase.std_us:g} us is wider than the range"
    percentiles = (phase.p5_us, phase.median_us, phase.p95_us)
    known = [value for value in percentiles if value is not None]
    if known != sorted(known):
        return "the percentiles are out of order"
    if phase.count == 1 and phase.min_us != phase.max_us:
        return "one run with two durations"
    return None
