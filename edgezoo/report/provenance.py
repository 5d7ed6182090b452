"""Where every number comes from, as plain facts: HTML and Markdown print the same ones."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgezoo.measurement import Conditions, DeviceInfo, ProcessSamples
from edgezoo.report.blocks import folded
from edgezoo.report.data import ArtifactEntry, QuantizationFacts, ReportData
from edgezoo.report.grouping import Grouping, Timing
from edgezoo.report.markup import Html, element, headings
from edgezoo.report.numbers import (
    ABSENT,
    decibels,
    mebibytes,
    milliseconds,
    percent,
    relative_error,
)
from edgezoo.report.tables import mark_artifacts
from edgezoo.report.words import (
    PROVENANCE_NAMES,
    describe_inputs,
    describe_setting,
    describe_status,
    describe_threads,
)
from edgezoo.types import to_json

UNFOLDED_SOURCES = 24


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value; ``code`` values are hashes, paths and commands."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """All facts behind the numbers that carry ``mark``; processes only where they gave a number."""

    mark: str
    title: str
    facts: tuple[Fact, ...]
    processes: tuple[ProcessSamples, ...] = ()


def artifact_sources(data: ReportData) -> tuple[Source, ...]:
    """One per artifact: the file, the network it was made from, how it was compared."""
    marks = mark_artifacts(data)
    return tuple(
        Source(marks[entry.name], entry.name, _artifact_facts(entry)) for entry in data.artifacts
    )


def timing_sources(grouping: Grouping) -> tuple[Source, ...]:
    """One per measurement in the tables."""
    return tuple(
        Source(
            timing.mark,
            f"{timing.name} on {group.setting.place}",
            _timing_facts(timing),
            timing.measurement.processes if timing.shown_latency_ms else (),
        )
        for group in (*grouping.groups, *grouping.references)
        for timing in group.timings
    )


def _artifact_facts(entry: ArtifactEntry) -> tuple[Fact, ...]:
    artifact, comparison, origin = entry.artifact, entry.artifact.comparison, entry.origin
    facts = [
        Fact("sha256", artifact.sha256, code=True),
        Fact("bytes", f"{artifact.bytes:,}"),
        Fact("manifest", artifact.manifest.name, code=True),
        Fact("compared on", describe_inputs(comparison)),
        Fact(
            "difference from PyTorch",
            f"SQNR {decibels(comparison.sqnr_db)}, cosine {comparison.cosine:.6f}, "
            f"max abs {comparison.max_abs:.3g}, max rel {relative_error(comparison.max_rel)}, "
            f"first class {percent(comparison.top1_agreement)}",
        ),
    ]
    if artifact.parent:
        facts.append(Fact("float parent sha256", artifact.parent, code=True))
    if origin:
        facts += [
            Fact("PyTorch model", f"{origin.model}, input {'x'.join(map(str, origin.input))}"),
            Fact("weights", f"{origin.weights}, seed {origin.seed}{_options(origin.options)}"),
            Fact("weights sha256", origin.weights_sha256, code=True),
        ]
    if entry.key:
        facts.append(Fact("key of the inputs", entry.key, code=True))
    if entry.quantization:
        facts += _quantization_facts(entry.quantization)
    facts.append(Fact("preprocessing", _pairs(entry.preprocessing)))
    facts.append(Fact("versions", _pairs(entry.versions)))
    return tuple(fact for fact in facts if fact.value)


def _options(options: Mapping[str, Any]) -> str:
    return f", options {_pairs(options)}" if options else ""


def _quantization_facts(facts: QuantizationFacts) -> list[Fact]:
    photos = {
        "calibration": facts.calibration_photos,
        "selection of the range rule": facts.selection_photos,
        "evaluation": facts.evaluation_photos,
    }
    used = ", ".join(f"{number} for {use}" for use, number in photos.items() if number is not None)
    return [
        Fact("range rule", facts.rule or ""),
        Fact("photos", used),
        Fact("repairs", ", ".join(facts.repairs).replace("_", " ")),
    ]


def _timing_facts(timing: Timing) -> tuple[Fact, ...]:
    measurement, plan = timing.measurement, timing.measurement.plan
    runs = sum(process.runs for process in measurement.processes)
    kind = "timed runs" if any(p.aggregates for p in measurement.processes) else "raw samples"
    kept = "" if timing.shown_latency_ms else ", kept in the results file"
    facts = (
        Fact("provenance", f"{measurement.provenance}, {PROVENANCE_NAMES[measurement.provenance]}"),
        Fact("status", describe_status(timing)),
        *_device_facts(measurement.device),
        *_conditions_facts(measurement.conditions),
        Fact("runner", f"{measurement.runner} {measurement.runner_version}"),
        Fact("runner sha256", measurement.runner_sha256 or "", code=True),
        Fact("delegate", _pairs(measurement.delegate)),
        Fact("threads", describe_threads(plan.threads, plan.cores)),
        Fact("accelerator", "" if plan.accelerator == "cpu" else plan.accelerator),
        Fact(
            "plan",
            f"{plan.processes} processes, interleaved; each {plan.warmup} warm-up runs, then at "
            f"least {plan.runs} timed runs and {plan.min_seconds:g} s; seed {plan.seed}",
        ),
        Fact(kind, f"{runs:,} in {len(measurement.processes)} processes{kept}"),
        Fact("measured at", measurement.measured_at),
        Fact("sha256 of the file", measurement.artifact_sha256, code=True),
        Fact("sha256 of the logs", _logs(measurement.processes), code=True),
        Fact("versions", _pairs(measurement.versions)),
        Fact("command", shlex.join(measurement.command), code=True),
    )
    return tuple(fact for fact in facts if fact.value)


def _device_facts(device: DeviceInfo) -> tuple[Fact, ...]:
    load = "unknown" if device.load_1min is None else f"{device.load_1min:.2f}"
    return (
        Fact(
            "device", f"{device.name}, {device.cpu}, {device.cores} cores, {device.memory_mib} MiB"
        ),
        Fact("serial", device.serial),
        Fact("system", device.os),
        Fact("build", device.fingerprint or ""),
        Fact("governor", device.governor or "unknown"),
        Fact("load, 1 minute", load),
    )


def _conditions_facts(conditions: Sequence[Conditions]) -> tuple[Fact, ...]:
    """All that the device told, before and after; what it did not tell is left out."""
    names = ("before", "after") if len(conditions) > 1 else ("conditions",)
    return tuple(
        Fact(name, _pairs({k: v for k, v in to_json(one).items() if v not in (None, [])}))
        for name, one in zip(names, conditions, strict=False)
    )


def _logs(processes: Sequence[ProcessSamples]) -> str:
    return " ".join(process.log_sha256 for process in processes if process.log_sha256)


def _pairs(mapping: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_plain(value)}" for key, value in to_json(mapping).items())


def _plain(value: Any) -> str:  # Any: JSON
    if isinstance(value, list):
        return f"({', '.join(map(_plain, value))})"
    return f"({_pairs(value)})" if isinstance(value, dict) else str(value)


# ------------------------------------------------------------------------------- HTML


def provenance_section(data: ReportData, grouping: Grouping) -> Html:
    """All sources, folded; a mark in a table links to its own."""
    timings = timing_sources(grouping)
    measured = [element("h3", "Measurements"), *_measured(grouping, timings)] if timings else []
    return element(
        "section",
        element("h2", "Where the numbers come from", id="sources"),
        element("p", "Every row of the tables names its sources by these marks."),
        element("h3", "Files"),
        *_files(data),
        *measured,
    )


def _files(data: ReportData) -> list[Html]:
    files = [_details(source) for source in artifact_sources(data)]
    if not files:
        return [element("p", "No model file is in this report; only measurements tell of them.")]
    return [folded(f"{len(files)} files", *files)] if len(files) > UNFOLDED_SOURCES else files


def _measured(grouping: Grouping, sources: Sequence[Source]) -> list[Html]:
    """One list, or where it would be long one per setting, folded."""
    if len(sources) <= UNFOLDED_SOURCES:
        return [_details(source) for source in sources]
    by_mark = {source.mark: source for source in sources}
    return [
        folded(
            f"{describe_setting(group.setting)} – {group.timings[0].mark} to {group.timings[-1].mark}",
            *(_details(by_mark[timing.mark]) for timing in group.timings),
        )
        for group in (*grouping.groups, *grouping.references)
    ]


def _details(source: Source) -> Html:
    terms = []
    for fact in source.facts:
        value = element("code", fact.value) if fact.code else fact.value
        terms.append(element("div", element("dt", fact.name), element("dd", value)))
    return element(
        "details",
        element("summary", element("span", source.mark, class_="mark"), " ", source.title),
        element("dl", *terms),
        *([_processes(source)] if source.processes else []),
        id=source.mark,
    )


def _processes(source: Source) -> Html:
    numeric = ("Samples", "Median", "First run", "Load", "Peak memory", "Involuntary switches")
    rows = (
        element(
            "tr",
            element("th", str(number), scope="row"),
            *(element("td", text, class_="number") for text in _process_cells(process)),
        )
        for number, process in enumerate(source.processes, start=1)
    )
    table = element(
        "table",
        element("caption", f"Processes of {source.mark}", class_="hidden"),
        headings(("Process", *numeric), numeric),
        element("tbody", *rows),
        class_="plain",
    )
    label = f"Processes of {source.mark}"
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)


def _process_cells(process: ProcessSamples) -> tuple[str, ...]:
    median, memory = process.median_ms, process.peak_memory_mib
    return (
        str(process.runs),
        "none" if median is None else milliseconds(median),
        milliseconds(process.first_ms),
        milliseconds(process.load_ms),
        ABSENT if memory is None else mebibytes(memory),
        ABSENT if process.involuntary_switches is None else str(process.involuntary_switches),
    )
