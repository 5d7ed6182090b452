"""Rules that choose the range of a grid from what was observed.

No rule wins everywhere (min/max is best on ReLU6 networks, clipping on SiLU ones: measured), so the
quantizer tries all of these and keeps the one that held-out photos prefer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgezoo.quantization.observe import Observer

Range = tuple[float, float]
Rule = Callable[[Observer], Range]


def min_max(observer: Observer) -> Range:
    """Return everything that was seen."""
    return observer.low, observer.high


def percentile(share: float) -> Rule:
    """Return the rule that keeps the central ``share`` of all elements, clipping the rest."""

    def rule(observer: Observer) -> Range:
        centres, counts = observer.histogram()
        total = counts.sum()
        if total == 0:
            return min_max(observer)
        cumulative = np.cumsum(counts) / total
        tail = (1 - share) / 2
        low = centres[int(np.searchsorted(cumulative, tail))]
        high = centres[min(int(np.searchsorted(cumulative, 1 - tail)), centres.size - 1)]
        half_bin = observer.limit / centres.size
        return max(float(low) - half_bin, observer.low), min(float(high) + half_bin, observer.high)

    return rule


def mean_squared_error(observer: Observer) -> Range:
    """Return the range, shrunk towards 0 on each side, with the least mean squared error.

    Error of an element: step^2/12 inside, the squared distance outside. A grid of shrink factors is
    tried for both ends.
    """
    centres, counts = observer.histogram()
    if counts.sum() == 0:
        return min_max(observer)
    low, high = min(observer.low, 0.0), max(observer.high, 0.0)
    best, best_error = (low, high), np.inf
    factors = np.linspace(0.3, 1.0, 29)
    below = _clip_errors(centres, counts, low * factors, -1)
    above = _clip_errors(centres, counts, high * factors, 1)
    step = (high * factors[None, :] - low * factors[:, None]) / 255
    errors = step**2 / 12 * counts.sum() + below[:, None] + above[None, :]
    row, column = np.unravel_index(np.argmin(errors), errors.shape)
    if errors[row, column] < best_error:
        best = (float(low * factors[row]), float(high * factors[column]))
    return best


def _clip_errors(
    centres: np.ndarray, counts: np.ndarray, ends: np.ndarray, sign: int
) -> np.ndarray:
    over = np.maximum(sign * (centres[None, :] - ends[:, None]), 0.0)
    return np.asarray((over**2) @ counts)


RULES: Mapping[str, Rule] = {
    "min_max": min_max,
    "percentile_99.99": percentile(0.9999),
    "mse": mean_squared_error,
}
