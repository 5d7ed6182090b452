"""The whole HTML page: one file, no request to anywhere.

The content security policy forbids every request, so a mistake here cannot make the page call out.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgezoo.report.across import (
    conditions,
    failures,
    published_latencies,
    references,
    side_by_side,
)
from edgezoo.report.across_sections import accuracy_sections, across_sections
from edgezoo.report.blocks import Section, mark_link
from edgezoo.report.data import ReportData
from edgezoo.report.gallery import gallery_section
from edgezoo.report.grouping import Grouping, group_measurements
from edgezoo.report.markup import Html, element, fragment, script
from edgezoo.report.operations import operations_section
from edgezoo.report.provenance import provenance_section
from edgezoo.report.quantization import quantization_section
from edgezoo.report.results import file_section, is_crowded, left_out_section, result_sections
from edgezoo.report.script import SCRIPT
from edgezoo.report.style import STYLE
from edgezoo.report.verdict import Verdict, verdicts
from edgezoo.report.where import profile_section

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'"
)


def html_page(data: ReportData) -> str:
    """Return the page. Same data, same text."""
    grouping = group_measurements(data)
    sections = _sections(data, grouping)
    return document(f"{data.title} – edgezoo report", _header(data, grouping, sections), sections)


def document(title: str, header: Html, sections: Sequence[Section]) -> str:
    """Return a page of ``sections`` under ``header``, with all that it needs inside."""
    body = element(
        "body",
        header,
        element("main", *(section.body for section in sections)),
        element("noscript", "The plots need JavaScript; the tables hold the same numbers."),
        *_scripts(sections),
    )
    page = element("html", _head(title), body, lang="en")
    return f"<!DOCTYPE html>\n{page.text}\n"


def _sections(data: ReportData, grouping: Grouping) -> list[Section]:
    """Few groups come before what they have in common, many after it."""
    results = list(result_sections(data, grouping))
    overview = [
        *accuracy_sections(data, grouping),
        *across_sections((*published_latencies(data, grouping), *references(grouping))),
    ]
    optional = (
        profile_section(data, grouping),
        quantization_section(data),
        _titled("operations", "Operations", operations_section(data)),
        _titled("photos", "Photos", gallery_section(data)),
        _titled("sources", "Sources", provenance_section(data, grouping)),
    )
    return [
        *file_section(data, grouping),
        *across_sections(side_by_side(grouping)),
        *([*overview, *results] if is_crowded(grouping) else [*results, *overview]),
        *across_sections((*failures(data, grouping), *conditions(grouping))),
        *left_out_section(grouping),
        *(one for one in optional if one is not None),
    ]


def _titled(anchor: str, heading: str, body: Html | None) -> Section | None:
    return Section(anchor, heading, body) if body else None


def _head(title: str) -> Html:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(STYLE)),
    )


def _header(data: ReportData, grouping: Grouping, sections: list[Section]) -> Html:
    headline, *others = verdicts(data, grouping)
    items = [element("li", *_sentence(verdict)) for verdict in others]
    links = [element("a", section.heading, href=f"#{section.anchor}") for section in sections]
    return element(
        "header",
        element("p", "edgezoo report", class_="eyebrow"),
        element("h1", data.title),
        element("p", *_sentence(headline), class_="verdict"),
        element("ul", *items, class_="verdicts") if items else fragment(),
        element("nav", *links, aria_label="Sections"),
    )


def _sentence(verdict: Verdict) -> list[Html | str]:
    links = [item for mark in verdict.marks for item in (" ", mark_link(mark))]
    return [verdict.text, element("small", *links)]


def _scripts(sections: Sequence[Section]) -> list[Html]:
    """Plotly's 5 MB only where there is a plot to draw."""
    if any("data-figure=" in section.body.text for section in sections):
        from plotly.offline import get_plotlyjs  # slow to import, and only needed here

        return [script(get_plotlyjs()), script(SCRIPT)]
    return [script(SCRIPT)]
