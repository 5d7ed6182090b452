"""Cells about one artifact and about one measurement; every table takes them from here.

What has no number is muted and says why in its hint; a number in doubt carries its doubt.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgezoo.report.data import ArtifactEntry
from edgezoo.report.grouping import Group, Timing
from edgezoo.report.numbers import (
    binomial_interval,
    decibels,
    images_per_second,
    mebibytes,
    megabytes,
    millijoules,
    milliseconds,
    percent,
    relative_error,
    significant,
    times,
)
from edgezoo.report.table import NOTHING, Cell, Tone, nothing
from edgezoo.report.words import (
    FLOAT_RECIPE,
    describe_inputs,
    describe_status,
    float_timing,
    has_interval,
    requested,
    speed_ratio,
)

# ------------------------------------------------------------------- of the files


def size_cell(entry: ArtifactEntry, float_bytes: int | None) -> Cell:
    """The file's size, and its share of the float file's."""
    size_bytes = entry.artifact.bytes
    hint = f"{size_bytes:,} bytes on disk"
    if not float_bytes or entry.artifact.recipe == FLOAT_RECIPE:
        return Cell(megabytes(size_bytes), hint=hint)
    return Cell(megabytes(size_bytes), note=percent(size_bytes / float_bytes), hint=hint)


def sqnr_cell(entry: ArtifactEntry) -> Cell:
    """Signal to error against PyTorch."""
    comparison = entry.artifact.comparison
    hint = f"signal to error over all logits, {describe_inputs(comparison)}"
    return Cell(decibels(comparison.sqnr_db), hint=hint)


def relative_error_cell(entry: ArtifactEntry) -> Cell:
    """The largest difference over the largest logit."""
    comparison = entry.artifact.comparison
    hint = (
        f"largest difference {significant(comparison.max_abs)} over the largest logit, "
        f"{describe_inputs(comparison)}"
    )
    return Cell(relative_error(comparison.max_rel), hint=hint)


def agreement_cell(entry: ArtifactEntry) -> Cell:
    """How often the file picks PyTorch's first class."""
    comparison = entry.artifact.comparison
    text, hint = percent(comparison.top1_agreement), describe_inputs(comparison)
    if comparison.samples > 0:
        low, high = binomial_interval(comparison.top1_agreement, comparison.samples)
        hint += f"; 95 % interval {percent(low)} to {percent(high)}"
    return Cell(text, note=f"n = {comparison.samples}", hint=hint)


def partitions_cell(entry: ArtifactEntry) -> Cell:
    """How many partitions XNNPACK made."""
    if entry.partitions is None:
        return nothing("XNNPACK partitions are counted in TFLite files")
    tone: Tone = "" if entry.partitions == 1 else "warn"
    return Cell(str(entry.partitions), tone=tone, hint="1 means that XNNPACK takes the whole graph")


# --------------------------------------------------------------- of the measurements


def latency_cell(timing: Timing) -> Cell:
    """The median with its interval, or that it failed and why."""
    measurement, latency = timing.measurement, timing.shown_latency_ms
    if latency is None:
        tone: Tone = "bad" if timing.failed else "warn"
        return Cell(timing.status, tone=tone, hint=describe_status(timing))
    runs = sum(process.runs for process in measurement.processes)
    kind = "timed runs" if any(p.aggregates for p in measurement.processes) else "raw samples"
    hint = (
        f"median of {len(measurement.processes)} process medians, {runs} {kind}, "
        f"{measurement.runner} {measurement.runner_version}"
    )
    note = "no interval"
    if has_interval(latency):
        note = "–".join(significant(bound) for bound in latency.interval)
    return measured_cell(timing, milliseconds(latency.median), hint, note)


def measured_cell(timing: Timing, text: str, hint: str, note: str = "") -> Cell:
    """A number of ``timing``, with its doubt if there is one."""
    if not timing.doubt:
        return Cell(text, note=note, hint=hint)
    hint = f"{hint}; {describe_status(timing)}"
    return Cell(text, doubt=timing.doubt, note=note, hint=hint, tone="muted")


