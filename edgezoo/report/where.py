"""The section "Where the time goes": one profile per measured file."""

from __future__ import annotations

from collections.abc import Sequence

from edgezoo.measurement import Profile
from edgezoo.report.blocks import (
    Section,
    figure_of,
    html_table,
    mark_link,
    titled_section,
)
from edgezoo.report.data import ReportData
from edgezoo.report.grouping import Grouping, Timing
from edgezoo.report.icicle import icicle_plot
from edgezoo.report.markup import Html, element, fragment
from edgezoo.report.numbers import ABSENT, count, milliseconds, percent
from edgezoo.report.profile import (
    by_kind,
    by_place,
    coverage_sentence,
    longest,
    rate,
    share_of,
    shown_value,
)
from edgezoo.report.table import Cell, Heading, Table
from edgezoo.report.words import describe_setting, label_artifacts, label_timing

SHOWN_OPS = 10
SHOWN_KINDS = 8
CAPTION = (
    "Widths are shares of the time of all operations; from above, the network's modules down to "
    "single operations. Blue ones multiply matrices, orange ones do not, grey ones were added by "
    "the runtime or are too thin to draw. Choose a module to look into it, its upper edge to go back."
)


def profile_section(data: ReportData, grouping: Grouping) -> Section | None:
    """Return the profiles of the rows that have one, in the order of the rows."""
    profiled = profiled_timings(grouping)
    if not profiled:
        return None
    labels = label_artifacts(data.artifacts)
    words = element(
        "p",
        "Each file was run once more in a process of its own, with the runtime's instruments on. "
        "They cost time themselves, so the latencies above are not from these runs.",
    )
    parts = (
        _one(label_timing(timing, labels), setting, timing, profile, number)
        for number, (setting, timing, profile) in enumerate(profiled, start=1)
    )
    return titled_section("where", "Where the time goes", fragment(words, *parts))


def profiled_timings(grouping: Grouping) -> tuple[tuple[str, Timing, Profile], ...]:
    """Return setting, row and profile of every row that has one."""
    return tuple(
        (describe_setting(group.setting), timing, timing.measurement.profile)
        for group in grouping.groups
        for timing in group.timings
        if timing.measurement.profile is not None and timing.measurement.profile.ops
    )


def _one(label: str, setting: str, timing: Timing, profile: Profile, number: int) -> Html:
    return fragment(
        element("h3", label, " ", mark_link(timing.mark)),
        element("p", f"{setting}: {coverage_sentence(profile)}", class_="facts"),
        figure_of(icicle_plot(profile), f"where-{number}", CAPTION),
        html_table(operations_table(profile, label)),
        element("div", _bars("By kind", profile), _bars("By executor", profile), class_="cards"),
    )


def operations_table(profile: Profile, label: str) -> Table:
    """Return the operations that took longest."""
    columns = (
        Heading("Computes", numeric=False),
        Heading("Operation", numeric=False),
        Heading("Time"),
        Heading("Share"),
        Heading("MACs"),
        Heading("Achieved"),
    )
    rows = tuple(
        (
            Cell(shown_value(op) or ABSENT),
            Cell(op.op, note=op.where or ""),
            Cell(milliseconds(op.ms)),
            Cell(percent(share_of(op, profile))),
            Cell(count(op.macs) if op.macs else ABSENT),
            Cell(rate(op) or ABSENT),
        )
        for op in longest(profile, SHOWN_OPS)
    )
    return Table(f"The longest operations of {label}", columns, rows)


def _bars(title: str, profile: Profile) -> Html:
    shares = (by_kind if title == "By kind" else by_place)(profile)[:SHOWN_KINDS]
    return element(
        "article",
        element("h3", title),
        element(
            "table",
            element("caption", f"Time {title.lower()}", class_="hidden"),
            element("tbody", *(_bar(s.name, s.count, s.share) for s in shares)),
            class_="plain ops",
        ),
        class_="card",
    )


def _bar(name: str, number: int, share: float) -> Html:
    cells: Sequence[Html] = (
        element("th", name, " ", element("small", f"×{number}"), scope="row"),
        element("td", percent(share), class_="number"),
        element(
            "td",
            element("span", style=f"width:{100 * share:.1f}%"),
            class_="bar",
            aria_hidden="true",
        ),
    )
    return element("tr", *cells)
