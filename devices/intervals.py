"""95 % intervals of the median of a few process medians, and of the change between two of them.

What would mislead here: processes of the same moment share the state of the machine, agree with each
other and not with the next run. No formula mends that. What helps is to time for longer in every process
(``Plan.min_seconds``), to spread the processes (``Plan.spread_s``), and an interval that does not claim
more than the order of the values proves; benchmarks/README.md has the figures.

The bootstrap of a median is not it: of seven values its percentile interval reaches from the second to
the sixth, which covers the true median of independent ones in 88 % of cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
# Up to so many values the interval reaches from the smallest to the largest and covers 98 % and more
# where they are independent, which leaves room for neighbours that are not.
ALL_OF = 8
# More correlation than this cannot be told from a trend, which ``statistics.verdict`` judges.
LARGEST_CORRELATION = 0.6
# Of more pairs than these the normal approximation gives the same rank within one (a test asserts it).
MOST_COUNTED = 1600
NORMAL_QUANTILE = 1.959964  # of CONFIDENCE, two-sided


def median_interval(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of the median of positive ``values``, given in time order.

    The order statistics of the sign test (Thompson, 1936): no distribution is assumed. The smallest
    and the largest of up to eight; their true coverage is 1 - 2 / 2^n: 50 % of two, 75 % of three,
    94 % of five, 98 % of seven. From nine on it narrows, and correlated neighbours count for less:
    the distances from the median grow by sqrt((1 + r) / (1 - r)), the inflation of the standard error
    in a first-order autoregressive series, with r as ``correlation`` estimates it.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    count = len(ordered)
    rank = order_rank(count)
    bounds = float(ordered[rank - 1]), float(ordered[count - rank])
    return _grown(float(np.median(ordered)), bounds, _growth(values))


def _growth(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Return how much wider correlated neighbours make an interval; too few values do not tell."""
    if len(values) <= ALL_OF:
        return 1.0
    r = correlation(values)
    return float(((1 + r) / (1 - r)) ** 0.5)


def _grown(middle: float, bounds: tuple[float, float], growth: float) -> tuple[float, float]:
    if growth == 1:
        return bounds
    low, high = bounds
    return middle * (low / middle) ** growth, middle * (high / middle) ** growth


def order_rank(count: int) -> int:
    """Return which value from either end bounds the interval: 1 for the extremes."""
    rank, tail = 1, 1.0
    while 2 * (tail + comb(count, rank)) / 2**count <= 1 - CONFIDENCE:
        tail += comb(count, rank)
        rank += 1
    return rank


def correlation(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Return the correlation of neighbours, from 0 to 0.6: that of ranks, which outliers do not rule,
    corrected for its bias in short series, (1 + 3 r) / n (Kendall, 1954).
    """
    values = np.asarray(values, np.float64)
    ranks = np.sign(values[:, None] - values[None, :]).sum(axis=1) / 2  # ties share theirs
    if np.ptp(values) == 0:
        return 0.0
    r = float(np.sum(ranks[:-1] * ranks[1:]) / np.sum(ranks**2))
    return min(max(r + (1 + 3 * r) / len(values), 0.0), LARGEST_CORRELATION)


def ratio_interval(
    old: Sequence[float] | NDArray[np.float64], new: Sequence[float] | NDArray[np.float64]
) -> tuple[float, tuple[float, float] | None]:
    """Return how many times as long ``new`` takes as ``old``, and the 95 % interval of that ratio.

    The shift between two samples that Hodges and Lehmann (1963) read off the test of Mann and Whitney,
    on logarithms: the median of all ratios of one value of ``new`` to one of ``old``, and from which
    to which of them the test would not contradict. No distribution is assumed, and one value that a
    neighbour disturbed moves neither end. It grows with correlation as ``median_interval`` does.
    ``None`` for the interval where there are too few values to contradict anything: three and three,
    or two and seven.
    """
    ratios = np.divide.outer(np.asarray(new, np.float64), np.asarray(old, np.float64))
    ordered = np.sort(ratios, axis=None)
    ratio, rank = float(np.median(ordered)), shift_rank(len(old), len(new))
    if rank == 0:
        return ratio, None
    bounds = float(ordered[rank - 1]), float(ordered[-rank])
    return ratio, _grown(ratio, bounds, max(_growth(old), _growth(new)))


@lru_cache
def shift_rank(first: int, second: int) -> int:
    """Return which of the sorted differences between samples of these sizes bounds the interval.

    Counted from either end, 1 for the extremes, 0 where they are too few.
    """
    pairs = first * second
    if pairs > MOST_COUNTED:
        deviation = (pairs * (first + second + 1) / 12) ** 0.5
        return int(pairs / 2 - NORMAL_QUANTILE * deviation)
    tail, rank, orders = 0, 0, comb(first + second, first)
    for count in _rank_sums(first, second):
        tail += count
        if 2 * tail > (1 - CONFIDENCE) * orders:
            break
        rank += 1
    return rank


def _rank_sums(first: int, second: int) -> Sequence[int]:
    """Return how many orders of two samples have 0, 1, 2, … pairs the wrong way round.

    The coefficients of the Gaussian binomial, the product of (1 - q^(first + i)) / (1 - q^i).
    """
    counts = [1] + [0] * (first * second)
    for i in range(1, second + 1):
        for power in range(len(counts) - 1, first + i - 1, -1):
            counts[power] -= counts[power - first - i]
        for power in range(i, len(counts)):
            counts[power] += counts[power - i]
    return counts