def speed_cell(timing: Timing, group: Group) -> Cell:
    """How much faster than the float file of the same model."""
    ratio = speed_ratio(timing, group)
    if ratio is None:
        return nothing(_why_no_ratio(timing, group))
    if ratio.distinct is False:
        return Cell("same", hint="the two 95 % intervals overlap", tone="muted")
    faster = ratio.ratio >= 1
    text = times(ratio.ratio if faster else 1 / ratio.ratio)
    return Cell(text, note="faster" if faster else "slower")


def _why_no_ratio(timing: Timing, group: Group) -> str:
    other = float_timing(timing, group)
    if other is None:
        return ""
    doubts = {t.measurement.recipe: t.doubt for t in (timing, other) if t.doubt}
    words = " and ".join(f"{recipe} is {doubt}" for recipe, doubt in doubts.items())
    return f"not compared: {words}" if words else ""


def p90_cell(timing: Timing) -> Cell:
    """The 90th percentile of all samples; of a runner that keeps none the 95th, and it says so."""
    latency = timing.shown_latency_ms
    if latency is None:
        return NOTHING
    if latency.p90 is not None:
        return measured_cell(timing, milliseconds(latency.p90), "90th percentile of all samples")
    if latency.p95 is None:
        return nothing("this runner keeps no samples")
    hint = "median of the processes' 95th percentiles: this runner keeps no samples"
    return measured_cell(timing, milliseconds(latency.p95), hint, note="p95")


def memory_cell(timing: Timing) -> Cell:
    """The peak memory of the measuring process."""
    if timing.shown_latency_ms is None:
        return NOTHING
    memory_mib = timing.measurement.peak_memory_mib
    if memory_mib is None:
        return nothing("not recorded by this runner")
    hint = str(timing.measurement.delegate.get("memory", "peak of the measuring process"))
    return measured_cell(timing, mebibytes(memory_mib), hint)


def energy_cell(timing: Timing) -> Cell:
    """The energy of one inference with its interval, from the phone's own fuel gauge."""
    energy = timing.measurement.energy
    if energy is None or timing.shown_latency_ms is None:
        return NOTHING
    note = "–".join(significant(bound) for bound in energy.interval)
    hint = (
        f"of one inference, from the phone's own fuel gauge: {significant(energy.load_mw)} mW under "
        f"load less {significant(energy.baseline_mw)} mW idle, {energy.samples} readings"
    )
    return measured_cell(timing, millijoules(energy.millijoules), hint, note)


def status_cell(timing: Timing) -> Cell:
    """The status, and the class of a failure."""
    tones: Mapping[str, Tone] = {"ok": "good", "failed": "bad"}
    return Cell(
        timing.status,
        note=timing.failure_class,
        hint="" if timing.status == "ok" else describe_status(timing),
        tone=tones.get(timing.status, "warn"),
    )


def runner_cell(timing: Timing) -> Cell:
    """What ran the file, and on what it was asked to run it."""
    sustained = "sustained" if timing.measurement.plan.sustained_s > 0 else ""
    note = ", ".join(part for part in (requested(timing), sustained) if part)
    return Cell(timing.measurement.runner, note=note)


def throughput_cell(timing: Timing) -> Cell:
    """Images per second of runs back to back."""
    throughput = timing.measurement.throughput
    if throughput is None:
        return NOTHING
    note = "–".join(significant(bound) for bound in throughput.interval)
    hint = "from runs back to back, apart from the latency"
    return measured_cell(timing, images_per_second(throughput), hint, note)


def exactness_cell(timing: Timing) -> Cell:
    """Signal to error of a reference run against float32 on the processor."""
    found = timing.measurement.delegate.get("sqnr_db")
    if not isinstance(found, (int, float)):
        return NOTHING
    return Cell(decibels(found), hint="signal to error against float32 on the processor")
