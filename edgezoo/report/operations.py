"""The operations of every artifact, below what was published about the model."""

from __future__ import annotations

from edgezoo.report.blocks import folded
from edgezoo.report.data import ArtifactEntry, ReportData
from edgezoo.report.markup import Html, breakable, element, headings
from edgezoo.report.numbers import count
from edgezoo.report.published import published_table
from edgezoo.report.words import label_artifacts

UNFOLDED = 12  # cards; more of them open on a click


def operations_section(data: ReportData) -> Html | None:
    """Published numbers and one table of operations per artifact."""
    tables = [published_table(data, model) for model in data.models]
    labels = label_artifacts(data.artifacts)
    cards = [_card(entry, labels[entry.name]) for entry in data.artifacts if _has_graph(entry)]
    tables = [table for table in tables if table.text]
    if not cards and not tables:
        return None
    return element(
        "section",
        element("h2", "Operations", id="operations"),
        element(
            "p",
            "Parameters and multiply-accumulates (MACs) are counted on each file's own graph.",
        ),
        *(tables if len(tables) <= UNFOLDED else [folded("What was published", *tables)]),
        _cards(cards),
    )


def _cards(cards: list[Html]) -> Html:
    grid = element("div", *cards, class_="cards")
    return folded(f"Operations of {len(cards)} files", grid) if len(cards) > UNFOLDED else grid


def _has_graph(entry: ArtifactEntry) -> bool:
    return bool(entry.ops) or entry.params is not None or entry.macs is not None


def _card(entry: ArtifactEntry, label: str) -> Html:
    largest = max(entry.ops.values(), default=1)
    ordered = sorted(entry.ops.items(), key=lambda item: (-item[1], item[0]))
    rows = (
        element(
            "tr",
            element("th", breakable(name), scope="row"),
            element("td", count(number), class_="number"),
            element(
                "td",
                element("span", style=f"width:{100 * number / largest:.1f}%"),
                class_="bar",
                aria_hidden="true",
            ),
        )
        for name, number in ordered
    )
    return element(
        "article",
        element("h3", breakable(label)),
        element("p", _totals(entry), class_="facts"),
        element(
            "table",
            element("caption", f"Operations of {entry.name}", class_="hidden"),
            headings(("Operation", "Count", ""), ("Count",)),
            element("tbody", *rows),
            class_="plain ops",
        ),
        class_="card",
    )


def _totals(entry: ArtifactEntry) -> str:
    parts = [
        f"{count(entry.nodes)} nodes" if entry.nodes is not None else "",
        f"{count(entry.params)} parameters" if entry.params is not None else "",
        f"{count(entry.macs)} MACs" if entry.macs is not None else "",
    ]
    return ", ".join(part for part in parts if part)
