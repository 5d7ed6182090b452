"""A trend in a short series: its slope and whether chance makes one as steep.

Two textbook formulas; SciPy has them, and would be a quarter of the whole installation.
"""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray


def theil_sen(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return (slope, intercept) over 0, 1, 2, …: the median of all pairs' slopes (Sen 1968)."""
    slopes = [(values[j] - values[i]) / (j - i) for i, j in combinations(range(len(values)), 2)]
    slope = float(np.median(slopes))
    return slope, float(np.median(values)) - slope * (len(values) - 1) / 2


def kendall_p_value(values: NDArray[np.float64]) -> float:
    """Return the exact two-sided p-value of Kendall's rank correlation with time (Kendall 1938).

    The share of all orders of n different values whose |concordant - discordant| pairs are at least
    as many as here. Equal values count as neither, which can only raise the p-value.
    """
    count = len(values)
    signs = [np.sign(values[j] - values[i]) for i, j in combinations(range(count), 2)]
    least = abs(int(np.sum(signs)))
    pairs = count * (count - 1) // 2
    extreme = sum(
        orders
        for inversions, orders in enumerate(_orders_by_inversions(count))
        if abs(pairs - 2 * inversions) >= least
    )
    return float(extreme / factorial(count))


def _orders_by_inversions(count: int) -> list[int]:
    """Return how many orders of ``count`` values have 0, 1, 2, … inversions."""
    orders = [1]
    for size in range(2, count + 1):
        grown = [0] * (len(orders) + size - 1)
        for inversions, number in enumerate(orders):
            for more in range(size):
                grown[inversions + more] += number
        orders = grown
    return orders
