"""The whole zoo in one picture: published accuracy over counted multiply-accumulates.

Accuracies come from different trainings, so a network is drawn at the first number of its table
(the paper's), and hollow where a training sets it apart or nobody published an architecture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from edgezoo.errors import OutputError
from edgezoo.report.blocks import Section, figure_of
from edgezoo.report.markup import Html, breakable, element, fragment, headings
from edgezoo.report.numbers import significant
from edgezoo.report.page import document
from edgezoo.report.plot_layout import Figure, Plot, axis, base_layout, safe
from edgezoo.report.write import write_whole
from edgezoo.types import ModelInfo

LABELS = "imagenet-1k"  # accuracies on other classes have no place beside these
PLOT_HEIGHT_PX = 560
TITLE = "The zoo: accuracy and multiply-accumulates"
# Families in the order of the colours --series-1 and so on; Lite stands for itself.
FAMILIES: Mapping[str, str] = {
    "shufflenet": "ShuffleNet v1",
    "mnasnet": "MnasNet",
    "efficientnet": "EfficientNet",
    "efficientnet_lite": "EfficientNet-Lite",
    "nfnet": "NFNet",
    "residual_attention": "Residual\nAttention",
}
DECADES = ((1e7, "10M"), (1e8, "100M"), (1e9, "1G"), (1e10, "10G"), (1e11, "100G"), (1e12, "1T"))


@dataclass(frozen=True, slots=True)
class Point:
    """A network with a published accuracy; ``names`` are those that share all of its numbers.

    ``training`` is what set its weights apart; ``buildable`` tells that there is a network at all.
    """

    names: tuple[str, ...]
    series: str
    macs: float
    params: float
    top1: float
    source: str
    training: str
    buildable: bool

    @property
    def plain(self) -> bool:
        """Whether it may be compared with its neighbours."""
        return self.buildable and not self.training

    @property
    def text(self) -> str:
        """Everything that is known, in one line."""
        words = [
            f"{', '.join(self.names)}: {self.top1:g} %",
            f"{_count(self.macs)} multiply-accumulates",
            f"{_count(self.params)} parameters",
            self.source,
            *([self.training] if self.training else []),
            *([] if self.buildable else ["no architecture published"]),
        ]
        return ", ".join(words)


def write_zoo_page(infos: Sequence[ModelInfo], path: Path) -> Path:
    """Write the page to ``path`` and return it; raises ``OutputError`` where that is impossible."""
    text = zoo_page(infos)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise OutputError(
            f"the picture cannot be written to {path} ({error.strerror}); "
            "choose a file in a folder that can be written and has 10 MB free"
        ) from error
    return path


def zoo_page(infos: Sequence[ModelInfo]) -> str:
    """Return one HTML page with the picture and, under it, the numbers as a table."""
    infos = [info for info in infos if info.labels == LABELS]
    points = zoo_points(infos)
    without = sorted({info.name for info in infos} - {n for point in points for n in point.names})
    figure = figure_of(zoo_plot(points), "zoo", _caption(points))
    picture = element("section", element("h2", "Picture", id="picture"), figure)
    numbers = element("section", element("h2", "Numbers", id="numbers"), _table(points))
    sections = [Section("picture", "Picture", picture), Section("numbers", "Numbers", numbers)]
    header = element(
        "header",
        element("p", "edgezoo list", class_="eyebrow"),
        element("h1", TITLE),
        element("p", _sentence(points, without), class_="verdict"),
    )
    return document(TITLE, header, sections)


def _sentence(points: Sequence[Point], without: Sequence[str]) -> str:
    networks = sum(len(point.names) for point in points if point.buildable)
    text = f"{networks} networks with a published ImageNet accuracy"
    return f"{text}; {len(without)} more have none." if without else f"{text}."


def _caption(points: Sequence[Point]) -> str:
    text = (
        "Top-1 on ImageNet as published; multiply-accumulates as counted at the network's own "
        "input size (one counts 1). Lines join what no smaller network of a family beats."
    )
    if any(not point.plain for point in points):
        text += (
            " Hollow: a training that sets its weights apart, or numbers that were published without "
            "an architecture; hover to see which."
        )
    return text


# -------------------------------------------------------------------------------- points


def zoo_points(infos: Sequence[ModelInfo]) -> tuple[Point, ...]:
    """Return the networks with a published accuracy, by family, then by multiply-accumulates."""
    points: dict[tuple[Any, ...], Point] = {}
    for info in infos:
        rows = (info.published, *info.published.get("others", ()))
        row = next((row for row in rows if "top1" in row and "input" not in row), None)
        macs = info.macs or info.published.get("macs")
        if row is None or macs is None or info.labels != LABELS:
            continue
        series = "efficientnet_lite" if "efficientnet_lite" in info.name else info.family
        key = (series, macs, info.params, row["top1"], row["source"])
        names = (*(points[key].names if key in points else ()), info.name)
        points[key] = Point(
            names=names,
            series=series,
            macs=macs,
            params=info.params or info.published.get("params", 0),
            top1=row["top1"],
            source=row["source"],
            training=row.get("training", ""),
            buildable=info.macs is not None,
        )
    known = [*FAMILIES, *sorted({point.series for point in points.values()} - set(FAMILIES))]
    return tuple(sorted(points.values(), key=lambda p: (known.index(p.series), p.macs, p.names)))


def frontier(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return what no point with fewer multiply-accumulates beats, smallest first."""
    best, kept = -math.inf, []
    for point in sorted(points, key=lambda p: (p.macs, -p.top1)):
        if point.top1 > best:
            best = point.top1
            kept.append(point)
    return tuple(kept)


