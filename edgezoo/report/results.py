"""The sections with tables and plots: one per provenance, never two in one table or plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from edgezoo.report.blocks import (
    Section,
    figure_of,
    folded,
    html_table,
    mark_link,
    titled_section,
)
from edgezoo.report.curve_plot import curve_plot
from edgezoo.report.data import ReportData
from edgezoo.report.grouping import Group, Grouping, Timing, without_claim, without_number
from edgezoo.report.markup import Html, element, fragment
from edgezoo.report.plots import latency_plot, trade_off_plot
from edgezoo.report.tables import file_table, group_table, reference_table
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

UNFOLDED = 3  # groups; more of them open one by one
UNFOLDED_FILES = 12
CURVE_CAPTION = (
    "Sustained measurements: the median of each window over time, without a pause in between. The "
    "latency in the table is that of the last third of the windows."
)
LISTED = 6  # sentences below a table; more of them stand in the section of failures alone


def file_section(data: ReportData, grouping: Grouping) -> Iterator[Section]:
    """The files where they are not part of the only table."""
    if len(grouping.groups) == 1 or not data.artifacts:
        return
    nothing = element(
        "p",
        "Nothing has been timed yet. Run ",
        element("code", "edgezoo bench"),
        " on these files, then ",
        element("code", "edgezoo report"),
        " again.",
        class_="notice",
    )
    table = html_table(file_table(data))
    if is_crowded(grouping) and len(data.artifacts) > UNFOLDED_FILES:
        table = folded(f"{len(data.artifacts)} files: size and difference from PyTorch", table)
    body = fragment(table, *([] if grouping.groups else [nothing]))
    yield titled_section("files", "Files", body)


def is_crowded(grouping: Grouping) -> bool:
    """Whether there are so many groups that each is folded and the overviews come first."""
    return len(grouping.groups) > UNFOLDED


def result_sections(data: ReportData, grouping: Grouping) -> Iterator[Section]:
    """One section per provenance, then one per kind of reference."""
    numbered = enumerate(grouping.groups, start=1)
    for provenance, members in groupby(numbered, key=lambda pair: pair[1].setting.provenance):
        parts = [_group(group, number, grouping, data) for number, group in members]
        words = element("p", PROVENANCE_WORDS[provenance])
        yield titled_section(provenance, PROVENANCE_HEADINGS[provenance], fragment(words, *parts))
    for provenance, groups in groupby(grouping.references, key=lambda g: g.setting.provenance):
        references = [_reference(group, data) for group in groups]
        words = element("p", REFERENCE_WORDS)
        anchor = f"reference-{provenance}"
        yield titled_section(anchor, REFERENCE_HEADINGS[provenance], fragment(words, *references))


def left_out_section(grouping: Grouping) -> Iterator[Section]:
    """What was measured of another content of the files."""
    if grouping.foreign:
        yield titled_section("left-out", "Left out", _foreign(grouping))


def _group(group: Group, number: int, grouping: Grouping, data: ReportData) -> Html:
    labels = label_timings(group, label_artifacts(data.artifacts))
    body = (
        html_table(group_table(group, grouping, data)),
        _evidence(DOUBTFUL_TITLE, without_claim(group.timings), labels),
        _evidence(NO_NUMBER_TITLE, without_number(group.timings), labels),
        figure_of(latency_plot(group, labels), f"latency-{number}", _latency_caption(group)),
        figure_of(trade_off_plot(group, labels), f"trade-off-{number}", _trade_off_caption(group)),
        figure_of(curve_plot(group, labels), f"curve-{number}", CURVE_CAPTION),
        _older(group),
    )
    heading = describe_setting(group.setting)
    if is_crowded(grouping):
        return folded(f"{heading} – {_tally(group)}", *body)
    return fragment(element("h3", heading), *body)


def _tally(group: Group) -> str:
    """How the measurements ended: "40 measurements, 2 unstable, 1 failed"."""
    plural = "" if len(group.timings) == 1 else "s"
    parts = [f"{len(group.timings)} measurement{plural}"]
    for status in ("unstable", "throttled", "failed"):
        number = sum(timing.status == status for timing in group.timings)
        parts += [f"{number} {status}"] if number else []
    return ", ".join(parts)


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
    if len(timings) > LISTED:
        where = element("a", "Failures", href="#failures") if title == NO_NUMBER_TITLE else "hover"
        return element(
            "p", f"{title} {len(timings)} measurements, see ", where, ".", class_="notice"
        )
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
            "These measurements were taken of another content of files with these names (the sha256 "
            "differs), most likely of an earlier one.",
        ),
        element("ul", *(element("li", item) for item in items)),
    )
