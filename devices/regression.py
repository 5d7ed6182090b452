"""Two stores side by side: where is B slower than A beyond doubt; numpy only.

The ratio of latencies gets an interval from the process medians of both sides
(``intervals.ratio_interval``). A regression is proven only where the whole interval lies above the
gate; everything that the intervals leave open is said to be open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgezoo.devices.curve import settled_windows
from edgezoo.devices.intervals import ratio_interval
from edgezoo.measurement import Change, ChangeVerdict, Measurement, ProcessSamples
from edgezoo.plan import ReferenceSetting

# What always suffices to prove a change.
ENOUGH_PROCESSES = 5


@dataclass(frozen=True, slots=True)
class Setting:
    """What must agree for two numbers to be comparable."""

    artifact: str
    format: str
    recipe: str
    device: str
    serial: str
    provenance: str
    runner: str
    threads: int
    accelerator: str
    cores: str
    xnnpack: bool
    sustained: bool
    reference: ReferenceSetting | None


def setting_of(measurement: Measurement) -> Setting:
    """Return what a measurement has in common with those that it may be compared with."""
    plan, device = measurement.plan, measurement.device
    return Setting(
        measurement.artifact,
        measurement.format,
        measurement.recipe,
        device.name,
        device.serial,
        measurement.provenance,
        measurement.runner,
        plan.threads,
        plan.accelerator,
        plan.cores,
        plan.xnnpack,
        plan.sustained_s > 0,
        plan.reference,
    )


def compare(
    before: Iterable[Measurement], after: Iterable[Measurement], gate: float
) -> tuple[Change, ...]:
    """Return how each setting changed from ``before`` to ``after``; ``gate`` is a share (0.05).

    Of each setting the newest file counts, with the processes of all its measurements. Settings of
    one side only are ``missing``.
    """
    old, new = _grouped(before), _grouped(after)
    settings = [*old, *(setting for setting in new if setting not in old)]
    return tuple(_change(s, old.get(s, ()), new.get(s, ()), gate) for s in settings)


def _grouped(measurements: Iterable[Measurement]) -> Mapping[Setting, Sequence[Measurement]]:
    groups: dict[Setting, list[Measurement]] = {}
    for measurement in sorted(measurements, key=lambda m: m.measured_at):
        groups.setdefault(setting_of(measurement), []).append(measurement)
    return {
        setting: [m for m in group if m.artifact_sha256 == group[-1].artifact_sha256]
        for setting, group in groups.items()
    }


def _change(
    setting: Setting,
    old: Sequence[Measurement],
    new: Sequence[Measurement],
    gate: float,
) -> Change:
    title = (old or new)[0].title
    draft = Change(title, setting.device, setting.runner, "undecided", "")
    absent = [name for name, group in (("A", old), ("B", new)) if not group]
    if absent:
        return replace(draft, verdict="missing", evidence=f"{absent[0]} has no measurement of it")
    for name, group in (("A", old), ("B", new)):
        doubt = _unusable(group)
        if doubt:
            return replace(draft, verdict="no number", evidence=f"in {name} it {doubt}")
    medians = [_medians(group) for group in (old, new)]
    ratio, interval = ratio_interval(medians[0], medians[1])
    if interval is None:
        words = " and ".join(str(len(group)) for group in medians)
        evidence = f"{words} processes cannot prove a change, measure {ENOUGH_PROCESSES} of each"
        return replace(draft, evidence=evidence, ratio=ratio)
    verdict, evidence = _verdict(interval, gate)
    return replace(draft, verdict=verdict, evidence=evidence, ratio=ratio, interval=interval)


def _verdict(interval: tuple[float, float], gate: float) -> tuple[ChangeVerdict, str]:
    low, high = interval
    if low > 1 + gate:
        return "regression", f"slower by at least {low - 1:.1%}"
    if high < 1 / (1 + gate):
        return "improvement", f"faster by at least {1 - high:.1%}"
    if low >= 1 / (1 + gate) and high <= 1 + gate:
        return "same", f"within {gate:.1%}"
    return "undecided", f"the interval crosses {gate:.1%}, measure more processes"


def _unusable(group: Sequence[Measurement]) -> str:
    """Return why a group gives no number to compare, empty where it does."""
    newest = group[-1]
    if newest.status == "failed":
        return f"failed ({newest.failure_class})"
    if newest.status == "throttled":
        return "was throttled"
    return "" if len(_medians(group)) else "has no median"


def _medians(group: Sequence[Measurement]) -> NDArray[np.float64]:
    """Return the process medians of all measurements that give a number."""
    usable = [m for m in group if m.status in ("ok", "unstable")]
    medians = [process.median_ms for m in usable for process in _counting(m)]
    return np.array([value for value in medians if value is not None], np.float64)


def _counting(measurement: Measurement) -> Sequence[ProcessSamples]:
    """Return the processes that the latency is taken from; of a sustained one the settled windows."""
    processes = measurement.processes
    if measurement.plan.sustained_s > 0:
        return processes[-settled_windows(len(processes)) :]
    return processes