def _series(points: Sequence[Point]) -> Iterator[tuple[str, str, list[Point]]]:
    """Give name, colour and points of every family."""
    names = list(FAMILIES)
    for series, members in groupby(points, key=lambda point: point.series):
        number = names.index(series) + 1 if series in names else 0
        colour = f"var(--series-{number})" if number else "var(--muted)"
        yield FAMILIES.get(series, series), colour, list(members)


# -------------------------------------------------------------------------------- picture


def zoo_plot(points: Sequence[Point]) -> Plot | None:
    """Top-1 over multiply-accumulates on a logarithmic axis, a colour per family."""
    if not points:
        return None
    traces: list[Figure] = []
    for _, colour, members in _series(points):
        traces.append(_line(frontier([p for p in members if p.plain]), colour))
        traces.append(_marks(members, colour))
    layout = base_layout("multiply-accumulates, logarithmic")
    layout["xaxis"] = axis("multiply-accumulates, logarithmic") | {
        "type": "log",
        "range": _x_range(points),
        "tickvals": [value for value, _ in DECADES],
        "ticktext": [text for _, text in DECADES],
    }
    layout["yaxis"] = axis("top-1 in percent, published") | {"range": _y_range(points)}
    layout["margin"] = {"l": 48, "r": 12, "t": 12, "b": 60}
    layout["annotations"] = [*_family_labels(points), *_name_labels(points)]
    sentence = "Published accuracy over multiply-accumulates: " + "; ".join(
        point.text for point in points
    )
    return Plot({"data": traces, "layout": layout}, PLOT_HEIGHT_PX, f"{sentence}.")


def _line(points: Sequence[Point], colour: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [point.macs for point in points],
        "y": [point.top1 for point in points],
        "hoverinfo": "skip",
        "opacity": 0.45,
        "line": {"width": 2, "color": colour},
    }


def _marks(points: Sequence[Point], colour: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [point.macs for point in points],
        "y": [point.top1 for point in points],
        "hovertext": [safe(point.text).replace(", ", "<br>") for point in points],
        "hoverinfo": "text",
        "cliponaxis": False,
        "marker": {
            "size": 9,
            "symbol": ["circle" if point.plain else "circle-open" for point in points],
            "color": colour,
            "line": {"width": 2, "color": colour},
        },
    }


def _x_range(points: Sequence[Point]) -> list[float]:
    exponents = [math.log10(point.macs) for point in points]
    return [round(min(exponents) - 0.2, 3), round(max(exponents) + 0.2, 3)]


def _y_range(points: Sequence[Point]) -> list[float]:
    accuracies = [point.top1 for point in points]
    return [math.floor(min(accuracies)) - 2, math.ceil(max(accuracies)) + 3]


@dataclass(frozen=True, slots=True)
class _Side:
    """Where a label stands from its mark: plotly's anchor, and shifts in pixels."""

    anchor: str
    right_px: int
    up_px: int


