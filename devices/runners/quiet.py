"""Which inferences of a profile to average: the quieter half, so that a neighbour's work stays out.

A pre-emption of milliseconds lands in one operator of microseconds. Medians per operator would
throw it out too, but runtimes give whole microseconds, of which only a mean keeps fractions, and
medians do not add up to the whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

US_PER_MS = 1000.0


def quieter_half(whole_us: Sequence[float]) -> tuple[int, ...]:
    """Return the numbers of the shorter half of the inferences, at least one, in their order."""
    ranked = sorted(range(len(whole_us)), key=lambda index: (whole_us[index], index))
    return tuple(sorted(ranked[: (len(ranked) + 1) // 2]))


def mean_ms(values_us: Sequence[float]) -> float:
    """Return the mean of microseconds, in milliseconds."""
    return math.fsum(values_us) / len(values_us) / US_PER_MS
