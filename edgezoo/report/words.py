"""What artifacts, provenances, settings and failures are called; how two speeds are compared.

Speed is compared only within one group of measurements and only between those that are ``ok``,
and "faster" is said only where the intervals do not overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgezoo.measurement import Latency, Provenance
from edgezoo.report.data import ArtifactEntry
from edgezoo.report.grouping import Group, Setting, Timing
from edgezoo.types import Comparison

FORMAT_NAMES = {"tflite": "TFLite", "onnx": "ONNX"}
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
PROVENANCE_HEADINGS: Mapping[Provenance, str] = {
    "phone": "Measured on a phone",
    "host": "Measured on a computer",
    "gpu": "Measured on a GPU",
    "imported": "Imported numbers",
    "simulated": "Simulated phone",
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
    """Mark to label; rows of one artifact are told apart by their runner and delegate."""
    if group.setting.reference:
        return {timing.mark: timing.name for timing in group.timings}
    uses = Counter(timing.entry.name for timing in group.timings)
    return {
        timing.mark: labels[timing.entry.name]
        if uses[timing.entry.name] == 1
        else f"{labels[timing.entry.name]} ({_runner(timing)})"
        for timing in group.timings
    }


def _runner(timing: Timing) -> str:
    requested = timing.measurement.delegate.get("requested")
    return timing.measurement.runner + (f", {requested}" if requested else "")


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
    """The float sibling's row in the same group, of the same runner and delegate."""
    sibling = float_sibling(timing.entry, (t.entry for t in group.timings))
    if sibling is timing.entry:
        return None
    for other in group.timings:
        if other.entry is sibling and _runner(other) == _runner(timing):
            return other
    return None


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
    """One line: device, processor, threads (which are nothing to a GPU)."""
    threads = "1 thread" if setting.threads == 1 else f"{setting.threads} threads"
    if setting.reference and setting.provenance == "gpu":
        threads = ""
    parts = [setting.device, setting.cpu if setting.cpu != setting.device else "", threads]
    return " · ".join(part for part in parts if part)


def describe_status(timing: Timing) -> str:
    """What a measurement came to, and why, in the runner's own words."""
    measurement = timing.measurement
    failure = f" ({measurement.failure_class})" if measurement.failure_class else ""
    message = f": {measurement.message}" if measurement.message else ""
    return f"{measurement.status}{failure}{message}"
