"""The report as Markdown: the verdict, the same tables as the page, and their sources."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgezoo.measurement import Profile
from edgezoo.report.across import all_themes
from edgezoo.report.data import ReportData
from edgezoo.report.grouping import (
    Grouping,
    Timing,
    group_measurements,
    without_claim,
    without_number,
)
from edgezoo.report.profile import coverage_sentence
from edgezoo.report.provenance import Source, artifact_sources, timing_sources
from edgezoo.report.published import published_rows
from edgezoo.report.table import Cell, Table
from edgezoo.report.tables import result_tables
from edgezoo.report.verdict import Verdict, verdicts
from edgezoo.report.where import operations_table, profiled_timings
from edgezoo.report.words import (
    DOUBTFUL_TITLE,
    NO_NUMBER_TITLE,
    describe_status,
    label_artifacts,
    label_timing,
)

MOST_SOURCES = 48


def markdown_page(data: ReportData) -> str:
    """Return the text. Same data, same text."""
    grouping = group_measurements(data)
    headline, *others = verdicts(data, grouping)
    blocks = [f"# {_escape(data.title)}", f"**{_escape(headline.text)}**{_marks(headline)}"]
    if others:
        blocks.append("\n".join(f"- {_escape(v.text)}{_marks(v)}" for v in others))
    for table in result_tables(data, grouping):
        blocks += [f"## {_escape(table.caption)}", _table(table)]
    for theme in all_themes(data, grouping):
        blocks += [block for table in theme.tables for block in _theme_table(table)]
    blocks += _evidence(DOUBTFUL_TITLE, without_claim(grouping.timings))
    blocks += _evidence(NO_NUMBER_TITLE, without_number(grouping.timings))
    blocks += [block for found in profiled_timings(grouping) for block in _profile(data, *found)]
    blocks += [block for model in data.models for block in _published(data, model)]
    blocks.append("## Sources")
    blocks += _sources(data, grouping)
    return "\n\n".join(blocks) + "\n"


def _theme_table(table: Table) -> list[str]:
    words = [_escape(table.words)] if table.words else []
    return [f"## {_escape(table.caption)}", *words, _table(table)]


def _marks(verdict: Verdict) -> str:
    return f" ({', '.join(verdict.marks)})" if verdict.marks else ""


def _table(table: Table) -> str:
    headings = [column.heading for column in table.columns]
    rules = ["---:" if column.numeric else "---" for column in table.columns]
    lines = [_line([_escape(heading) for heading in headings]), _line(rules)]
    lines += [_line([_cell(cell) for cell in cells]) for cells in table.rows]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    aside = "; ".join(part for part in (cell.doubt, cell.note, ", ".join(cell.marks)) if part)
    return _escape(f"{cell.text} ({aside})" if aside else cell.text)


def _evidence(title: str, timings: Iterable[Timing]) -> list[str]:
    lines = [f"- {t.mark} {_escape(f'{t.name}: {describe_status(t)}')}" for t in timings]
    return [title, "\n".join(lines)] if lines else []


def _profile(data: ReportData, setting: str, timing: Timing, profile: Profile) -> list[str]:
    table = operations_table(profile, label_timing(timing, label_artifacts(data.artifacts)))
    sentence = _escape(f"{setting}: {coverage_sentence(profile)}")
    return [f"## {_escape(table.caption)} ({timing.mark})", sentence, _table(table)]


def _published(data: ReportData, model: str) -> list[str]:
    rows = published_rows(data, model)
    if not rows:
        return []
    lines = [_line(["Number", "Published", "Counted here", "Deviation", "Source"])]
    lines.append(_line(["---", "---:", "---:", "---:", "---"]))
    lines += [
        _line([_escape(t) for t in (r.name, r.published, r.counted, r.deviation, r.source)])
        for r in rows
    ]
    return [f"## {_escape(model)}: counted and published", "\n".join(lines)]


def _sources(data: ReportData, grouping: Grouping) -> list[str]:
    """All of them, unless that would be most of the text."""
    files, timings = artifact_sources(data), timing_sources(grouping)
    if len(timings) > MOST_SOURCES:
        where = f"Those of the {len(timings)} measurements are in report.html and report.json."
        return [*map(_source, files), where]
    return [_source(source) for source in (*files, *timings)]


def _source(source: Source) -> str:
    lines = [f"**{source.mark}** {_escape(source.title)}", ""]
    lines += [f"- {_escape(fact.name)}: {_escape(fact.value)}" for fact in source.facts]
    return "\n".join(lines)


def _escape(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, on one line."""
    one_line = re.sub(r"\s+", " ", text).strip()
    escaped = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", one_line)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
