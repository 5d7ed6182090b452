"""The report as JSON: the verdicts, the tables as they are printed, and every row in raw numbers.

``tables`` hold the page's own words, joined with ``measurements``, ``artifacts`` and ``sources`` by
the marks (m1, a1). Raw samples stay in the results file. A name is never changed; new ones may come.
"""

from __future__ import annotations

import json
import math
from typing import Any

from edgezoo.report.across import all_themes
from edgezoo.report.data import ArtifactEntry, ReportData
from edgezoo.report.grouping import Group, Grouping, Timing, group_measurements
from edgezoo.report.provenance import Source, artifact_sources, timing_sources
from edgezoo.report.table import Cell, Table
from edgezoo.report.tables import mark_artifacts, result_tables
from edgezoo.report.verdict import verdicts
from edgezoo.report.words import describe_failure
from edgezoo.types import to_json

SCHEMA = 1


def json_page(data: ReportData) -> str:
    """Return the text. Same data, same text; what is not finite is ``null``."""
    grouping = group_measurements(data)
    groups = (*grouping.groups, *grouping.references)
    page = {
        "schema": SCHEMA,
        "title": data.title,
        "verdicts": [{"text": v.text, "marks": v.marks} for v in verdicts(data, grouping)],
        "artifacts": _artifacts(data),
        "measurements": [_measurement(t, g, data) for g in groups for t in g.timings],
        "left_out": [
            {"artifact": m.artifact, "sha256": m.artifact_sha256, "measured_at": m.measured_at}
            for m in grouping.foreign
        ],
        "tables": _tables(data, grouping),
        "published": data.published,
        "sources": [_source(s) for s in (*artifact_sources(data), *timing_sources(grouping))],
    }
    return json.dumps(_finite(to_json(page)), indent=1, allow_nan=False) + "\n"


def _artifacts(data: ReportData) -> list[dict[str, Any]]:
    marks = mark_artifacts(data)
    return [_artifact(entry, marks[entry.name]) for entry in data.artifacts]


def _artifact(entry: ArtifactEntry, mark: str) -> dict[str, Any]:
    artifact = entry.artifact
    return {
        "mark": mark,
        "name": entry.name,
        "sha256": artifact.sha256,
        "model": artifact.model,
        "format": artifact.format,
        "recipe": artifact.recipe,
        "bytes": artifact.bytes,
        "comparison": artifact.comparison,
        "params": entry.params,
        "macs": entry.macs,
        "partitions": entry.partitions,
    }


def _measurement(timing: Timing, group: Group, data: ReportData) -> dict[str, Any]:
    """What the page shows of it, in numbers; a failure has no latency here either."""
    measurement, failed = timing.measurement, timing.failed
    return {
        "mark": timing.mark,
        "artifact": measurement.artifact,
        "artifact_sha256": measurement.artifact_sha256,
        "model": measurement.model,
        "format": measurement.format,
        "recipe": measurement.recipe,
        "device": group.setting.device,
        "serial": measurement.device.serial,
        "provenance": measurement.provenance,
        "status": timing.status,
        "failure_class": timing.failure_class or None,
        "message": describe_failure(timing) or None,
        "next_step": data.advice.get(timing.failure_class) if failed else None,
        "latency_ms": timing.shown_latency_ms,
        "throughput": None if failed else measurement.throughput,
        "peak_memory_mib": None if failed else measurement.peak_memory_mib,
        "energy": None if failed else measurement.energy,
        "runner": measurement.runner,
        "runner_version": measurement.runner_version,
        "runner_sha256": measurement.runner_sha256,
        "delegate": measurement.delegate,
        "plan": measurement.plan,
        "conditions": measurement.conditions,
        "measured_at": measurement.measured_at,
    }


def _tables(data: ReportData, grouping: Grouping) -> list[dict[str, Any]]:
    results = [_table("results", table) for table in result_tables(data, grouping)]
    across = [(theme.anchor, t) for theme in all_themes(data, grouping) for t in theme.tables]
    return [*results, *(_table(anchor, table) for anchor, table in across)]


def _table(section: str, table: Table) -> dict[str, Any]:
    return {
        "section": section,
        "caption": table.caption,
        "words": table.words,
        "columns": [column.heading for column in table.columns],
        "rows": [[_cell(cell) for cell in row] for row in table.rows],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    facts = {"text": cell.text, "doubt": cell.doubt, "note": cell.note, "marks": cell.marks}
    return {key: value for key, value in facts.items() if value or key == "text"}


def _source(source: Source) -> dict[str, Any]:
    facts = {fact.name: fact.value for fact in source.facts}
    return {"mark": source.mark, "title": source.title, "facts": facts}


def _finite(value: Any) -> Any:  # Any: JSON
    """JSON has no infinity: an SQNR of two identical outputs is ``null``."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
