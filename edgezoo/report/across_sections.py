"""The page's sections about several devices: their tables, and one accuracy picture per device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edgezoo.report.accuracy import accuracy_points
from edgezoo.report.accuracy_plot import accuracy_plot
from edgezoo.report.across import Theme
from edgezoo.report.blocks import (
    Section,
    figure_of,
    folded,
    html_table,
    titled_section,
    titled_table,
)
from edgezoo.report.data import ReportData
from edgezoo.report.grouping import PROVENANCES, Group, Grouping, without_claim
from edgezoo.report.markup import Html, element, fragment
from edgezoo.report.table import Table
from edgezoo.report.words import (
    PROVENANCE_PLURALS,
    PROVENANCE_WORDS,
    describe_setting,
    label_artifacts,
    label_timings,
)

UNFOLDED_ROWS = 12  # of all tables of a theme; more of them open one by one
UNFOLDED_PICTURES = 6
FOLDING = ("failures", "conditions")
INTRODUCTIONS = {
    "failures": (
        "No number is printed for these. What one device refused in the same way shares a row; the "
        "marks lead to the plan and the command of each."
    ),
    "conditions": (
        "The state of each device before the first and after the last process of a measurement, "
        "which accelerator really ran, and the cold start. Hashes of the logs are among the sources."
    ),
}
ACCURACY_WORDS = (
    "Top-1 is what was published for the network in float; nothing here measured it. Filled marks are "
    "float files, and the green steps join those that no other float file beats in both. Hollow marks "
    "are quantized files: they stand at the top-1 of their float network, which is not theirs, and "
    "the line below ends where the photos on which they disagree with it could take it at most. "
    "Horizontal lines are the 95 % intervals of the latency, circles TFLite, diamonds ONNX."
)

AS_ABOVE = "Marks and lines mean what they mean in the section before."


def across_sections(themes: Iterable[Theme]) -> Iterator[Section]:
    """One section per theme; long lists of failures and conditions open device by device."""
    for theme in themes:
        introduction = INTRODUCTIONS.get(theme.anchor, "")
        if theme.anchor.endswith("-simulated"):
            introduction = PROVENANCE_WORDS["simulated"]
        words = element("p", introduction) if introduction else ""
        rows = sum(len(table.rows) for table in theme.tables)
        show = _folded if theme.anchor in FOLDING and rows > UNFOLDED_ROWS else titled_table
        body = fragment(words, *(show(table) for table in theme.tables))
        yield titled_section(theme.anchor, theme.heading, body)


def _folded(table: Table) -> Html:
    rows = f"{len(table.rows)} rows" if len(table.rows) > 1 else "1 row"
    words = element("p", table.words) if table.words else ""
    return folded(f"{table.title or table.caption} – {rows}", words, html_table(table))


def accuracy_sections(data: ReportData, grouping: Grouping) -> Iterator[Section]:
    """One section per provenance that has two networks with a published top-1 on one device."""
    told = False
    for provenance in PROVENANCES:
        pictures = [
            _picture(group, f"accuracy-{provenance}-{number}", data)
            for number, group in enumerate(grouping.of(provenance), start=1)
        ]
        drawn = [picture for picture in pictures if picture.text]
        if drawn:
            words = [element("p", AS_ABOVE if told else ACCURACY_WORDS)]
            told = True
            if provenance == "simulated":
                words.insert(0, element("p", PROVENANCE_WORDS[provenance]))
            heading = f"Accuracy and latency: {PROVENANCE_PLURALS[provenance].lower()}"
            first, others = drawn[:UNFOLDED_PICTURES], drawn[UNFOLDED_PICTURES:]
            shown = [element("div", *first, class_="figures")]
            if others:
                grid = element("div", *others, class_="figures")
                shown.append(folded(f"{len(others)} more settings", grid))
            body = fragment(*words, *shown)
            yield titled_section(f"accuracy-{provenance}", heading, body)


def _picture(group: Group, identifier: str, data: ReportData) -> Html:
    plot = accuracy_plot(group, label_timings(group, label_artifacts(data.artifacts)), data)
    if plot is None:
        return fragment()
    points = accuracy_points(group, data)
    parts = [describe_setting(group.setting)]
    hidden = len(group.timings) - len(points)
    parts += [f"not drawn for want of a number or a published top-1: {hidden}"] if hidden else []
    parts += ["grey: unstable or throttled, on no front"] if without_claim(group.timings) else []
    return figure_of(plot, identifier, "; ".join(parts) + ".")
