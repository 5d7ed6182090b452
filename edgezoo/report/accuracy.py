"""Which accuracy a timing may be shown with, and the files that none of the others beats.

Nothing here measures accuracy. A float file has the top-1 that was published for its network. A
quantized one has only its agreement with the float file: that bounds its loss and is no accuracy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgezoo.measurement import Latency
from edgezoo.report.data import ReportData
from edgezoo.report.grouping import Group, Timing
from edgezoo.report.numbers import percent, significant
from edgezoo.report.published import published_numbers
from edgezoo.report.words import FLOAT_RECIPE, describe_inputs

RANDOM_WEIGHTS = ("random", "factory", "object")


@dataclass(frozen=True, slots=True)
class AccuracyPoint:
    """One timing with the published top-1 (percent) of its network in float.

    ``own`` says that this is the file's own accuracy as far as it is known, which no quantized file
    can claim; ``lowest_percent`` is where the measured disagreement with float could take it at
    most, ``None`` where that was not measured on photos. ``words`` say all this.
    """

    timing: Timing
    latency_ms: Latency
    top1_percent: float
    own: bool
    lowest_percent: float | None
    words: str


def accuracy_points(group: Group, data: ReportData) -> tuple[AccuracyPoint, ...]:
    """The timings of ``group`` that have a number and whose network has a published top-1."""
    found = (_point(timing, data) for timing in group.timings if not timing.way.sustained_s)
    return tuple(point for point in found if point is not None)


def _point(timing: Timing, data: ReportData) -> AccuracyPoint | None:
    latency, top1 = timing.shown_latency_ms, published_top1(data, timing.measurement.model)
    if latency is None or top1 is None or latency.median <= 0:
        return None
    own = timing.measurement.recipe == FLOAT_RECIPE
    return AccuracyPoint(
        timing,
        latency,
        top1,
        own,
        None if own else _lowest(timing, top1),
        _float_words(timing, top1) if own else _reduced_words(timing, top1, data),
    )


def published_top1(data: ReportData, model: str, key: str = "top1") -> float | None:
    """The published top-1 in percent; ``key`` is ``top1_int8`` for the authors' own int8 network."""
    for number in published_numbers(data, model):
        if number.keys == (key,) and isinstance(number.value, (int, float)):
            return float(number.value)
    return None


def _lowest(timing: Timing, top1: float) -> float | None:
    """Float's top-1 less the share of photos on which another class came first: the worst case,
    in which every one of them was right before.
    """
    comparison = timing.entry.artifact.comparison if timing.entry else None
    if comparison is None or comparison.inputs == "random":
        return None
    return max(0.0, top1 - 100 * (1 - comparison.top1_agreement))


def _float_words(timing: Timing, top1: float) -> str:
    words = f"top-1 {significant(top1)} % as published for the network"
    origin = timing.entry.origin if timing.entry else None
    if origin is not None and origin.weights in RANDOM_WEIGHTS:
        return f"{words}, not of this file: its weights are {origin.weights}"
    return words


def _reduced_words(timing: Timing, top1: float, data: ReportData) -> str:
    comparison = timing.entry.artifact.comparison if timing.entry else None
    words = f"its own top-1 was not measured; float has {significant(top1)} % (published)"
    if comparison is not None:
        agreement = percent(comparison.top1_agreement)
        words += f" and it picks float's class on {agreement} of {describe_inputs(comparison)}"
    authors = published_top1(data, timing.measurement.model, "top1_int8")
    if authors is not None and timing.measurement.recipe == "w8a8":
        words += f"; the authors published {significant(authors)} % for their own int8 network"
    return words


def pareto_front(points: Iterable[AccuracyPoint]) -> tuple[AccuracyPoint, ...]:
    """Those that no other beats in both, fastest first; only sound numbers of float files compete."""
    sound = [point for point in points if point.own and point.timing.trusted_latency_ms]
    front: list[AccuracyPoint] = []
    for point in sorted(sound, key=lambda p: (p.latency_ms.median, -p.top1_percent)):
        if not front or point.top1_percent > front[-1].top1_percent:
            front.append(point)
    return tuple(front)
