"""Latency over time: the windows of sustained measurements, one line each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgezoo.report.grouping import Group, Timing
from edgezoo.report.numbers import milliseconds
from edgezoo.report.plot_layout import Figure, Plot, axis, base_layout, safe, shorten, watermark

COLOURS = ("var(--series-1)", "var(--series-2)", "var(--series-3)")
DASHES = ("solid", "dot", "dash", "dashdot")
HEIGHT_PX = 320

Point = tuple[float, float]  # seconds since the first window, milliseconds


def curve_plot(group: Group, labels: Mapping[str, str]) -> Plot | None:
    """Window medians over the seconds since the first window; ``None`` without a sustained one.

    ``labels`` are by mark. A failed measurement has no curve: it is cut where nobody knows why.
    """
    drawn = [(timing, curve_of(timing)) for timing in group.timings]
    curves = [(timing, points) for timing, points in drawn if len(points) > 1]
    if not curves:
        return None
    named = [(shorten(labels[timing.mark]), points) for timing, points in curves]
    traces = [_line(name, points, number) for number, (name, points) in enumerate(named)]
    layout = base_layout("seconds under load")
    layout["yaxis"] = axis("latency in milliseconds") | {"rangemode": "tozero"}
    layout["margin"] = {"l": 8, "r": 16, "t": 8, "b": 52}
    layout["showlegend"] = len(named) > 1
    layout["legend"] = {"orientation": "h", "y": 1.15, "font": {"color": "var(--ink)"}}
    watermark(layout, group.setting.provenance)
    ends = [
        f"{name}: {milliseconds(points[0][1])} at first, {milliseconds(points[-1][1])} after "
        f"{points[-1][0]:.0f} s"
        for name, points in named
    ]
    sentence = f"Latency under lasting load. {'; '.join(ends)}."
    return Plot({"data": traces, "layout": layout}, HEIGHT_PX, sentence)


def curve_of(timing: Timing) -> Sequence[Point]:
    """The windows of a sustained measurement with a number; none of any other."""
    measurement = timing.measurement
    if measurement.plan.sustained_s <= 0 or timing.failed:
        return ()
    start = measurement.processes[0].started_at if measurement.processes else 0.0
    windows = ((p.started_at - start, p.median_ms) for p in measurement.processes)
    return [(s, ms) for s, ms in windows if ms is not None and math.isfinite(ms)]


def _line(name: str, points: Sequence[Point], number: int) -> Figure:
    colour = COLOURS[number % len(COLOURS)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": safe(name),
        "x": [seconds for seconds, _ in points],
        "y": [ms for _, ms in points],
        "hovertext": [f"{safe(name)}, {s:.0f} s: {milliseconds(ms)}" for s, ms in points],
        "hoverinfo": "text",
        "line": {"color": colour, "dash": DASHES[number // len(COLOURS) % len(DASHES)], "width": 2},
        "marker": {"size": 5, "color": colour},
    }
