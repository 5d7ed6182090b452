"""Latency against accuracy, with the front of the files that no other beats; one device per plot."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgezoo.report.accuracy import AccuracyPoint, accuracy_points, pareto_front
from edgezoo.report.data import ReportData
from edgezoo.report.grouping import Group
from edgezoo.report.label_places import Line, Spot, place_labels
from edgezoo.report.numbers import milliseconds, significant
from edgezoo.report.plot_layout import (
    Figure,
    Plot,
    axis,
    base_layout,
    intervals,
    safe,
    shorten,
    watermark,
)
from edgezoo.report.words import has_interval

HEIGHT_PX = 400
MARGIN = {"l": 62, "r": 16, "t": 16, "b": 52}
PLOT_PX = HEIGHT_PX - MARGIN["t"] - MARGIN["b"]
WIDE_PX, NARROW_PX = 500, 285  # the plot's area in a column of a wide page, and on a phone
LOG_SPAN = 8.0  # slowest over fastest, from which a linear axis would crowd the fast ones
LONGEST_NAME = 26
FEWEST_MODELS = 2
SYMBOLS = {"tflite": "circle", "onnx": "diamond"}
COLOURS = {"tflite": "var(--series-1)", "onnx": "var(--series-2)"}


def accuracy_plot(group: Group, labels: Mapping[str, str], data: ReportData) -> Plot | None:
    """Median latency with its interval against published top-1; ``None`` for fewer than two networks.

    Hollow marks stand at the top-1 of the float network, which is not theirs; the line below one
    ends where the measured disagreement could take it at most.
    """
    points = [p for p in accuracy_points(group, data) if math.isfinite(p.latency_ms.median)]
    if len({point.timing.measurement.model for point in points}) < FEWEST_MODELS:
        return None
    front = pareto_front(points)
    frame = _Frame.around(points)
    layout = _figure_layout(frame)
    watermark(layout, group.setting.provenance)
    kinds = dict.fromkeys((_symbol(point), _colour(point), _is_filled(point)) for point in points)
    traces = [
        _pairs(points),
        _front(front, frame),
        *(
            _marks(
                [p for p in points if (_symbol(p), _colour(p), _is_filled(p)) == kind],
                labels,
                *kind,
            )
            for kind in kinds
        ),
        _names(points, front, frame),
    ]
    return Plot({"data": traces, "layout": layout}, HEIGHT_PX, _sentence(points, front, labels))


@dataclass(frozen=True, slots=True)
class _Frame:
    """The ranges of both axes; ``is_log`` where milliseconds are drawn by their logarithm."""

    fastest_ms: float
    slowest_ms: float
    lowest: float
    highest: float
    is_log: bool

    @classmethod
    def around(cls, points: Sequence[AccuracyPoint]) -> _Frame:
        fastest = min(min(p.latency_ms.median, p.latency_ms.interval[0]) for p in points)
        slowest = max(max(p.latency_ms.median, p.latency_ms.interval[1]) for p in points)
        is_log = fastest > 0 and slowest / fastest > LOG_SPAN
        tops = [p.top1_percent for p in points]
        least = min(tops) - max(8.0, max(tops) - min(tops))  # a longer line leaves the plot below
        values = [*tops, *(max(least, _lowest(p)) for p in points)]
        room = 0.06 * max(max(values) - min(values), 1.0)
        if is_log:
            left, right = fastest / 1.25, slowest * 1.25
        else:
            left, right = 0.0, slowest * 1.06
        return cls(left, right, min(values) - room, max(values) + 1.5 * room, is_log)

    def across(self, latency_ms: float) -> float:
        """Where a latency is, from 0 (left) to 1 (right)."""
        if self.is_log:
            span = math.log(self.slowest_ms / self.fastest_ms)
            return math.log(latency_ms / self.fastest_ms) / span
        return (latency_ms - self.fastest_ms) / (self.slowest_ms - self.fastest_ms)

    def spot(self, point: AccuracyPoint, width_px: float, text: str = "") -> Spot:
        """Where the mark is, in pixels of a plot of that width."""
        up = (point.top1_percent - self.lowest) / (self.highest - self.lowest)
        return Spot(width_px * self.across(point.latency_ms.median), PLOT_PX * (1 - up), text)


def _figure_layout(frame: _Frame) -> Figure:
    kind = " (log)" if frame.is_log else ""
    layout = base_layout(f"latency in ms{kind}, lower is better")  # fits a phone's width
    if frame.is_log:
        ends = [math.log10(frame.fastest_ms), math.log10(frame.slowest_ms)]
        layout["xaxis"] |= {"type": "log", "range": ends, "tickvals": _ticks(frame)}
        layout["xaxis"]["ticktext"] = [significant(value, 1) for value in _ticks(frame)]
        del layout["xaxis"]["rangemode"]
    else:
        layout["xaxis"] |= {"range": [frame.fastest_ms, frame.slowest_ms]}
    layout["yaxis"] = axis("top-1 of the float network in %")
    layout["yaxis"]["title"]["standoff"] = 10
    layout["yaxis"] |= {"range": [frame.lowest, frame.highest]}
    layout["margin"] = MARGIN
    return layout


def _ticks(frame: _Frame) -> list[float]:
    """1, 2 and 5 of every decade in sight."""
    decades = range(
        math.floor(math.log10(frame.fastest_ms)), math.ceil(math.log10(frame.slowest_ms)) + 1
    )
    ticks = (step * 10.0**decade for decade in decades for step in (1, 2, 5))
    return [tick for tick in ticks if frame.fastest_ms <= tick <= frame.slowest_ms]


def _symbol(point: AccuracyPoint) -> str:
    return SYMBOLS.get(point.timing.measurement.format, "square")


def _colour(point: AccuracyPoint) -> str:
    if point.timing.doubt:
        return "var(--muted)"
    return COLOURS.get(point.timing.measurement.format, "var(--series-3)")


def _is_filled(point: AccuracyPoint) -> bool:
    return point.own and not point.timing.doubt


def _pairs(points: Sequence[AccuracyPoint]) -> Figure:
    """A faint line from every float file to what was made of it: same network, format and way."""
    floats = {_kinship(p): p for p in points if p.own}
    xs: list[float | None] = []
    ys: list[float | None] = []
    for point in points:
        parent = floats.get(_kinship(point))
        if not point.own and parent is not None:
            xs += [parent.latency_ms.median, point.latency_ms.median, None]
            ys += [parent.top1_percent, point.top1_percent, None]
    line = {"width": 1, "dash": "dot", "color": "var(--faint)"}
    return {"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": line, "hoverinfo": "skip"}


def _kinship(point: AccuracyPoint) -> tuple[object, ...]:
    measurement = point.timing.measurement
    return measurement.model, measurement.format, point.timing.way


def _front(front: Sequence[AccuracyPoint], frame: _Frame) -> Figure:
    """Steps to the right and up, on to the edge: what can be had for each latency."""
    xs = [point.latency_ms.median for point in front]
    ys = [point.top1_percent for point in front]
    if front:
        xs, ys = [*xs, frame.slowest_ms], [*ys, ys[-1]]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": {"shape": "hv", "width": 2, "color": "var(--good)"},
        "hoverinfo": "skip",
    }


def _marks(
    points: Sequence[AccuracyPoint],
    labels: Mapping[str, str],
    symbol: str,
    colour: str,
    filled: bool,
) -> Figure:
    down = [max(0.0, p.top1_percent - _lowest(p)) for p in points]
    zeros = [0.0] * len(points)
    bars = {"type": "data", "symmetric": False, "thickness": 1, "width": 0, "color": colour}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [p.latency_ms.median for p in points],
        "y": [p.top1_percent for p in points],
        "hovertext": [safe(_text(labels[p.timing.mark], p)) for p in points],
        "hoverinfo": "text",
        "error_x": intervals([p.latency_ms for p in points]) | {"thickness": 1.5, "color": colour},
        "error_y": bars | {"array": zeros, "arrayminus": down},
        "marker": {
            "size": 11,
            "symbol": symbol,
            "color": colour if filled else "var(--card)",
            "line": {"width": 2, "color": colour},
        },
    }


def _lowest(point: AccuracyPoint) -> float:
    return point.top1_percent if point.lowest_percent is None else point.lowest_percent


def _names(
    points: Sequence[AccuracyPoint], front: Sequence[AccuracyPoint], frame: _Frame
) -> Figure:
    """One name per network beside its mark, those on the front first; fewer on a narrow page."""
    ordered = sorted(points, key=lambda p: (p not in front, not p.own, p.latency_ms.median))
    wide, narrow = (_named(ordered, front, frame, width) for width in (WIDE_PX, NARROW_PX))
    return wide | {
        "type": "scatter",
        "mode": "markers+text",
        "textfont": {"size": 12, "color": "var(--ink)"},
        "hoverinfo": "skip",
        "cliponaxis": False,
        "marker": {"size": 11, "color": "rgba(0,0,0,0)"},
        "meta": {"narrow": narrow},
    }


def _named(
    ordered: Sequence[AccuracyPoint],
    front: Sequence[AccuracyPoint],
    frame: _Frame,
    width_px: float,
) -> Figure:
    seen: set[str] = set()
    spots = []
    for point in ordered:
        model = point.timing.measurement.model
        text = "" if model in seen else shorten(model, LONGEST_NAME)
        seen.add(model)
        spots.append(frame.spot(point, width_px, text))
    places = place_labels(spots, width_px, PLOT_PX, _lines(front, frame, width_px))
    kept = [row for row in zip(ordered, spots, places, strict=True) if row[2] is not None]
    return {
        "x": [point.latency_ms.median for point, _, _ in kept],
        "y": [point.top1_percent for point, _, _ in kept],
        "text": [safe(spot.text) for _, spot, _ in kept],
        "textposition": [place for _, _, place in kept],
    }


def _lines(front: Sequence[AccuracyPoint], frame: _Frame, width_px: float) -> list[Line]:
    """The front's steps, which names had better not cross."""
    spots = [frame.spot(point, width_px) for point in front]
    ends = [*(spot.x for spot in spots[1:]), width_px]
    flat = [(s.x, s.y, end, s.y) for s, end in zip(spots, ends, strict=True)] if spots else []
    upright = [(b.x, b.y, b.x, a.y) for a, b in itertools.pairwise(spots)]
    return [*flat, *upright]


def _text(label: str, point: AccuracyPoint) -> str:
    latency = milliseconds(point.latency_ms.median)
    if has_interval(point.latency_ms):
        latency += f" ({'–'.join(significant(bound) for bound in point.latency_ms.interval)})"
    doubt = f", {point.timing.doubt}" if point.timing.doubt else ""
    return f"{shorten(label)}: {latency}{doubt}; {point.words}"


def _sentence(
    points: Sequence[AccuracyPoint], front: Sequence[AccuracyPoint], labels: Mapping[str, str]
) -> str:
    best = "; ".join(
        f"{p.timing.measurement.model} {milliseconds(p.latency_ms.median)}, "
        f"{significant(p.top1_percent)} %"
        for p in front
    )
    words = f"Not beaten by any other float file, fastest first: {best}." if best else ""
    return f"Latency and published top-1 of {len(points)} measurements. {words}".strip()
