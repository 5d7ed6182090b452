"""From raw samples to one number with its interval and a verdict; numpy only.

The unit of repetition is the process, not the sample: samples of one process share its memory
layout and its moment, so pooling them gives intervals that are far too narrow. Everywhere here,
``processes`` holds the samples of each process in milliseconds, both in the order taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgezoo.devices.intervals import CONFIDENCE, median_interval
from edgezoo.devices.trend import kendall_p_value, theil_sen
from edgezoo.measurement import Conditions, Latency, ProcessSamples, Status, Throughput

Processes = Sequence[Sequence[float]]

BLOCK_RESAMPLES = 999

# An interval wider than this share of the median cannot call a 10 % regression.
WIDEST_INTERVAL = 0.10
# Last third against first third of the samples of a process, and last against first process.
LARGEST_DRIFT = 0.05
# More wall time than CPU time by this share: the process waited for a core.
LONGEST_WAIT = 0.05
# Kendall's test reaches this only from five processes on (two-sided, 2 / 5! = 0.017).
DRIFT_P_VALUE = 0.05
# What makes a GPU's number throttled, by NVML's names. The software power cap is not among them:
# under load it is the normal state of many cards, and recorded.
THROTTLING = (
    "hw_slowdown",
    "sw_thermal_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
)


@dataclass(frozen=True, slots=True)
class Drift:
    """How the latency moved with time, as ratios (1.0: not at all).

    ``within`` is the median over processes of (last third / first third) of their samples;
    ``between`` the last over the first process of a robust line (Theil-Sen) through the process
    medians, with the two-sided p-value of Kendall's test (Mann-Kendall) that they have no trend.
    """

    within: float
    consistent: bool
    between: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a number can be believed, and the sentence that says why."""

    status: Status
    evidence: str


def median_of_medians(processes: Processes) -> float:
    """Return the median over processes of the median of their samples."""
    return float(np.median(_medians(processes)))


def summarize(processes: Processes, seed: int) -> Latency:
    """Return the published statistics of at least one process with at least one sample."""
    samples = np.concatenate([np.asarray(samples, np.float64) for samples in processes])
    return Latency(
        median=median_of_medians(processes),
        p90=float(np.percentile(samples, 90)),
        interval=interval(processes, seed),
        minimum=float(samples.min()),
        p95=float(np.percentile(samples, 95)),
    )


def summarize_aggregates(processes: Sequence[ProcessSamples], seed: int) -> Latency:
    """Return the statistics of processes that gave aggregates, each with a median.

    Percentiles of pooled samples cannot be known: ``p90`` is ``None`` and ``p95`` the median of the
    processes' own, where they have one. One process has no interval between processes; its own 5th
    and 95th percentile stand there, or its extremes.
    """
    given = [process.aggregates for process in processes if process.aggregates is not None]
    medians = [aggregates.median for aggregates in given if aggregates.median is not None]
    uppers = [aggregates.p95 for aggregates in given if aggregates.p95 is not None]
    bounds = interval([[median] for median in medians], seed)
    if len(given) == 1:
        (only,) = given
        low = only.minimum if only.p5 is None else only.p5
        bounds = (low, only.maximum if only.p95 is None else only.p95)
    return Latency(
        median=float(np.median(medians)),
        p90=None,
        interval=bounds,
        minimum=min(aggregates.minimum for aggregates in given),
        p95=float(np.median(uppers)) if uppers else None,
    )


def latency_of(processes: Sequence[ProcessSamples], seed: int) -> Latency:
    """Return the published statistics of processes, with or without samples."""
    if all(process.wall_ms for process in processes):
        return summarize([process.wall_ms for process in processes], seed)
    return summarize_aggregates(processes, seed)


def _samples_of(processes: Sequence[ProcessSamples]) -> Processes:
    """Return the samples of each process, or its median where a runner keeps none."""
    if all(process.wall_ms for process in processes):
        return [process.wall_ms for process in processes]
    return [[process.median_ms or math.nan] for process in processes]


def summarize_throughput(processes: Sequence[ProcessSamples], seed: int) -> Throughput | None:
    """Return images per second over the processes' streams; ``None`` where they have none."""
    streams = [process.stream for process in processes if process.stream is not None]
    if not streams:
        return None
    rates = [[stream.images / stream.ms * 1e3] for stream in streams]
    return Throughput(median_of_medians(rates), interval(rates, seed))