LEFT, RIGHT = _Side("right", -9, 0), _Side("left", 9, 0)
SIDES = (LEFT, _Side("right", -6, 12), RIGHT, _Side("left", 6, -12))
# The size of the picture that labels are placed for, a phone's, and of a letter on it.
PHONE_PX, LETTER_PX, LINE_PX, MARK_PX = (270.0, 500.0), 7.5, 17.0, 6.0


def _family_labels(points: Sequence[Point]) -> list[Figure]:
    """Name every family beside that of its marks which has the most room, outer ones first."""
    labels: list[Figure] = []
    taken: list[tuple[float, float]] = [_place(point, points) for point in points]
    for name, colour, members in _series(points):
        best = frontier(members)  # nothing of the family is above them on the left
        ends = (best[0], best[-1], *best[1:-1])
        point, side = max(
            ((point, side) for point in ends for side in SIDES),
            key=lambda choice: _room(_box(_place(choice[0], points), choice[1], name), name, taken),
        )
        left, right, y = _box(_place(point, points), side, name)
        taken += [(left + (right - left) * step / 4, y) for step in range(5)]
        labels.append(_label(point, name, colour, side, 14))
    return labels


def _place(point: Point, points: Sequence[Point]) -> tuple[float, float]:
    """Return where a point stands on a phone, in pixels from the lower left corner."""
    (left, right), (bottom, top) = _x_range(points), _y_range(points)
    x, y = (math.log10(point.macs) - left) / (right - left), (point.top1 - bottom) / (top - bottom)
    return x * PHONE_PX[0], y * PHONE_PX[1]


def _box(spot: tuple[float, float], side: _Side, text: str) -> tuple[float, float, float]:
    """Return left end, right end and height of a label."""
    start, length = spot[0] + side.right_px, LETTER_PX * max(map(len, text.split("\n")))
    left = start - length if side.anchor == "right" else start
    return left, left + length, spot[1] + side.up_px


def _room(
    box: tuple[float, float, float], text: str, taken: Sequence[tuple[float, float]]
) -> float:
    """Return the pixels to the nearest mark or label, negative where the label is cut off."""
    left, right, y = box
    half_px = (LINE_PX * (text.count("\n") + 1) + MARK_PX) / 2
    outside = max(-left, right - PHONE_PX[0], 0.0)
    if outside:
        return -outside
    free = [max(left - tx, tx - right, abs(ty - y) - half_px) for tx, ty in taken]
    return min(12.0, *free)  # further away is no better


def _name_labels(points: Sequence[Point]) -> list[Figure]:
    """Name what has no network, because nothing else tells what these marks are."""
    return [
        _label(point, point.names[0].rpartition("_")[2].upper(), "var(--muted)", LEFT, 11)
        for point in points
        if not point.buildable
    ]


def _label(point: Point, text: str, colour: str, side: _Side, size: int) -> Figure:
    return {
        "x": math.log10(point.macs),
        "y": point.top1,
        "text": safe(text).replace("\n", "<br>"),
        "align": "left",
        "showarrow": False,
        "xanchor": side.anchor,
        "xshift": side.right_px,
        "yshift": side.up_px,
        "font": {"size": size, "color": colour},
    }


# ---------------------------------------------------------------------------------- table


def _table(points: Sequence[Point]) -> Html:
    numeric = ("Top-1", "Multiply-accumulates", "Parameters")
    body = (
        element(
            "tr",
            element("th", breakable(", ".join(point.names)), scope="row"),
            *(
                element("td", text, class_="number", data_label=label)
                for label, text in zip(
                    numeric,
                    (f"{point.top1:.1f} %", _count(point.macs), _count(point.params)),
                    strict=True,
                )
            ),
            element("td", breakable(_origin(point)), data_label="Source", class_="source"),
        )
        for point in sorted(points, key=lambda p: (p.macs, p.names))
    )
    table = element(
        "table",
        element("caption", "Networks by multiply-accumulates"),
        headings(("", *numeric, "Source of the accuracy"), numeric),
        element("tbody", *body),
        class_="plain published",
    )
    return fragment(
        element("div", table, class_="scroll", tabindex=0, role="region", aria_label="Networks")
    )


def _origin(point: Point) -> str:
    absent = "" if point.buildable else "no architecture published"
    return ", ".join(filter(None, (point.source, point.training, absent)))


def _count(value: float) -> str:
    """Return a count as people write it: 5.29 M, 386 M, 1.83 G."""
    unit, name = (1e9, "G") if value >= 1e9 else (1e6, "M")
    return f"{significant(value / unit)} {name}"
