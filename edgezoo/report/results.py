"""The sections with tables and plots: one per provenance, never two in one table or plot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from edgezoo.report.data import QuantizationFacts, ReportData
from edgezoo.report.grouping import Group, Grouping, Timing, without_claim, without_number
from edgezoo.report.markup import Html, element, file_name, fragment, json_script
from edgezoo.report.plots import Plot, latency_plot, range_rule_plot, trade_off_plot
from edgezoo.report.tables import Cell, Table, file_table, group_table, reference_table
from edgezoo.report.words import (
    DOUBTFUL_TITLE,
    NO_NUMBER_TITLE,
    PROVENANCE_HEADINGS,
    PROVENANCE_WORDS,
    REFERENCE_HEADINGS,
    REFERENCE_WORDS,
    describe_setting,
    describe_status,
    label_artifacts,
    label_timings,
)


@dataclass(frozen=True, slots=True)
class Section:
    """A section and its entry in the page's table of contents."""

    anchor: str
    heading: str
    body: Html


def result_sections(data: ReportData, grouping: Grouping) -> Iterator[Section]:
    """The files where they are not part of the only table, then one section per provenance."""
    if len(grouping.groups) != 1:
        nothing = element(
            "p",
            "Nothing has been timed yet. Run ",
            element("code", "edgezoo bench"),
            " on these files, then ",
            element("code", "edgezoo report"),
            " again.",
            class_="notice",
        )
        body = fragment(html_table(file_table(data)), *([] if grouping.groups else [nothing]))
        yield titled_section("files", "Files", body)
    numbered = enumerate(grouping.groups, start=1)
    for provenance, members in groupby(numbered, key=lambda pair: pair[1].setting.provenance):
        parts = [_group(group, number, grouping, data) for number, group in members]
        words = element("p", PROVENANCE_WORDS[provenance])
        yield titled_section(provenance, PROVENANCE_HEADINGS[provenance], fragment(words, *parts))
    for provenance, groups in groupby(grouping.references, key=lambda g: g.setting.provenance):
        parts = [_reference(group, data) for group in groups]
        words = element("p", REFERENCE_WORDS)
        anchor = f"reference-{provenance}"
        yield titled_section(anchor, REFERENCE_HEADINGS[provenance], fragment(words, *parts))
    if grouping.foreign:
        yield titled_section("left-out", "Left out", _foreign(grouping))


def titled_section(anchor: str, heading: str, body: Html) -> Section:
    """A section under its heading, reached by ``#anchor``."""
    block = element("section", element("h2", heading, id=anchor), body, class_=f"of-{anchor}")
    return Section(anchor, heading, block)


def _group(group: Group, number: int, grouping: Grouping, data: ReportData) -> Html:
    labels = label_timings(group, label_artifacts(data.artifacts))
    return fragment(
        element("h3", describe_setting(group.setting)),
        html_table(group_table(group, grouping, data)),
        _evidence(DOUBTFUL_TITLE, without_claim(group.timings), labels),
        _evidence(NO_NUMBER_TITLE, without_number(group.timings), labels),
        figure_of(latency_plot(group, labels), f"latency-{number}", _latency_caption(group)),
        figure_of(
            trade_off_plot(group, labels),
            f"trade-off-{number}",
            _trade_off_caption(group),
        ),
        _older(group),
    )


def _reference(group: Group, data: ReportData) -> Html:
    labels = label_timings(group, {})
    return fragment(
        element("h3", describe_setting(group.setting)),
        html_table(reference_table(group, data)),
        _evidence(DOUBTFUL_TITLE, without_claim(group.timings), labels),
        _evidence(NO_NUMBER_TITLE, without_number(group.timings), labels),
        _older(group),
    )


def _latency_caption(group: Group) -> str:
    doubtful = " Hollow grey marks, listed last: unstable or throttled."
    return (
        f"Latency, {group.setting.provenance}. Large marks: median of process medians with its "
        "95 % interval. Faint dots: the median of each process. Circles are TFLite, "
        f"diamonds ONNX.{doubtful if without_claim(group.timings) else ''}"
    )


def _trade_off_caption(group: Group) -> str:
    doubtful = " Hollow grey marks: unstable or throttled."
    return (
        "Speed against faithfulness: up and to the left is better. Areas are file sizes, lines "
        "the intervals of the latency, names the marks of the rows in the table above."
        f"{doubtful if without_claim(group.timings) else ''}"
    )


