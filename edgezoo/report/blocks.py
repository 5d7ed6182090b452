"""The page's blocks: sections, tables, figures, folded parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgezoo.report.markup import Html, element, file_name, fragment, json_script
from edgezoo.report.plot_layout import Plot
from edgezoo.report.table import Cell, Column, Heading, Table

FEW_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class Section:
    """A section and its entry in the page's table of contents."""

    anchor: str
    heading: str
    body: Html


def titled_section(anchor: str, heading: str, body: Html) -> Section:
    """A section under its heading."""
    block = element("section", element("h2", heading, id=anchor), body, class_=f"of-{anchor}")
    return Section(anchor, heading, block)


def figure_of(plot: Plot | None, identifier: str, caption: str) -> Html:
    """The plot with its caption; nothing where there is no plot."""
    if plot is None:
        return fragment()
    return element(
        "figure",
        element(
            "div",
            class_="plot",
            role="img",
            aria_label=plot.alternative,
            style=f"height:{plot.height_px}px",
            data_figure=f"figure-{identifier}",
            id=identifier,
        ),
        json_script(f"figure-{identifier}", plot.figure),
        element("figcaption", caption),
    )


def html_table(table: Table) -> Html:
    """The table; roles are spelled out because narrow screens show it as a list of cards."""
    heads = (
        element("th", c.heading, scope="col", role="columnheader", class_=_kind(c))
        for c in table.columns
    )
    rows = []
    for cells in table.rows:
        first, *others = zip(table.columns, cells, strict=True)
        parts = [element("th", _cell(first[1], file_name), scope="row", role="rowheader")]
        parts += [
            element(
                "td",
                _cell(cell, compact=column.compact),
                role="cell",
                class_=_kind(column),
                data_label=column.heading,
            )
            for column, cell in others
        ]
        rows.append(element("tr", *parts, role="row"))
    whole = element(
        "table",
        element("caption", table.caption, class_="hidden"),
        element("thead", element("tr", *heads, role="row"), role="rowgroup"),
        element("tbody", *rows, role="rowgroup"),
        class_="main few" if _is_narrow(table) else "main",
        role="table",
    )
    return element(
        "div", whole, class_="scroll", tabindex=0, role="region", aria_label=table.caption
    )


def _is_narrow(table: Table) -> bool:
    """Whether it is so narrow that numbers would stand far from their row's name."""
    return len(table.columns) <= FEW_COLUMNS and not any(c.prose for c in table.columns)


def _kind(column: Column[Any] | Heading) -> str | None:  # Any: rows of every kind
    if column.prose:
        return "prose"
    return "number" if column.numeric else None


def titled_table(table: Table) -> Html:
    """The table below its caption and what must be known before its first number."""
    words = element("p", table.words) if table.words else ""
    return fragment(element("h3", table.title or table.caption), words, html_table(table))


def folded(heading: str, *body: Html | str) -> Html:
    """What opens on a click; the plots in it are drawn then."""
    return element("details", element("summary", heading), *body, class_="fold")


def _cell(cell: Cell, write: Callable[[str], Html] = fragment, *, compact: bool = False) -> Html:
    doubt = element("small", cell.doubt, class_="doubt") if cell.doubt else ""
    links = [item for mark in cell.marks for item in (mark_link(mark), " ")]
    note: Html | str = fragment(cell.note, " ") if compact and cell.note else cell.note
    lines = [[note, *links]] if compact else [[note], links]
    below = [element("small", *line) for line in lines if any(line)]
    tone = f"value {cell.tone}".strip()
    return element("span", write(cell.text), doubt, *below, class_=tone, title=cell.hint or None)


def mark_link(mark: str) -> Html:
    """A link to the source of the numbers beside it."""
    return element("a", mark, href=f"#{mark}", class_="mark", aria_label=f"source {mark}")
