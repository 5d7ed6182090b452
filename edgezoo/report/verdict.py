"""The sentences that open the page; every claim is derived from the data and names its sources.

Only ``ok`` measurements carry a claim; an unstable one is quoted with its interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from edgezoo.measurement import Latency, MeasuredFormat
from edgezoo.report.data import ArtifactEntry, ReportData
from edgezoo.report.grouping import (
    PROVENANCES,
    Group,
    Grouping,
    Timing,
    without_claim,
    without_number,
)
from edgezoo.report.numbers import decibels, milliseconds, percent, relative_error, significant
from edgezoo.report.tables import mark_artifacts
from edgezoo.report.words import (
    DEVICE_WORDS,
    FLOAT_RECIPE,
    PROVENANCE_NAMES,
    describe_how,
    describe_inputs,
    describe_runner,
    float_sibling,
    float_timing,
    has_interval,
    label_artifacts,
    label_timing,
    speed_ratio,
)

MEASURED_FORMATS: tuple[MeasuredFormat, ...] = get_args(MeasuredFormat)
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
    candidates = _candidates(data, grouping)
    if not candidates:
        return (Verdict("There is no artifact to report on."),)
    reduced = [one for one in candidates if one.recipe != FLOAT_RECIPE]
    ranked = sorted(reduced or candidates, key=lambda one: _order(one, grouping))
    sentences = [_judge(one, data, grouping) for one in ranked[:MOST_ARTIFACTS]]
    others = (*_coverage(grouping), *_doubts(data, grouping), *_failures(data, grouping))
    return (*sentences, *others)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file that a sentence can be about; ``entry`` where the report holds it."""

    name: str
    model: str
    format: MeasuredFormat
    recipe: str
    entry: ArtifactEntry | None


def _candidates(data: ReportData, grouping: Grouping) -> list[_Candidate]:
    """The report's files; without any, those that were measured."""
    if data.artifacts:
        return [
            _Candidate(e.name, e.artifact.model, e.artifact.format, e.artifact.recipe, e)
            for e in data.artifacts
        ]
    measured = (t.measurement for group in grouping.groups for t in group.timings)
    found = (_Candidate(m.artifact, m.model, m.format, m.recipe, None) for m in measured)
    return list(dict.fromkeys(found))


def _order(one: _Candidate, grouping: Grouping) -> tuple[bool, int, int, float, str]:
    """Among files of one recipe and format the fastest on the most telling provenance leads."""
    kind = one.recipe != SHIPPED_RECIPE, MEASURED_FORMATS.index(one.format)
    found = _trusted(one, grouping)
    if found is None:
        size_bytes = one.entry.artifact.bytes if one.entry else 0
        return *kind, len(grouping.groups), float(size_bytes), one.name
    _, latency, group = found
    return *kind, grouping.groups.index(group), latency.median, one.name


def _rows(one: _Candidate, grouping: Grouping) -> Iterator[tuple[Timing, Group]]:
    """The file's timings; groups come in the order of how telling they are."""
    for group in grouping.groups:
        for timing in group.timings:
            if timing.name == one.name if one.entry is None else timing.entry is one.entry:
                yield timing, group


def _trusted(one: _Candidate, grouping: Grouping) -> tuple[Timing, Latency, Group] | None:
    """The file's first number that may carry a claim."""
    for timing, group in _rows(one, grouping):
        if timing.trusted_latency_ms is not None:
            return timing, timing.trusted_latency_ms, group
    return None


def _doubtful(one: _Candidate, grouping: Grouping) -> tuple[Timing, Latency, Group] | None:
    """The file's first number that is shown but carries no claim."""
    for timing, group in _rows(one, grouping):
        if timing.doubt and timing.shown_latency_ms is not None:
            return timing, timing.shown_latency_ms, group
    return None


def _judge(one: _Candidate, data: ReportData, grouping: Grouping) -> Verdict:
    """A claim about speed where there is a trusted number, else the doubtful one as such."""
    name, entry = _name(one, data), one.entry
    marks = (mark_artifacts(data)[entry.name],) if entry else ()
    trusted, doubtful = _trusted(one, grouping), _doubtful(one, grouping)
    size = _size_clause(entry, data) if entry else ""
    if size and not (trusted and speed_ratio(trusted[0], trusted[2])):
        size += " than fp32"  # else the speed names it already
    said = [clause for clause in (size, _accuracy_clause(entry) if entry else "") if clause]
    if trusted:
        clauses = [_speed_clause(*trusted, grouping), *said]
        return Verdict(f"{name} {_enumerate(clauses)}.", (*marks, trusted[0].mark))
    if doubtful:
        rest = f"; it {_enumerate(said)}" if said else ""
        sentence = f"{name}: {_doubtful_clause(*doubtful, grouping)}{rest}."
        return Verdict(sentence, (*marks, doubtful[0].mark))
    tried = [timing.mark for timing, _ in _rows(one, grouping)]
    untimed = "could not be timed" if tried else "has not been timed"
    rest = f"{_enumerate(said)}; it " if said else ""
    return Verdict(f"{name} {rest}{untimed}.", (*marks, *tried[:MOST_NAMED]))


