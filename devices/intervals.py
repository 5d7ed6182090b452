"""95 % intervals of the median of a few process medians, and of the change between two of them.

What would mislead here, with figures measured on a virtual machine with busy neighbours (a 9 ms
network, one process after the other for minutes; see benchmarks/README.md): neighbouring processes
share the state of the machine. Five of them within 3 s spanned 3 %, but such runs differed by 3.7 %
(standard deviation), and the interval of one covered the others' median in 20 % of cases. No formula
mends that. What helps is to spread the processes over time (``Plan.spread_s``) and an interval that
does not claim more than the order of the values proves.

The bootstrap of a median is not it: of seven independent values its percentile interval covers the
true median in 86 % of cases, because it too rarely draws the extremes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
# Up to so many values the interval reaches from the smallest to the largest and covers 98 % and more
# where they are independent, which leaves room for neighbours that are not.
ALL_OF = 8
# More correlation than this cannot be told from a trend, which ``statistics.verdict`` judges.
LARGEST_CORRELATION = 0.6


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
    low, middle, high = ordered[rank - 1], float(np.median(ordered)), ordered[count - rank]
    if count > ALL_OF:
        r = correlation(values)
        growth = ((1 + r) / (1 - r)) ** 0.5
        low, high = middle * (low / middle) ** growth, middle * (high / middle) ** growth
    return float(low), float(high)


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
) -> tuple[float, tuple[float, float]]:
    """Return the median of ``new`` over that of ``old``, and the 95 % interval of that ratio.

    On logarithms, from both intervals by the method of variance estimates recovery (Zou and Donner,
    2008): their distances from the medians add like standard errors, the upper one of ``old`` with the
    lower one of ``new``. So the change rests on the very intervals that are published.
    """
    (old_low, old_high), old_middle = np.log(median_interval(old)), np.log(np.median(old))
    (new_low, new_high), new_middle = np.log(median_interval(new)), np.log(np.median(new))
    change = new_middle - old_middle
    low = change - np.hypot(new_middle - new_low, old_high - old_middle)
    high = change + np.hypot(new_high - new_middle, old_middle - old_low)
    return float(np.exp(change)), (float(np.exp(low)), float(np.exp(high)))