def _evidence(title: str, timings: Sequence[Timing], labels: Mapping[str, str]) -> Html:
    """Why the numbers of ``timings`` are in doubt or missing, each in the runner's own words."""
    if not timings:
        return fragment()
    items = (
        element(
            "li", element("strong", labels[t.mark]), f" {describe_status(t)} ", mark_link(t.mark)
        )
        for t in timings
    )
    return element("div", element("p", title), element("ul", *items), class_="notice")


def _older(group: Group) -> Html:
    if not group.older:
        return fragment()
    plural = "measurement of these files is" if group.older == 1 else "measurements are"
    return element("p", f"{group.older} older {plural} not shown.", class_="small")


def _foreign(grouping: Grouping) -> Html:
    items = dict.fromkeys(
        f"{m.artifact} ({m.artifact_sha256[:12]}…), measured {m.measured_at}, {m.provenance}"
        for m in grouping.foreign
    )
    return fragment(
        element(
            "p",
            "These measurements were taken of files that are not in this report, or of an earlier "
            "version of them (the sha256 differs).",
        ),
        element("ul", *(element("li", item) for item in items)),
    )


# ----------------------------------------------------------------------- quantization


def quantization_section(data: ReportData) -> Section | None:
    """Which range rule was taken, and how the others did on the selection photos."""
    labels = label_artifacts(data.artifacts)
    shared: list[tuple[QuantizationFacts, list[str]]] = []
    for entry in data.artifacts:
        facts = entry.quantization
        if facts is None:
            continue
        known = next((names for other, names in shared if other == facts), None)
        if known is None:
            shared.append((facts, [labels[entry.name]]))
        else:
            known.append(labels[entry.name])
    if not shared:
        return None
    parts = [_quantized(facts, names, index) for index, (facts, names) in enumerate(shared, 1)]
    return titled_section("quantization", "Quantization", fragment(*parts))


def _quantized(facts: QuantizationFacts, names: Sequence[str], number: int) -> Html:
    sentences = []
    if facts.rule:
        sentences.append(f"Activation ranges by the rule {facts.rule}.")
    if facts.calibration_photos is not None:
        sentences.append(f"Calibrated on {facts.calibration_photos} photos.")
    if facts.selection_photos is not None:
        sentences.append(f"The rule was chosen on {facts.selection_photos} others.")
    if facts.evaluation_photos is not None:
        sentences.append(f"{facts.evaluation_photos} more were kept for the comparison.")
    repairs = ", ".join(facts.repairs).replace("_", " ")
    sentences.append(f"Repairs: {repairs or 'none'}.")
    caption = "SQNR on the selection photos, by range rule."
    return fragment(
        element("h3", ", ".join(names)),
        element("p", " ".join(sentences)),
        figure_of(range_rule_plot(facts), f"rules-{number}", caption),
    )


# ------------------------------------------------------------------------------- HTML


def figure_of(plot: Plot | None, identifier: str, caption: str) -> Html:
    """The place where the page's script draws ``plot``, and its data; nothing without a plot."""
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
        element("th", c.heading, scope="col", role="columnheader", class_=_kind(c.numeric))
        for c in table.columns
    )
    rows = []
    for cells in table.rows:
        first, *others = zip(table.columns, cells, strict=True)
        parts = [element("th", _cell(first[1], file_name), scope="row", role="rowheader")]
        parts += [
            element(
                "td",
                _cell(cell),
                role="cell",
                class_=_kind(column.numeric),
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
        class_="main",
        role="table",
    )
    return element(
        "div", whole, class_="scroll", tabindex=0, role="region", aria_label=table.caption
    )


def _kind(numeric: bool) -> str | None:
    return "number" if numeric else None


def _cell(cell: Cell, write: Callable[[str], Html] = fragment) -> Html:
    doubt = element("small", cell.doubt, class_="doubt") if cell.doubt else ""
    note = element("small", cell.note) if cell.note else ""
    links = [item for mark in cell.marks for item in (mark_link(mark), " ")]
    sources = element("small", *links) if links else ""
    tone = f"value {cell.tone}".strip()
    return element(
        "span", write(cell.text), doubt, note, sources, class_=tone, title=cell.hint or None
    )


def mark_link(mark: str) -> Html:
    """A link to the source of the numbers beside it."""
    return element("a", mark, href=f"#{mark}", class_="mark", aria_label=f"source {mark}")
