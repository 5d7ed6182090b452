"""What all plots share: the figure, its axes, its labels; plotly's JSON as plain dictionaries."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgezoo.measurement import Latency, Provenance

ROW_PX = 46
LONGEST_LABEL = 44

Figure = dict[str, Any]  # Any: plotly's own JSON


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure, its height in pixels and the sentence that replaces it for who cannot see it."""

    figure: Figure
    height_px: int
    alternative: str


def intervals(latencies: Sequence[Latency]) -> Figure:
    """The 95 % intervals as error bars around the medians."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, latency.interval[1] - latency.median) for latency in latencies],
        "arrayminus": [max(0.0, latency.median - latency.interval[0]) for latency in latencies],
    }


def rows_height(rows: int) -> int:
    """The height in pixels of a plot with ``rows`` labelled rows."""
    return ROW_PX * rows + 78


def rows_layout(texts: Sequence[str], title: str) -> Figure:
    """One row per text, the text above its row, the first on top."""
    layout = base_layout(title)
    rows = len(texts)
    layout["yaxis"] = axis("") | {"range": [-0.6, rows - 0.2], "visible": False}
    layout["margin"] = {"l": 8, "r": 16, "t": 8, "b": 52}
    layout["annotations"] = [
        {
            "xref": "paper",
            "x": 0,
            "xanchor": "left",
            "y": rows - 1 - index,
            "yshift": 18,
            "text": safe(text),
            "showarrow": False,
            "bgcolor": "var(--card)",
            "font": {"size": 13, "color": "var(--ink)"},
        }
        for index, text in enumerate(texts)
    ]
    return layout


def base_layout(title: str) -> Figure:
    """A layout in the page's colours; ``title`` is that of the horizontal axis, which starts at 0."""
    return {
        "xaxis": axis(title) | {"rangemode": "tozero"},
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


def axis(title: str) -> Figure:
    """An axis in the page's colours, which no finger can drag."""
    return {
        "title": {"text": title, "font": {"size": 12}},
        "gridcolor": "var(--line)",
        "linecolor": "var(--line)",
        "zerolinecolor": "var(--line)",
        "fixedrange": True,
        "automargin": True,
    }


def shorten(text: str, longest: int = LONGEST_LABEL) -> str:
    """Keep both ends: the ends of file names tell them apart."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def safe(text: str) -> str:
    """Plotly reads a little HTML in its texts; names must not be read as such."""
    return html.escape(text, quote=False)


def watermark(layout: Figure, provenance: Provenance) -> None:
    """Write "simulated" across a plot of numbers that no real device gave."""
    if provenance == "simulated":
        layout["annotations"] = [
            *layout.get("annotations", []),
            {
                "xref": "paper",
                "yref": "paper",
                "x": 0.5,
                "y": 0.5,
                "text": "simulated",
                "showarrow": False,
                "opacity": 0.25,
                "font": {"size": 40, "color": "var(--muted)"},
            },
        ]
