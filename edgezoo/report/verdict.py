"""The sentences that open the page; every claim is derived from the data and names its sources."""

from __future__ import annotations

from dataclasses import dataclass

from edgezoo.report.data import ArtifactEntry, ReportData
from edgezoo.report.grouping import Group, Grouping, Timing
from edgezoo.report.numbers import milliseconds, percent, relative_error, significant
from edgezoo.report.tables import mark_artifacts
from edgezoo.report.words import (
    FLOAT_RECIPE,
    PROVENANCE_NAMES,
    describe_inputs,
    float_sibling,
    label_artifacts,
    speed_ratio,
)
from edgezoo.types import Latency

MOST_ARTIFACTS = 4
MOST_FAILURES = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence and the marks of the sources of its numbers."""

    text: str
    marks: tuple[str, ...] = ()


def verdicts(data: ReportData, grouping: Grouping) -> tuple[Verdict, ...]:
    """The headline first: the fastest reduced artifact on the most telling provenance."""
    if not data.artifacts:
        return (Verdict("There is no artifact to report on."),)
    reduced = [entry for entry in data.artifacts if entry.artifact.recipe != FLOAT_RECIPE]
    ranked = sorted(reduced or data.artifacts, key=lambda entry: _order(entry, grouping))
    sentences = [_judge(entry, data, grouping) for entry in ranked[:MOST_ARTIFACTS]]
    return (*sentences, *_failures(data, grouping))


def _order(entry: ArtifactEntry, grouping: Grouping) -> tuple[int, float, int]:
    found = _timed(entry, grouping)
    if found is None:
        return len(grouping.groups), 0.0, entry.artifact.bytes
    _, latency, group = found
    return grouping.groups.index(group), latency.median, entry.artifact.bytes


def _timed(entry: ArtifactEntry, grouping: Grouping) -> tuple[Timing, Latency, Group] | None:
    """The entry's first number; groups come in the order of how telling they are."""
    for group in grouping.groups:
        for timing in group.timings:
            if timing.entry is entry and timing.latency_ms is not None:
                return timing, timing.latency_ms, group
    return None


def _judge(entry: ArtifactEntry, data: ReportData, grouping: Grouping) -> Verdict:
    found = _timed(entry, grouping)
    clauses = [_size_clause(entry, data), _accuracy_clause(entry)]
    if found is not None:
        clauses.insert(0, _speed_clause(*found))
    said = [clause for clause in clauses if clause]
    sentence = f"{_name(entry, data)} {_enumerate(said)}"
    marks = (mark_artifacts(data)[entry.name], *([found[0].mark] if found else []))
    if found is not None:
        return Verdict(f"{sentence}.", marks)
    tried = any(timing.entry is entry for timing in grouping.timings)
    untimed = "could not be timed reliably" if tried else "has not been timed"
    return Verdict(f"{sentence}; it {untimed}.", marks)


def _enumerate(clauses: list[str]) -> str:
    *first, last = clauses
    return f"{', '.join(first)} and {last}" if first else last


def _name(entry: ArtifactEntry, data: ReportData) -> str:
    label = label_artifacts(data.artifacts)[entry.name]
    unique = len(data.models) == 1 or label == entry.name
    return label if unique else f"{label} of {entry.artifact.model}"


def _speed_clause(timing: Timing, latency: Latency, group: Group) -> str:
    threads = group.setting.threads
    where = PROVENANCE_NAMES[group.setting.provenance]
    place = f"on {where}" if group.setting.provenance != "imported" else f"in {where}"
    place += f" ({threads} thread{'s' if threads != 1 else ''})"
    speed = speed_ratio(timing, group)
    if speed is None:
        return f"takes {milliseconds(latency.median)} {place}"
    if speed.distinct is False:
        return f"is not measurably faster or slower than fp32 {place}"
    faster = speed.ratio >= 1
    ratio = significant(speed.ratio if faster else 1 / speed.ratio, 2)
    doubt = "" if speed.distinct else ", without an interval to judge the difference by"
    return f"is {ratio}× {'faster' if faster else 'slower'} than fp32 {place}{doubt}"


def _size_clause(entry: ArtifactEntry, data: ReportData) -> str:
    sibling = float_sibling(entry, data.artifacts)
    if (
        sibling is None
        or sibling is entry
        or min(entry.artifact.bytes, sibling.artifact.bytes) <= 0
    ):
        return ""
    ratio = sibling.artifact.bytes / entry.artifact.bytes
    return f"is {significant(max(ratio, 1 / ratio), 2)}× {'smaller' if ratio >= 1 else 'larger'}"


def _accuracy_clause(entry: ArtifactEntry) -> str:
    comparison = entry.artifact.comparison
    inputs = describe_inputs(comparison)
    if entry.artifact.recipe == FLOAT_RECIPE:
        error = relative_error(comparison.max_rel)
        return f"differs from PyTorch by at most {error} of the largest logit on {inputs}"
    return f"picks PyTorch's first class on {percent(comparison.top1_agreement)} of {inputs}"


def _failures(data: ReportData, grouping: Grouping) -> tuple[Verdict, ...]:
    bad = [timing for timing in grouping.timings if timing.latency_ms is None]
    if not bad:
        return ()
    labels, shown = label_artifacts(data.artifacts), bad[:MOST_FAILURES]
    names = ", ".join(f"{labels[t.entry.name]} ({t.measurement.status})" for t in shown)
    more = f" and {len(bad) - len(shown)} more" if len(bad) > len(shown) else ""
    text = f"{len(bad)} of {len(grouping.timings)} measurements gave no number: {names}{more}."
    return (Verdict(text, tuple(timing.mark for timing in shown)),)
