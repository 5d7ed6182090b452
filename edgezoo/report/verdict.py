"""The sentences that open the page; every claim is derived from the data and names its sources.

Only ``ok`` measurements carry a claim; an unstable one is quoted with its interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgezoo.measurement import Latency
from edgezoo.report.data import ArtifactEntry, ReportData
from edgezoo.report.grouping import Group, Grouping, Timing, without_claim, without_number
from edgezoo.report.numbers import decibels, milliseconds, percent, relative_error, significant
from edgezoo.report.tables import mark_artifacts
from edgezoo.report.words import (
    FLOAT_RECIPE,
    PROVENANCE_NAMES,
    describe_inputs,
    float_sibling,
    float_timing,
    has_interval,
    label_artifacts,
    speed_ratio,
)
from edgezoo.types import FORMATS

SHIPPED_RECIPE = "w8a8"
MOST_ARTIFACTS = 4
MOST_NAMED = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence and the marks of the sources of its numbers."""

    text: str
    marks: tuple[str, ...] = ()


def verdicts(data: ReportData, grouping: Grouping) -> tuple[Verdict, ...]:
    """The headline first: what an app would ship, the w8a8 TFLite file before the ONNX one."""
    if not data.artifacts:
        return (Verdict("There is no artifact to report on."),)
    reduced = [entry for entry in data.artifacts if entry.artifact.recipe != FLOAT_RECIPE]
    ranked = sorted(reduced or data.artifacts, key=lambda entry: _order(entry, grouping))
    sentences = [_judge(entry, data, grouping) for entry in ranked[:MOST_ARTIFACTS]]
    return (*sentences, *_doubts(data, grouping), *_failures(data, grouping))


def _order(entry: ArtifactEntry, grouping: Grouping) -> tuple[bool, int, int, float, int]:
    """Among files of one recipe and format the fastest on the most telling provenance leads."""
    artifact = entry.artifact
    kind = artifact.recipe != SHIPPED_RECIPE, FORMATS.index(artifact.format)
    found = _trusted(entry, grouping)
    if found is None:
        return *kind, len(grouping.groups), 0.0, artifact.bytes
    _, latency, group = found
    return *kind, grouping.groups.index(group), latency.median, artifact.bytes


def _rows(entry: ArtifactEntry, grouping: Grouping) -> Iterator[tuple[Timing, Group]]:
    """The entry's timings; groups come in the order of how telling they are."""
    for group in grouping.groups:
        yield from ((timing, group) for timing in group.timings if timing.entry is entry)


def _trusted(entry: ArtifactEntry, grouping: Grouping) -> tuple[Timing, Latency, Group] | None:
    """The entry's first number that may carry a claim."""
    for timing, group in _rows(entry, grouping):
        if timing.trusted_latency_ms is not None:
            return timing, timing.trusted_latency_ms, group
    return None


def _doubtful(entry: ArtifactEntry, grouping: Grouping) -> tuple[Timing, Latency, Group] | None:
    """The entry's first number that is shown but carries no claim."""
    for timing, group in _rows(entry, grouping):
        if timing.doubt and timing.shown_latency_ms is not None:
            return timing, timing.shown_latency_ms, group
    return None


def _judge(entry: ArtifactEntry, data: ReportData, grouping: Grouping) -> Verdict:
    """A claim about speed where there is a trusted number, else the doubtful one as such."""
    name, mark = _name(entry, data), mark_artifacts(data)[entry.name]
    trusted, doubtful = _trusted(entry, grouping), _doubtful(entry, grouping)
    size = _size_clause(entry, data)
    if size and not (trusted and speed_ratio(trusted[0], trusted[2])):
        size += " than fp32"  # else the speed names it already
    said = [clause for clause in (size, _accuracy_clause(entry)) if clause]
    if trusted:
        sentence = f"{name} {_enumerate([_speed_clause(*trusted), *said])}."
        return Verdict(sentence, (mark, trusted[0].mark))
    if doubtful:
        sentence = f"{name}: {_doubtful_clause(*doubtful)}; it {_enumerate(said)}."
        return Verdict(sentence, (mark, doubtful[0].mark))
    tried = [timing.mark for timing, _ in _rows(entry, grouping)]
    untimed = "could not be timed" if tried else "has not been timed"
    return Verdict(f"{name} {_enumerate(said)}; it {untimed}.", (mark, *tried))


