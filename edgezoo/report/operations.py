"""The operations of every artifact, and the counts next to what was published about the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgezoo.report.data import ArtifactEntry, ReportData
from edgezoo.report.markup import Html, breakable, element, fragment, headings
from edgezoo.report.numbers import ABSENT, count
from edgezoo.report.words import label_artifacts


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One published number: ``counted`` is ours, ``deviation`` (ours - published) / published."""

    name: str
    published: str
    counted: str
    deviation: str
    source: str


def published_rows(data: ReportData, model: str) -> tuple[PublishedRow, ...]:
    """What was published about ``model``, with our own counts where we have them.

    A value is a plain number, ``{"value": …, "source": …}`` or ``[value, source]``; a key
    ``source`` or ``<name>_source`` beside plain numbers is their source.
    """
    published = data.published.get(model, {})
    rows = []
    for name, raw in published.items():
        if name == "source" or (name.endswith("_source") and name[:-7] in published):
            continue
        beside = published.get(f"{name}_source", published.get("source", ""))
        value, source = _value_and_source(raw, beside)
        counted = _counted(data, model, name)
        rows.append(
            PublishedRow(
                name=name.replace("_", " "),
                published=_text(value),
                counted=count(counted),
                deviation=_deviation(counted, value),
                source=_text(source),
            )
        )
    return tuple(rows)


def _value_and_source(raw: Any, beside: Any) -> tuple[Any, Any]:  # Any: papers publish all kinds
    if isinstance(raw, Mapping) and "value" in raw:
        unit = f" {raw['unit']}" if raw.get("unit") else ""
        return (f"{_text(raw['value'])}{unit}" if unit else raw["value"]), raw.get("source", beside)
    if isinstance(raw, (list, tuple)) and len(raw) == 2 and isinstance(raw[1], str):
        return raw[0], raw[1]
    return raw, beside


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float) and value.is_integer() and abs(value) >= 1000:
        return f"{int(value):,}"
    return ABSENT if value is None or value == "" else str(value)


def _counted(data: ReportData, model: str, name: str) -> int | None:
    """Our count of params or macs, on the first (float) artifact of the model."""
    for entry in data.artifacts:
        if entry.artifact.model == model and name in ("params", "macs"):
            return entry.params if name == "params" else entry.macs
    return None


def _deviation(counted: int | None, published: Any) -> str:
    if counted is None or not isinstance(published, (int, float)) or not published:
        return ABSENT
    text = f"{100 * (counted - published) / published:+.1f} %"
    return "0 %" if text in ("+0.0 %", "-0.0 %") else text.replace("-", "−")


# ------------------------------------------------------------------------------- HTML


def operations_section(data: ReportData) -> Html | None:
    """Published numbers and one table of operations per artifact."""
    tables = [_published_table(data, model) for model in data.models]
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
        *tables,
        element("div", *cards, class_="cards"),
    )


def _has_graph(entry: ArtifactEntry) -> bool:
    return bool(entry.ops) or entry.params is not None or entry.macs is not None


def _published_table(data: ReportData, model: str) -> Html:
    rows = published_rows(data, model)
    if not rows:
        return fragment()
    numeric = ("Published", "Counted here", "Deviation")
    body = (
        element(
            "tr",
            element("th", row.name, scope="row"),
            element("td", row.published, class_="number"),
            element("td", row.counted, class_="number"),
            element("td", row.deviation, class_="number"),
            element("td", row.source),
        )
        for row in rows
    )
    table = element(
        "table",
        element("caption", f"{model}: counted and published"),
        headings(("", *numeric, "Source of the published number"), numeric),
        element("tbody", *body),
        class_="plain",
    )
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=model)


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
