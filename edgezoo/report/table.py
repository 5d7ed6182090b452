"""A table as plain data, so that HTML, Markdown and JSON cannot disagree.

A column is a heading and a function from a row to a cell; a table is what they filled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from edgezoo.report.numbers import ABSENT

Tone = Literal["", "good", "warn", "bad", "muted"]
RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Cell:
    """``text``, the ``doubt`` about it in a word, a smaller line ``note``, an explanation ``hint``,
    the sources' ``marks``.
    """

    text: str
    doubt: str = ""
    note: str = ""
    hint: str = ""
    tone: Tone = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """A heading and what stands under it; ``prose`` holds sentences and needs room, ``compact``
    has the note and the marks in one line, for tables with many columns of numbers.
    """

    heading: str
    cell: Callable[[RowT], Cell]
    numeric: bool = True
    prose: bool = False
    compact: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a table whose cells are made elsewhere."""

    heading: str
    numeric: bool = True
    prose: bool = False
    compact: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under their columns; the first column names the row.

    ``words`` are what a reader must know before the first number, ``title`` a caption that is short
    because a section's heading stands above it.
    """

    caption: str
    columns: tuple[Column[Any] | Heading, ...]  # Any: rows of every kind, already filled in
    rows: tuple[tuple[Cell, ...], ...]
    words: str = ""
    title: str = ""


def fill(
    caption: str,
    columns: Sequence[Column[RowT]],
    rows: Sequence[RowT],
    *,
    words: str = "",
    title: str = "",
) -> Table:
    """Return the table of ``rows`` under ``columns``."""
    cells = tuple(tuple(column.cell(row) for column in columns) for row in rows)
    return Table(caption, tuple(columns), cells, words, title)


NOTHING = Cell(ABSENT, tone="muted")


def nothing(why: str) -> Cell:
    """A cell without a value, and why it has none."""
    return replace(NOTHING, hint=why)


def with_marks(cell: Cell, *marks: str) -> Cell:
    """The same cell with the marks of its sources."""
    return replace(cell, marks=marks)
