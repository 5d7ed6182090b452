"""The plots as plotly figures (plain dictionaries); the page's script draws them.

Colours are CSS variables that the script looks up, so that plots follow the dark scheme. Labels
stand above their row instead of beside it: long names then fit a phone's width.
"""

from __future__ import annotations

import html
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgezoo.report.data import QuantizationFacts
from edgezoo.report.grouping import Group, Timing
from edgezoo.report.numbers import decibels, megabytes, milliseconds, significant
from edgezoo.report.words import has_interval
from edgezoo.types import Latency

ROW_PX = 46
LONGEST_LABEL = 44
COLOURS = {"tflite": "var(--series-1)", "onnx": "var(--series-2)"}
SYMBOLS = {"tflite": "circle", "onnx": "diamond"}

Figure = dict[str, Any]  # Any: plotly's own JSON


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure, its height in pixels and the sentence that replaces it for who cannot see it."""

    figure: Figure
    height_px: int
    alternative: str


def latency_plot(group: Group, labels: Mapping[str, str]) -> Plot | None:
    """Median and 95 % interval per row, fastest on top, process medians as faint dots."""
    rows = [(t, t.latency_ms) for t in group.timings if t.latency_ms and _finite(t.latency_ms)]
    if not rows:
        return None
    rows.sort(key=lambda row: row[1].median)
    heights = range(len(rows) - 1, -1, -1)
    texts = [_latency_text(labels[timing.mark], latency) for timing, latency in rows]
    placed = list(zip(rows, heights, texts, strict=True))
    traces = [_process_medians([(t, height) for (t, _), height, _ in placed])]
    for format_name in COLOURS:
        mine = [(p, h, x) for p, h, x in placed if p[0].entry.artifact.format == format_name]
        if mine:
            traces.append(_medians(format_name, mine))
    layout = _rows_layout(texts, "latency in milliseconds, lower is better")
    sentence = "Latency, fastest first: " + "; ".join(texts) + "."
    return Plot({"data": traces, "layout": layout}, _rows_height(len(rows)), sentence)


def _finite(latency: Latency) -> bool:
    return all(map(math.isfinite, (latency.median, *latency.interval)))


def _latency_text(label: str, latency: Latency) -> str:
    text = f"{_shorten(label)}: {milliseconds(latency.median)}"
    if not has_interval(latency):
        return text
    low, high = (significant(bound) for bound in latency.interval)
    return f"{text} ({low}–{high})"


def _process_medians(rows: Sequence[tuple[Timing, int]]) -> Figure:
    points = [
        (statistics.median(process.wall_ms), height, f"process {number}")
        for timing, height in rows
        for number, process in enumerate(timing.measurement.processes, start=1)
        if process.wall_ms and all(map(math.isfinite, process.wall_ms))
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


def _medians(format_name: str, placed: Sequence[tuple[tuple[Timing, Latency], int, str]]) -> Figure:
    latencies = [latency for (_, latency), _, _ in placed]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [latency.median for latency in latencies],
        "y": [height for _, height, _ in placed],
        "hovertext": [_safe(text) for _, _, text in placed],
        "hoverinfo": "text",
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, latency.interval[1] - latency.median) for latency in latencies],
            "arrayminus": [max(0.0, latency.median - latency.interval[0]) for latency in latencies],
            "thickness": 2,
            "width": 6,
            "color": COLOURS[format_name],
        },
        "marker": {"size": 11, "symbol": SYMBOLS[format_name], "color": COLOURS[format_name]},
    }


def trade_off_plot(group: Group, labels: Mapping[str, str]) -> Plot | None:
    """Latency against SQNR, areas as file sizes, marks as labels (names would overlap).

    ``None`` where fewer than three rows have both numbers.
    """
    points = [
        (timing, timing.latency_ms.median, timing.entry.artifact.comparison.sqnr_db)
        for timing in group.timings
        if timing.latency_ms and _finite(timing.latency_ms)
    ]
    points = [point for point in points if math.isfinite(point[2])]
    if len(points) < 3:
        return None
    texts = [
        f"{_shorten(labels[t.mark])}: {milliseconds(x)}, {decibels(y)}, "
        f"{megabytes(t.entry.artifact.bytes)}"
        for t, x, y in points
    ]
    layout = _layout("latency in milliseconds, lower is better")
    layout["yaxis"] = _axis("SQNR in dB, higher is better") | {"rangemode": "tozero"}
    layout["margin"] = {"l": 56, "r": 24, "t": 24, "b": 52}
    sentence = "Latency, SQNR and size: " + "; ".join(texts) + "."
    return Plot({"data": [_bubbles(points, texts)], "layout": layout}, 340, sentence)


def _bubbles(points: Sequence[tuple[Timing, float, float]], texts: Sequence[str]) -> Figure:
    largest = max(timing.entry.artifact.bytes for timing, _, _ in points) or 1
    formats = [timing.entry.artifact.format for timing, _, _ in points]
    areas = [max(0.02, timing.entry.artifact.bytes / largest) for timing, _, _ in points]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [x for _, x, _ in points],
        "y": [y for _, _, y in points],
        "text": [timing.mark for timing, _, _ in points],
        "textposition": "top center",
        "textfont": {"size": 12, "color": "var(--ink)"},
        "hovertext": [_safe(text) for text in texts],
        "hoverinfo": "text",
        "cliponaxis": False,
        "marker": {
            "size": [round(34 * math.sqrt(area), 1) for area in areas],
            "symbol": [SYMBOLS[name] for name in formats],
            "color": [COLOURS[name] for name in formats],
            "opacity": 0.7,
        },
    }


def range_rule_plot(facts: QuantizationFacts) -> Plot | None:
    """SQNR of every range rule that was tried, best first, the chosen one in colour."""
    rules = sorted(
        ((rule, db) for rule, db in facts.sqnr_db.items() if math.isfinite(db)),
        key=lambda item: (-item[1], item[0]),
    )
    if not rules:
        return None
    texts = [
        f"{_shorten(rule)}: {decibels(db)}{' (chosen)' if rule == facts.rule else ''}"
        for rule, db in rules
    ]
    chosen = [rule == facts.rule for rule, _ in rules]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [db for _, db in rules],
        "y": list(range(len(rules) - 1, -1, -1)),
        "width": 0.3,
        "hovertext": [_safe(text) for text in texts],
        "hoverinfo": "text",
        "marker": {"color": ["var(--series-1)" if is_it else "var(--faint)" for is_it in chosen]},
    }
    layout = _rows_layout(texts, "SQNR in dB on the selection photos, higher is better")
    sentence = "SQNR by range rule, best first: " + "; ".join(texts) + "."
    return Plot({"data": [trace], "layout": layout}, _rows_height(len(rules)), sentence)


# ------------------------------------------------------------------------------ layout


def _rows_height(rows: int) -> int:
    return ROW_PX * rows + 78


def _rows_layout(texts: Sequence[str], title: str) -> Figure:
    """One row per text, the text above its row, the first on top."""
    layout = _layout(title)
    rows = len(texts)
    layout["yaxis"] = _axis("") | {"range": [-0.6, rows - 0.2], "visible": False}
    layout["margin"] = {"l": 8, "r": 16, "t": 8, "b": 52}
    layout["annotations"] = [
        {
            "xref": "paper",
            "x": 0,
            "xanchor": "left",
            "y": rows - 1 - index,
            "yshift": 18,
            "text": _safe(text),
            "showarrow": False,
            "bgcolor": "var(--card)",
            "font": {"size": 13, "color": "var(--ink)"},
        }
        for index, text in enumerate(texts)
    ]
    return layout


def _layout(title: str) -> Figure:
    return {
        "xaxis": _axis(title) | {"rangemode": "tozero"},
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "var(--muted)"},
        "hoverlabel": {
            "bgcolor": "var(--card)",
            "bordercolor": "var(--line)",
            "font": {"color": "var(--ink)"},
            "namelength": -1,
        },
    }


def _axis(title: str) -> Figure:
    return {
        "title": {"text": title, "font": {"size": 12}},
        "gridcolor": "var(--line)",
        "linecolor": "var(--line)",
        "zerolinecolor": "var(--line)",
        "fixedrange": True,
        "automargin": True,
    }


def _shorten(text: str) -> str:
    """Keep both ends: the ends of file names tell them apart."""
    if len(text) <= LONGEST_LABEL:
        return text
    half = (LONGEST_LABEL - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _safe(text: str) -> str:
    """Plotly reads a little HTML in its texts; names must not be read as such."""
    return html.escape(text, quote=False)