def _enumerate(clauses: list[str]) -> str:
    *first, last = clauses
    return f"{', '.join(first)} and {last}" if first else last


def _name(entry: ArtifactEntry, data: ReportData) -> str:
    label = label_artifacts(data.artifacts)[entry.name]
    unique = len(data.models) == 1 or label == entry.name
    return label if unique else f"{label} of {entry.artifact.model}"


def _place(group: Group, remark: str = "") -> str:
    threads = group.setting.threads
    where = PROVENANCE_NAMES[group.setting.provenance]
    place = f"on {where}" if group.setting.provenance != "imported" else f"in {where}"
    return place + f" ({threads} thread{'s' if threads != 1 else ''}{remark})"


def _speed_clause(timing: Timing, latency: Latency, group: Group) -> str:
    speed, place = speed_ratio(timing, group), _place(group)
    if speed is None:
        sibling = float_timing(timing, group)
        remark = f"; fp32 is {sibling.doubt}" if sibling and sibling.doubt else ""
        return f"takes {milliseconds(latency.median)} {_place(group, remark)}"
    if speed.distinct is False:
        return f"is not measurably faster or slower than fp32 {place}"
    faster = speed.ratio >= 1
    ratio = significant(speed.ratio if faster else 1 / speed.ratio, 2)
    doubt = "" if speed.distinct else ", without an interval to judge the difference by"
    return f"is {ratio}× {'faster' if faster else 'slower'} than fp32 {place}{doubt}"


def _doubtful_clause(timing: Timing, latency: Latency, group: Group) -> str:
    """Two digits: a third one would promise more than an unstable number holds."""
    bounds = "–".join(significant(bound, 2) for bound in latency.interval)
    interval = bounds if has_interval(latency) else "no interval"
    return f"{significant(latency.median, 2)} ms, {timing.doubt} ({interval}), {_place(group)}"


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
    inputs, sqnr = describe_inputs(comparison), decibels(comparison.sqnr_db)
    if entry.artifact.recipe == FLOAT_RECIPE:
        error = relative_error(comparison.max_rel)
        return f"differs from PyTorch by at most {error} of the largest logit on {inputs}"
    agreement = percent(comparison.top1_agreement)
    return f"picks PyTorch's first class on {agreement} of {inputs} (SQNR {sqnr})"


def _doubts(data: ReportData, grouping: Grouping) -> tuple[Verdict, ...]:
    bad = without_claim(grouping.timings)
    verb = "carries" if len(bad) == 1 else "carry"
    return _counted(f"{verb} no claim", bad, data, grouping)


def _failures(data: ReportData, grouping: Grouping) -> tuple[Verdict, ...]:
    return _counted("gave no number", without_number(grouping.timings), data, grouping)


def _counted(
    what: str, bad: Sequence[Timing], data: ReportData, grouping: Grouping
) -> tuple[Verdict, ...]:
    """How many of the measurements, and which; nothing where there is none."""
    if not bad:
        return ()
    labels, shown = label_artifacts(data.artifacts), bad[:MOST_NAMED]
    names = ", ".join(f"{_label(t, labels)} ({t.measurement.status})" for t in shown)
    more = f" and {len(bad) - len(shown)} more" if len(bad) > len(shown) else ""
    text = f"{len(bad)} of {len(grouping.timings)} measurements {what}: {names}{more}."
    return (Verdict(text, tuple(timing.mark for timing in shown)),)


def _label(timing: Timing, labels: Mapping[str, str]) -> str:
    reference = timing.measurement.plan.reference is not None
    return timing.name if reference else labels[timing.entry.name]
