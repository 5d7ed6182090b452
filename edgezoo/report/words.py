"""What artifacts, provenances, settings and failures are called; how two speeds are compared.

Speed is compared only within one group of measurements and only between those that are ``ok``,
and "faster" is said only where the intervals do not overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgezoo.measurement import Latency, Provenance
from edgezoo.plan import CORE_CHOICES
from edgezoo.report.data import ArtifactEntry
from edgezoo.report.grouping import Group, Setting, Timing, Way
from edgezoo.types import Comparison

FORMAT_NAMES = {"tflite": "TFLite", "onnx": "ONNX", "pytorch": "PyTorch", "coreml": "Core ML"}
ACCELERATOR_NAMES = {"cpu": "CPU", "gpu": "GPU delegate", "nnapi": "NNAPI"}
FLOAT_RECIPE = "fp32"
DOUBTFUL_TITLE = "Shown, but nothing is claimed from these numbers:"
NO_NUMBER_TITLE = "Without a number, and therefore in no plot:"

PROVENANCE_NAMES: Mapping[Provenance, str] = {
    "phone": "a phone",
    "host": "a computer",
    "gpu": "a GPU",
    "imported": "imported numbers",
    "simulated": "a simulated phone",
}
DEVICE_WORDS: Mapping[Provenance, str] = {
    "phone": "phone",
    "host": "computer",
    "gpu": "GPU",
    "imported": "device with imported numbers",
    "simulated": "simulated phone",
}
PROVENANCE_PLURALS: Mapping[Provenance, str] = {
    "phone": "Phones",
    "host": "Computers",
    "gpu": "GPUs",
    "imported": "Imported numbers",
    "simulated": "Simulated phones",
}
PROVENANCE_HEADINGS: Mapping[Provenance, str] = {
    "phone": "Measured on phones",
    "host": "Measured on a computer",
    "gpu": "Measured on a GPU",
    "imported": "Imported numbers",
    "simulated": "Simulated phones",
}
REFERENCE_HEADINGS: Mapping[Provenance, str] = {
    **PROVENANCE_HEADINGS,
    "gpu": "GPU reference",
    "host": "PyTorch reference on a computer",
}
REFERENCE_WORDS = (
    "Networks as they are in PyTorch, and ONNX files in ONNX Runtime, with inputs and outputs on the "
    "device; every row was compared with float32 before it was timed. It says nothing about phones."
)
PROVENANCE_WORDS: Mapping[Provenance, str] = {
    "phone": "Taken on a real phone over adb.",
    "host": (
        "Taken on a computer's processor, not on a phone. Compare these files with each other; "
        "a phone may rank them differently."
    ),
    "gpu": "A reference taken on a GPU; it says nothing about phones.",
    "imported": "Brought in from another source; edgezoo did not take these numbers.",
    "simulated": (
        "Made by the simulated phone that tests the tooling; not the speed of any real device."
    ),
}


@dataclass(frozen=True, slots=True)
class SpeedRatio:
    """How much faster than its float sibling; ``distinct`` is ``None`` without both intervals."""

    ratio: float
    distinct: bool | None


def label_artifacts(entries: Iterable[ArtifactEntry]) -> dict[str, str]:
    """File name to a short label: "w8a8 TFLite" where that is unique, else the file name."""
    entries = tuple(entries)
    short = {entry.name: _short(entry) for entry in entries}
    uses = Counter(short.values())
    return {name: label if uses[label] == 1 else name for name, label in short.items()}


def _short(entry: ArtifactEntry) -> str:
    return f"{entry.artifact.recipe} {FORMAT_NAMES[entry.artifact.format]}"


def label_timings(group: Group, labels: Mapping[str, str]) -> dict[str, str]:
    """Mark to label; rows of one artifact are told apart by their runner and accelerator.

    ``labels`` are those of the report's artifacts; another file goes by its name.
    """
    if group.setting.reference:
        return {timing.mark: timing.name for timing in group.timings}
    uses = Counter(timing.name for timing in group.timings)
    return {
        timing.mark: label_timing(timing, labels)
        + ("" if uses[timing.name] == 1 else f" ({describe_runner(timing)})")
        for timing in group.timings
    }


def label_timing(timing: Timing, labels: Mapping[str, str]) -> str:
    """The short label of the artifact that was measured, else its name."""
    if timing.entry is None or timing.measurement.plan.reference is not None:
        return timing.name
    return labels[timing.entry.name]


def describe_runner(timing: Timing) -> str:
    """The runner and what it was asked to run on: "benchmark_model, gpu"."""
    parts = (timing.measurement.runner, requested(timing), _duration(timing))
    return ", ".join(part for part in parts if part)


def requested(timing: Timing) -> str:
    """What was to execute the file, in the runner's word, or in the plan's where it gave none."""
    plan = timing.measurement.plan
    word = timing.measurement.delegate.get("requested")
    if word is None and plan.accelerator == "cpu":
        return "" if plan.xnnpack else "cpu without XNNPACK"
    return str(word or plan.accelerator)


def _duration(timing: Timing) -> str:
    seconds = timing.measurement.plan.sustained_s
    return f"sustained over {seconds:g} s" if seconds > 0 else ""


def float_sibling(entry: ArtifactEntry, entries: Iterable[ArtifactEntry]) -> ArtifactEntry | None:
    """The fp32 artifact of the same model and format, against which size and speed are judged."""
    for other in entries:
        same = (other.artifact.model, other.artifact.format) == (
            entry.artifact.model,
            entry.artifact.format,
        )
        if same and other.artifact.recipe == FLOAT_RECIPE:
            return other
    return None


def float_timing(timing: Timing, group: Group) -> Timing | None:
    """The row of the fp32 file of the same model and format, of the same runner and accelerator."""
    mine = timing.measurement
    if mine.recipe == FLOAT_RECIPE:
        return None
    for other in group.timings:
        theirs = other.measurement
        same = (theirs.model, theirs.format) == (mine.model, mine.format)
        if same and theirs.recipe == FLOAT_RECIPE and _same_way(timing, other):
            return other
    return None


def _same_way(one: Timing, other: Timing) -> bool:
    return describe_runner(one) == describe_runner(other)


def speed_ratio(timing: Timing, group: Group) -> SpeedRatio | None:
    """Latency of the float sibling over this one's; ``None`` unless both can be trusted."""
    other = float_timing(timing, group)
    if other is None or timing.trusted_latency_ms is None or other.trusted_latency_ms is None:
        return None
    return _ratio(timing.trusted_latency_ms, other.trusted_latency_ms)


