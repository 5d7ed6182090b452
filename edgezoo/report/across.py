"""What several devices tell together, as tables: HTML, Markdown and JSON take them from here.

Phones that are real, simulated or imported each have their own tables; none mixes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgezoo.measurement import Provenance
from edgezoo.report.beside import beside_tables
from edgezoo.report.conditions import condition_tables
from edgezoo.report.data import ReportData
from edgezoo.report.failures import failure_tables
from edgezoo.report.grouping import Grouping
from edgezoo.report.published_latency import published_latency_tables
from edgezoo.report.side_by_side import side_by_side_tables
from edgezoo.report.table import Table
from edgezoo.report.words import PROVENANCE_PLURALS

# Those that a paper's phone and a reference may stand beside; in the order of the page.
DEVICES: tuple[Provenance, ...] = ("phone", "imported", "simulated")


@dataclass(frozen=True, slots=True)
class Theme:
    """Tables that answer one question; ``anchor`` names it on the page and in the JSON."""

    anchor: str
    heading: str
    tables: tuple[Table, ...]


def side_by_side(grouping: Grouping) -> tuple[Theme, ...]:
    """Devices of one provenance beside each other."""
    return _of_each(
        (*DEVICES, "host"),
        "side-by-side",
        "{} side by side",
        lambda provenance: side_by_side_tables(grouping, provenance),
    )


def published_latencies(data: ReportData, grouping: Grouping) -> tuple[Theme, ...]:
    """Published latencies and those of the devices here."""
    return _of_each(
        DEVICES,
        "published-latency",
        "{} beside published latencies",
        lambda provenance: published_latency_tables(data, grouping, provenance),
    )


def references(grouping: Grouping) -> tuple[Theme, ...]:
    """Phones beside computers and GPUs."""
    return _of_each(
        DEVICES,
        "beside",
        "{} beside computer and GPU",
        lambda provenance: beside_tables(grouping, provenance),
    )


def failures(data: ReportData, grouping: Grouping) -> tuple[Theme, ...]:
    """What gave no number, by device."""
    return _themes([Theme("failures", "Failures", failure_tables(data, grouping))])


def conditions(grouping: Grouping) -> tuple[Theme, ...]:
    """The state of the devices, by device."""
    return _themes([Theme("conditions", "Conditions", condition_tables(grouping))])


def all_themes(data: ReportData, grouping: Grouping) -> tuple[Theme, ...]:
    """All of them, in the order of the page."""
    return (
        *side_by_side(grouping),
        *published_latencies(data, grouping),
        *references(grouping),
        *failures(data, grouping),
        *conditions(grouping),
    )


def _of_each(
    provenances: Iterable[Provenance],
    anchor: str,
    heading: str,
    tables: Callable[[Provenance], tuple[Table, ...]],
) -> tuple[Theme, ...]:
    return _themes(
        Theme(
            f"{anchor}-{provenance}",
            heading.format(PROVENANCE_PLURALS[provenance]),
            tables(provenance),
        )
        for provenance in provenances
    )


def _themes(themes: Iterable[Theme]) -> tuple[Theme, ...]:
    return tuple(theme for theme in themes if theme.tables)
