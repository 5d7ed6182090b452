"""A latency curve over minutes: has it settled, where, and is it slower than it began; pure numbers.

A window is one process; windows follow each other without a pause, so that what a device does under
lasting load shows. Everywhere here, windows are in time order and latencies in milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgezoo.devices.statistics import WIDEST_INTERVAL, Verdict, latency_of, slowed_by
from edgezoo.devices.trend import theil_sen
from edgezoo.measurement import Conditions, Latency, ProcessSamples

FIRST = 3  # windows that say how fast it was in the beginning
FEWEST_SETTLED = 6  # fewer windows show no trend
SETTLED_SHARE = 1 / 3  # of all windows, the last ones, have to agree
LARGEST_CHANGE = 0.02
# A settled latency this much above the beginning is throttled.
THROTTLED = 0.05


@dataclass(frozen=True, slots=True)
class Settled:
    """Where a curve ended up: how many of its last windows agree, and their median.

    ``change`` is how much they still move, as a share; ``yes`` whether that is little enough.
    ``after_s`` is when the curve came within 5 % of it for good.
    """

    yes: bool
    windows: int
    median_ms: float
    change: float
    after_s: float


def settled_windows(count: int) -> int:
    """Return how many of the last of ``count`` windows the settled latency is taken from."""
    return min(count, max(FEWEST_SETTLED, math.ceil(count * SETTLED_SHARE)))


def settling(medians: Sequence[float], starts_s: Sequence[float]) -> Settled:
    """Return where a curve of at least one window stands; ``starts_s`` are seconds since its start.

    Three things have to stay within 2 %, each blind to what the others see: a robust line
    (Theil-Sen) through the last third of the windows, which sees a slow creep; the medians of both
    halves of that third, which see a step; and the last three windows against it, which see a step
    that has just begun. One or two windows that were disturbed change none of them.
    """
    values = np.asarray(medians, np.float64)
    tail = values[-settled_windows(len(values)) :]
    level = float(np.median(tail))
    half = len(tail) // 2
    changes = [abs(float(np.median(values[-FIRST:])) - level) / level]
    if half:
        changes.append(abs(float(np.median(tail[-half:]) - np.median(tail[:half]))) / level)
        changes.append(abs(theil_sen(tail)[0]) * (len(tail) - 1) / level)
    change = max(changes)
    return Settled(
        yes=len(values) >= FEWEST_SETTLED and change <= LARGEST_CHANGE,
        windows=len(tail),
        median_ms=level,
        change=change,
        after_s=float(starts_s[_arrival(values, level)]),
    )


def _arrival(values: NDArray[np.float64], level: float) -> int:
    """Return the first window from which medians of three neighbours stay within 5 % of ``level``."""
    smooth = np.array([np.median(values[max(0, n - 1) : n + 2]) for n in range(len(values))])
    outside = np.flatnonzero(np.abs(smooth - level) > THROTTLED * level)
    return int(min(outside[-1] + 1, len(values) - 1)) if len(outside) else 0


def judge_curve(
    windows: Sequence[ProcessSamples], conditions: Sequence[Conditions], *, seed: int
) -> tuple[Latency, Verdict]:
    """Return the settled latency of a complete curve, and whether it settled or was throttled.

    ``throttled`` is a settled latency more than 5 % above the first windows, whose interval lies
    above all of them; ``unstable`` a curve that has not settled, or whose interval is wider than
    10 %. The thermal status of a phone is told, but does not judge: heat is what is looked for.
    """
    medians = [median for w in windows if (median := w.median_ms) is not None]
    starts_s = [window.started_at - windows[0].started_at for window in windows]
    found = settling(medians, starts_s)
    latency = latency_of(windows[-found.windows :], seed)
    first_ms = float(np.median(medians[:FIRST]))
    low, high = latency.interval
    basis = f"{len(windows)} windows in {starts_s[-1]:.0f} s{_heat(conditions)}"
    slowed = slowed_by(conditions)
    if slowed is not None:
        return latency, Verdict("unstable", f"{slowed} ({basis}).")
    if not found.yes:
        evidence = f"the last {found.windows} windows still moved by {found.change:.1%}"
        return latency, Verdict("unstable", f"it has not settled: {evidence} ({basis}).")
    ratio = latency.median / first_ms
    change = f"{ratio:.2f} times the {first_ms:.3g} ms of the first {min(FIRST, len(windows))}"
    if ratio > 1 + THROTTLED and low > max(medians[:FIRST]):
        evidence = f"after {found.after_s:.0f} s it settled at {latency.median:.3g} ms, {change}"
        return latency, Verdict("throttled", f"{evidence} ({basis}).")
    width = (high - low) / latency.median
    spread = f"the 95 % interval spans {width:.1%} of the median"
    if width > WIDEST_INTERVAL:
        return latency, Verdict("unstable", f"{spread}, more than {WIDEST_INTERVAL:.0%} ({basis}).")
    return latency, Verdict("ok", f"it stayed at {change} windows, {spread} ({basis}).")


def _heat(conditions: Sequence[Conditions]) -> str:
    """Return the highest thermal status and temperature that were seen, in words."""
    statuses = [c.thermal_status for c in conditions if c.thermal_status is not None]
    celsius = [c.hottest_celsius for c in conditions if c.hottest_celsius is not None]
    words = [f"thermal status up to {max(statuses)}"] if statuses else []
    words += [f"{max(celsius):.0f} °C at most"] if celsius else []
    return "".join(f", {word}" for word in words)