def _enumerate(clauses: list[str]) -> str:
    *first, last = clauses
    return f"{', '.join(first)} and {last}" if first else last


def _name(one: _Candidate, data: ReportData) -> str:
    if one.entry is None:
        return one.name
    label = label_artifacts(data.artifacts)[one.name]
    unique = len({e.artifact.model for e in data.artifacts}) == 1 or label == one.name
    return label if unique else f"{label} of {one.model}"


def _place(group: Group, grouping: Grouping, remark: str = "") -> str:
    setting, devices = (
        group.setting,
        {g.setting.device for g in grouping.of(group.setting.provenance)},
    )
    where = PROVENANCE_NAMES[setting.provenance]
    if len(devices) > 1:
        where += f", {setting.device}"
    place = f"on {where}" if setting.provenance != "imported" else f"in {where}"
    return place + f" ({describe_how(setting)}{remark})"


def _speed_clause(timing: Timing, latency: Latency, group: Group, grouping: Grouping) -> str:
    speed, place = speed_ratio(timing, group), _place(group, grouping)
    if speed is None:
        sibling = float_timing(timing, group)
        remark = f"; fp32 is {sibling.doubt}" if sibling and sibling.doubt else ""
        return f"takes {milliseconds(latency.median)} {_place(group, grouping, remark)}"
    if speed.distinct is False:
        return f"is not measurably faster or slower than fp32 {place}"
    faster = speed.ratio >= 1
    word = "faster" if faster else "slower"
    everywhere = _everywhere(timing, group, grouping)
    if everywhere:
        low, high = (significant(ratio, 2) for ratio in (everywhere[0], everywhere[-1]))
        kind = _plural(len(everywhere), DEVICE_WORDS[group.setting.provenance])
        return f"is {low}× to {high}× {word} than fp32 on {kind} ({describe_how(group.setting)})"
    ratio = significant(speed.ratio if faster else 1 / speed.ratio, 2)
    doubt = "" if speed.distinct else ", without an interval to judge the difference by"
    return f"is {ratio}× {word} than fp32 {place}{doubt}"


def _everywhere(timing: Timing, group: Group, grouping: Grouping) -> list[float]:
    """The ratios on all devices of the provenance, if there are several and they agree in sign."""
    setting, found = group.setting, []
    for other in grouping.of(setting.provenance):
        alike = describe_how(other.setting) == describe_how(setting)
        for row in other.timings if alike else ():
            same = row.measurement.subject == timing.measurement.subject
            if same and describe_runner(row) == describe_runner(timing):
                found.append(speed_ratio(row, other))
    if len(found) < 2 or not all(speed and speed.distinct for speed in found):
        return []
    ratios = [speed.ratio for speed in found if speed]
    if min(ratios) >= 1:
        return sorted(ratios)
    return sorted(1 / ratio for ratio in ratios) if max(ratios) < 1 else []


def _doubtful_clause(timing: Timing, latency: Latency, group: Group, grouping: Grouping) -> str:
    """Two digits: a third one would promise more than an unstable number holds."""
    bounds = "–".join(significant(bound, 2) for bound in latency.interval)
    interval = bounds if has_interval(latency) else "no interval"
    number = significant(latency.median, 2)
    return f"{number} ms, {timing.doubt} ({interval}), {_place(group, grouping)}"


def _coverage(grouping: Grouping) -> tuple[Verdict, ...]:
    """What was measured where, once it is more than one device."""
    groups = (*grouping.groups, *grouping.references)
    devices = dict.fromkeys((g.setting.provenance, g.setting.device, g.setting.cpu) for g in groups)
    if len(devices) < 2:
        return ()
    counts = Counter(provenance for provenance, _, _ in devices)
    kinds = [_plural(counts[p], DEVICE_WORDS[p]) for p in PROVENANCES if counts[p]]
    return (Verdict(f"{len(grouping.timings)} measurements on {_enumerate(kinds)}."),)


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


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
    several = len({group.setting.device for group in grouping.groups}) > 1
    labels, shown = label_artifacts(data.artifacts), bad[:MOST_NAMED]
    names = ", ".join(
        f"{label_timing(t, labels)}{f' on {t.measurement.device.name}' if several else ''} ({t.status})"
        for t in shown
    )
    more = f" and {len(bad) - len(shown)} more" if len(bad) > len(shown) else ""
    text = f"{len(bad)} of {len(grouping.timings)} measurements {what}: {names}{more}."
    return (Verdict(text, tuple(timing.mark for timing in shown)),)