def interval(processes: Processes, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the median of process medians.

    That of ``median_interval``. One process says nothing about the differences between processes:
    its interval is a moving-block bootstrap (Kuensch, 1989) of the median of its samples, in blocks of
    n^(1/3) because neighbours are correlated, with ``seed``; ``verdict`` says so.
    """
    if len(processes) > 1:
        return median_interval(_medians(processes))
    resampled = _block_medians(np.asarray(processes[0], np.float64), seed)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)


def drift(processes: Processes) -> Drift:
    """Return how the latency moved within and between processes, given in time order."""
    thirds = np.array([_last_over_first_third(samples) for samples in processes])
    medians = _medians(processes)
    between, p_value = 1.0, 1.0
    if len(medians) > 1 and np.ptp(medians) > 0:
        slope, intercept = theil_sen(medians)
        last = intercept + slope * (len(medians) - 1)
        between = last / intercept if intercept > 0 else 1.0
        p_value = kendall_p_value(medians)
    return Drift(
        within=float(np.median(thirds)),
        consistent=bool(np.all(thirds > 1) or np.all(thirds < 1)),
        between=between,
        p_value=p_value,
    )


def judge(
    processes: Sequence[ProcessSamples],
    conditions: Sequence[Conditions],
    *,
    seed: int,
    warmest: int | None = 0,
    cpu_bound: bool = True,
) -> tuple[Latency, Verdict]:
    """Return the statistics of a complete measurement and whether they can be believed.

    Runners with and without samples are told apart here. ``conditions`` are all that were taken;
    a thermal status above ``warmest`` in one of them makes the number ``throttled``. On a processor
    (``cpu_bound``) wall time beyond CPU time is time in which something else ran, and the number is
    ``unstable`` however well the processes agree on it.
    """
    known = [p.involuntary_switches for p in processes if p.involuntary_switches is not None]
    basis = _basis(processes, sum(known) if known else None)
    latency, samples = latency_of(processes, seed), _samples_of(processes)
    hottest = max((c.thermal_status for c in conditions if c.thermal_status is not None), default=0)
    if warmest is not None and hottest > warmest:
        evidence = f"the phone's thermal status rose to {hottest} while it was measured ({basis})."
        return latency, Verdict("throttled", evidence)
    states = [c.gpu for c in conditions if c.gpu is not None]
    reasons = sorted({r for s in states for r in s.throttle_reasons or () if r in THROTTLING})
    if reasons:
        evidence = (
            f"the GPU lowered its clocks ({', '.join(reasons)}) while it was measured ({basis})."
        )
        return latency, Verdict("throttled", evidence)
    slowed = slowed_by(conditions)
    if slowed is not None:
        return latency, Verdict("unstable", f"{slowed} ({basis}).")
    wait = _waiting(processes) if cpu_bound else 1.0
    if wait > 1 + LONGEST_WAIT:
        evidence = (
            f"it waited for a core: its wall time is {wait:.2f} times its CPU time ({basis})."
        )
        return latency, Verdict("unstable", evidence)
    return latency, verdict(samples, latency, basis)


def slowed_by(conditions: Sequence[Conditions]) -> str | None:
    """Return what was switched meanwhile by which a phone slows programs down, in words."""
    if any(c.screen_on is False for c in conditions):
        return "the screen went off while it was measured, which slows a phone down"
    if any(c.low_power_mode for c in conditions):
        return "battery saver came on while it was measured, which slows a phone down"
    return None


def _waiting(processes: Sequence[ProcessSamples]) -> float:
    """Return wall time over CPU time of all threads, the median over processes; 1.0 where unknown.

    With several threads the ratio is below 1 unless they wait a lot, so this sees less.
    """
    known = [p for p in processes if p.wall_ms and p.cpu_ms and all(p.cpu_ms)]
    ratios = [float(np.median(p.wall_ms) / np.median(p.cpu_ms)) for p in known]
    return float(np.median(ratios)) if ratios else 1.0


def _basis(processes: Sequence[ProcessSamples], switches: int | None) -> str:
    count, runs = len(processes), sum(process.runs for process in processes)
    words = f"{count} process{'es' if count > 1 else ''}, {runs} runs"
    return words if switches is None else f"{words}, {switches} involuntary context switches"


def verdict(processes: Processes, latency: Latency, basis: str) -> Verdict:
    """Return ``ok`` or ``unstable`` with the evidence; ``basis`` says what the number rests on.

    Unstable is a number whose interval is wider than 10 % of it, or that drifts by more than
    5 %: in every process the same way, or from process to process with p <= 0.05.
    """
    low, high = latency.interval
    width = (high - low) / latency.median
    trend = drift(processes)
    if trend.consistent and _beyond(trend.within):
        change = f"the last third of each process's runs took {trend.within:.2f} times the first"
        if trend.within < 1:
            change += ", so it needs more warm-up runs"
        return Verdict("unstable", f"{change} ({basis}).")
    if trend.p_value <= DRIFT_P_VALUE and _beyond(trend.between):
        change = f"the last process took {trend.between:.2f} times the first, p={trend.p_value:.3f}"
        return Verdict("unstable", f"{change} ({basis}).")
    spread = f"the 95 % interval spans {width:.1%} of the median"
    if width > WIDEST_INTERVAL:
        return Verdict("unstable", f"{spread}, more than {WIDEST_INTERVAL:.0%} ({basis}).")
    limit = "; one process cannot show differences between processes" if len(processes) < 2 else ""
    return Verdict("ok", f"{spread} ({basis}){limit}.")


def _medians(processes: Processes) -> NDArray[np.float64]:
    return np.array([np.median(samples) for samples in processes], np.float64)


def _block_medians(samples: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the medians of resamples of ``samples`` in overlapping blocks of neighbours."""
    generator = np.random.default_rng(seed)
    count = len(samples)
    length = max(1, round(count ** (1 / 3)))
    medians = np.empty(BLOCK_RESAMPLES)
    for index in range(BLOCK_RESAMPLES):  # not one array: 100,000 runs of a tiny model are usual
        starts = generator.integers(count - length + 1, size=-(-count // length))
        drawn = (starts[:, None] + np.arange(length)).ravel()[:count]
        medians[index] = np.median(samples[drawn])
    return medians


def _last_over_first_third(samples: Sequence[float]) -> float:
    third = len(samples) // 3
    if not third:
        return 1.0
    return float(np.median(samples[-third:]) / np.median(samples[:third]))


def _beyond(ratio: float) -> bool:
    return not 1 / (1 + LARGEST_DRIFT) <= ratio <= 1 + LARGEST_DRIFT