def _ratio(mine: Latency, sibling: Latency) -> SpeedRatio | None:
    if mine.median <= 0:
        return None
    (low, high), (other_low, other_high) = mine.interval, sibling.interval
    known = has_interval(mine) and has_interval(sibling)
    distinct = (high < other_low or other_high < low) if known else None
    return SpeedRatio(sibling.median / mine.median, distinct)


def has_interval(latency: Latency) -> bool:
    """A single process gives no interval (low equals high)."""
    return latency.interval[0] < latency.interval[1]


def describe_inputs(comparison: Comparison) -> str:
    """What the artifact was compared on: "15 held-out photos", "16 random inputs"."""
    kind = "random inputs" if comparison.inputs == "random" else comparison.inputs
    if comparison.held_out is None:
        return f"{comparison.samples} {kind}"
    if comparison.held_out:
        return f"{comparison.samples} held-out {kind}"
    return f"{comparison.samples} {kind} also used for calibration"


def describe_setting(setting: Setting) -> str:
    """One line: device, processor, and what ran there."""
    parts = [
        setting.place,
        setting.cpu if setting.cpu != setting.device else "",
        "" if setting.reference and setting.provenance == "gpu" else describe_how(setting),
    ]
    return " · ".join(part for part in parts if part)


def describe_how(setting: Setting) -> str:
    """Threads and cores of the processor, or the accelerator: "4 threads on big cores"."""
    if setting.accelerator != "cpu":
        return ACCELERATOR_NAMES.get(setting.accelerator, setting.accelerator)
    return describe_threads(setting.threads, setting.cores)


def describe_threads(threads: int, cores: str = "none") -> str:
    """How many threads, and the cores where they were chosen: "4 threads on big cores"."""
    words = "1 thread" if threads == 1 else f"{threads} threads"
    named = f"{cores} cores" if cores in CORE_CHOICES else f"the cores of mask {cores}"
    return words if cores == "none" else f"{words} on {named}"


def describe_way(way: Way) -> str:
    """One line: runner, accelerator, threads and cores, and for how long where that matters."""
    accelerator = ACCELERATOR_NAMES.get(way.accelerator, way.accelerator)
    if way.accelerator == "cpu":
        accelerator = "CPU" if way.xnnpack else "CPU without XNNPACK"
    threads = describe_threads(way.threads, way.cores) if way.accelerator == "cpu" else ""
    sustained = f"sustained over {way.sustained_s:g} s" if way.sustained_s > 0 else ""
    return " · ".join(part for part in (way.runner, accelerator, threads, sustained) if part)


def describe_status(timing: Timing) -> str:
    """What a measurement came to, and why, in the runner's own words."""
    failure = f" ({timing.failure_class})" if timing.failure_class else ""
    message = describe_failure(timing)
    return f"{timing.status}{failure}{f': {message}' if message else ''}"


def describe_failure(timing: Timing) -> str:
    """The evidence for the status; a fallback that the store calls a number is told as one."""
    measurement = timing.measurement
    if timing.fallback and measurement.status != "failed":
        asked = measurement.plan.accelerator
        return f"{asked} was asked for, but it ran on {timing.fallback}"
    return measurement.message or ""
