"""The plots as plotly figures (plain dictionaries); the page's script draws them.

Colours are CSS variables that the script looks up, so that plots follow the dark scheme. Labels
stand above their row instead of beside it: long names then fit a phone's width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgezoo.measurement import Latency
from edgezoo.report.data import QuantizationFacts
from edgezoo.report.grouping import Group, Timing
from edgezoo.report.numbers import decibels, megabytes, milliseconds, significant
from edgezoo.report.plot_layout import (
    Figure,
    Plot,
    axis,
    base_layout,
    intervals,
    rows_height,
    rows_layout,
    safe,
    shorten,
    watermark,
)
from edgezoo.report.words import has_interval

COLOURS = {"tflite": "var(--series-1)", "onnx": "var(--series-2)"}
SYMBOLS = {"tflite": "circle", "onnx": "diamond"}


@dataclass(frozen=True, slots=True)
class _Style:
    symbol: str
    colour: str


@dataclass(frozen=True, slots=True)
class _Point:
    """A row whose latency can be drawn; hollow and grey where it is in doubt."""

    timing: Timing
    latency_ms: Latency

    @property
    def doubt(self) -> str:
        return self.timing.doubt

    @property
    def style(self) -> _Style:
        name = self.timing.measurement.format
        if self.doubt:
            return _Style(f"{SYMBOLS.get(name, 'square')}-open", "var(--muted)")
        return _Style(SYMBOLS.get(name, "square"), COLOURS.get(name, "var(--series-3)"))


def latency_plot(group: Group, labels: Mapping[str, str]) -> Plot | None:
    """Median and 95 % interval per row, process medians as faint dots.

    Fastest on top; doubtful rows follow, hollow and grey, because a rank would be a claim.
    """
    points = sorted(_points(group), key=lambda point: (bool(point.doubt), point.latency_ms.median))
    if not points:
        return None
    texts = [_latency_text(labels[point.timing.mark], point) for point in points]
    placed = list(zip(points, range(len(points) - 1, -1, -1), texts, strict=True))
    traces = [_process_medians([(point.timing, height) for point, height, _ in placed])]
    for style in dict.fromkeys(point.style for point in points):
        traces.append(_medians(style, [row for row in placed if row[0].style == style]))
    layout = rows_layout(texts, "latency in milliseconds, lower is better")
    watermark(layout, group.setting.provenance)
    sentence = _latency_sentence(points, texts)
    return Plot({"data": traces, "layout": layout}, rows_height(len(points)), sentence)


def _points(group: Group) -> list[_Point]:
    """What can be drawn: numbers that are shown and finite."""
    found = ((timing, timing.shown_latency_ms) for timing in group.timings)
    return [_Point(timing, latency) for timing, latency in found if latency and _finite(latency)]


def _finite(latency: Latency) -> bool:
    return all(map(math.isfinite, (latency.median, *latency.interval)))


def _latency_text(label: str, point: _Point) -> str:
    text = f"{shorten(label)}: {milliseconds(point.latency_ms.median)}"
    if has_interval(point.latency_ms):
        text += f" ({'–'.join(significant(bound) for bound in point.latency_ms.interval)})"
    return f"{text}, {point.doubt}" if point.doubt else text


def _latency_sentence(points: Sequence[_Point], texts: Sequence[str]) -> str:
    ranked = [text for point, text in zip(points, texts, strict=True) if not point.doubt]
    unranked = [text for point, text in zip(points, texts, strict=True) if point.doubt]
    parts = [f"Latency, fastest first: {'; '.join(ranked)}."] if ranked else []
    parts += [f"Latency, not ranked: {'; '.join(unranked)}."] if unranked else []
    return " ".join(parts)


def _process_medians(rows: Sequence[tuple[Timing, int]]) -> Figure:
    points = [
        (process.median_ms, height, f"process {number}")
        for timing, height in rows
        for number, process in enumerate(timing.measurement.processes, start=1)
        if process.median_ms is not None and math.isfinite(process.median_ms)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [x for x, _, _ in points],
        "y": [y for _, y, _ in points],
        "hovertext": [f"{name}: median {milliseconds(x)}" for x, _, name in points],
        "hoverinfo": "text",
        "marker": {"size": 8, "color": "var(--muted)", "opacity": 0.4},
    }


def _medians(style: _Style, placed: Sequence[tuple[_Point, int, str]]) -> Figure:
    latencies = [point.latency_ms for point, _, _ in placed]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [latency.median for latency in latencies],
        "y": [height for _, height, _ in placed],
        "hovertext": [safe(text) for _, _, text in placed],
        "hoverinfo": "text",
        "error_x": intervals(latencies) | {"thickness": 2, "width": 6, "color": style.colour},
        "marker": {
            "size": 11,
            "symbol": style.symbol,
            "color": style.colour,
            "line": {"width": 2, "color": style.colour},
        },
    }


def trade_off_plot(group: Group, labels: Mapping[str, str]) -> Plot | None:
    """Latency against SQNR, areas as file sizes, marks as labels (names would overlap).

    ``None`` where fewer than three rows have both numbers.
    """
    points = [p for p in _points(group) if p.timing.entry and math.isfinite(_sqnr_db(p))]
    if len(points) < 3:
        return None
    texts = [_trade_off_text(labels[point.timing.mark], point) for point in points]
    layout = base_layout("latency in milliseconds, lower is better")
    layout["yaxis"] = axis("SQNR in dB, higher is better") | {"rangemode": "tozero"}
    layout["margin"] = {"l": 56, "r": 48, "t": 24, "b": 52}
    watermark(layout, group.setting.provenance)
    sentence = "Latency, SQNR and size: " + "; ".join(texts) + "."
    return Plot({"data": [_bubbles(points, texts)], "layout": layout}, 340, sentence)


def _sqnr_db(point: _Point) -> float:
    entry = point.timing.entry
    return entry.artifact.comparison.sqnr_db if entry else math.nan


def _trade_off_text(label: str, point: _Point) -> str:
    size = megabytes(_size_bytes(point))
    return f"{_latency_text(label, point)}, {decibels(_sqnr_db(point))}, {size}"


def _size_bytes(point: _Point) -> int:
    return point.timing.entry.artifact.bytes if point.timing.entry else 0


def _bubbles(points: Sequence[_Point], texts: Sequence[str]) -> Figure:
    sizes = [_size_bytes(point) for point in points]
    areas = [max(0.02, size / (max(sizes) or 1)) for size in sizes]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [point.latency_ms.median for point in points],
        "y": [_sqnr_db(point) for point in points],
        "text": [point.timing.mark for point in points],
        "textposition": _label_places(points),
        "textfont": {"size": 12, "color": "var(--ink)"},
        "hovertext": [safe(text) for text in texts],
        "hoverinfo": "text",
        "cliponaxis": False,
        "error_x": intervals([point.latency_ms for point in points])
        | {"thickness": 1, "width": 0, "color": "var(--muted)"},
        "marker": {
            "size": [round(34 * math.sqrt(area), 1) for area in areas],
            "symbol": [point.style.symbol for point in points],
            "color": [point.style.colour for point in points],
            "opacity": 0.7,
            "line": {"width": 2, "color": [point.style.colour for point in points]},
        },
    }


def _label_places(points: Sequence[_Point]) -> list[str]:
    """Above the mark; where it has neighbours, above and on the side away from them."""
    furthest_ms = max(point.latency_ms.median for point in points) or 1.0
    highest_db = max(abs(_sqnr_db(point)) for point in points) or 1.0
    spots = [
        (point.latency_ms.median / furthest_ms, _sqnr_db(point) / highest_db, index)
        for index, point in enumerate(points)
    ]
    places = []
    for spot in spots:
        near = [o for o in spots if abs(o[0] - spot[0]) < 0.15 and abs(o[1] - spot[1]) < 0.15]
        rank = (min(near) == spot, max(near) == spot)
        places.append(
            {(True, False): "top left", (False, True): "top right"}.get(rank, "top center")
        )
    return places


def range_rule_plot(facts: QuantizationFacts) -> Plot | None:
    """SQNR of every range rule that was tried, best first, the chosen one in colour."""
    rules = sorted(
        ((rule, db) for rule, db in facts.sqnr_db.items() if math.isfinite(db)),
        key=lambda item: (-item[1], item[0]),
    )
    if not rules:
        return None
    texts = [
        f"{shorten(rule)}: {decibels(db)}{' (chosen)' if rule == facts.rule else ''}"
        for rule, db in rules
    ]
    chosen = [rule == facts.rule for rule, _ in rules]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [db for _, db in rules],
        "y": list(range(len(rules) - 1, -1, -1)),
        "width": 0.3,
        "hovertext": [safe(text) for text in texts],
        "hoverinfo": "text",
        "marker": {"color": ["var(--series-1)" if is_it else "var(--faint)" for is_it in chosen]},
    }
    layout = rows_layout(texts, "SQNR in dB on the selection photos, higher is better")
    sentence = "SQNR by range rule, best first: " + "; ".join(texts) + "."
    return Plot({"data": [trace], "layout": layout}, rows_height(len(rules)), sentence)
