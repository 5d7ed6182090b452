"""Energy per inference: the power of a long run less that of the idle phone, with its interval.

Readings follow each other closely and a gauge averages over seconds, so they are no independent
samples: the bootstrap draws blocks of time (circular block bootstrap; Politis and Romano, 1992).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from edgezoo.devices.energy.gauge import Reading
from edgezoo.devices.energy.power import (
    NO_GAUGE,
    GaugeProblem,
    Scale,
    believed,
    charging,
    milliwatts,
)
from edgezoo.measurement import Energy

RESAMPLES = 2000
# A gauge's average over its past reaches into the next phase.
SETTLE_S = 5.0
FEWEST_BLOCKS = 10
MEMORIES_PER_BLOCK = 4
NORMAL_975 = 1.959964


def energy_of(
    baseline: Sequence[Reading],
    load: Sequence[Reading],
    inferences: int,
    load_s: float,
    *,
    seed: int = 0,
    settle_s: float = SETTLE_S,
) -> Energy | GaugeProblem:
    """Return the energy of one inference, or why the gauge does not tell it.

    ``baseline`` was read with the screen on and nothing running, ``load`` while ``inferences`` ran
    in ``load_s`` seconds, one right after the other. The first ``settle_s`` seconds of both are
    left out. An interval that reaches down to 0 is no number.
    """
    if not baseline and not load:
        return NO_GAUGE
    problem = charging((baseline, load))  # also in what is left out below
    if problem is not None:
        return problem
    phases = [_settled(baseline, settle_s), _settled(load, settle_s)]
    scale = believed(phases)
    if isinstance(scale, GaugeProblem):
        return scale
    idle_mw, load_mw = (milliwatts(phase, scale) for phase in phases)
    step_mw = _step_mw(phases[1], scale)
    above_mw = math.fsum(load_mw) / len(load_mw) - math.fsum(idle_mw) / len(idle_mw)
    if step_mw > abs(above_mw):
        message = f"the gauge moves in steps of {step_mw:.0f} mW, the run adds {above_mw:.0f} mW"
        return GaugeProblem("coarse", message)
    low_mw, high_mw = _interval((idle_mw, load_mw), seed)
    if low_mw <= 0:
        message = f"the run cannot be told from the idle phone ({low_mw:.0f} to {high_mw:.0f} mW)"
        return GaugeProblem("indistinct", message)
    seconds = load_s / inferences
    return Energy(
        millijoules=above_mw * seconds,
        interval=(low_mw * seconds, high_mw * seconds),
        baseline_mw=math.fsum(idle_mw) / len(idle_mw),
        load_mw=math.fsum(load_mw) / len(load_mw),
        samples=len(load_mw),
        seconds=phases[1][-1].at_s - phases[1][0].at_s,
    )


def _settled(phase: Sequence[Reading], settle_s: float) -> Sequence[Reading]:
    return [r for r in phase if r.at_s >= phase[0].at_s + settle_s]


def _step_mw(phase: Sequence[Reading], scale: Scale) -> float:
    """Return the power of the gauge's smallest step of current."""
    levels = sorted({abs(reading.current) for reading in phase})
    smallest = min((b - a for a, b in pairwise(levels)), default=0.0)
    volts = median(reading.voltage for reading in phase) * scale.millivolts / 1000
    return smallest * scale.milliamperes * volts


def _interval(powers: Sequence[Sequence[float]], seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the second mean power above the first."""
    generator = np.random.default_rng(seed)
    means = [_resampled_means(np.asarray(power), generator) for power in powers]
    low, high = np.quantile(means[1] - means[0], (0.025, 0.975))
    return float(low), float(high)


def _resampled_means(
    values: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return the means of resamples that are made of blocks, wrapping around.

    Few blocks underestimate the spread: it is widened as Student's distribution with as many
    degrees of freedom as the blocks allow is wider than the normal one (Cornish and Fisher, 1938).
    """
    length = _block(values)
    blocks = math.ceil(len(values) / length)
    starts = generator.integers(0, len(values), size=(RESAMPLES, blocks))
    sums = np.concatenate(([0.0], np.cumsum(np.concatenate((values, values)))))
    means = (sums[starts + length] - sums[starts]).sum(axis=1) / (blocks * length)
    freedom = blocks - 1
    wider = math.sqrt(blocks / freedom) * (1 + (NORMAL_975**2 + 1) / (4 * freedom))
    spread: NDArray[np.float64] = values.mean() + wider * (means - values.mean())
    return spread


def _block(values: NDArray[np.float64]) -> int:
    """Return the readings per block: several times as long as they remember, ten blocks at least.

    The memory is the sum of the autocorrelation up to its first value that is not positive.
    """
    centred = values - values.mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    correlation = np.fft.irfft(spectrum * np.conj(spectrum))[: len(centred)]
    if not correlation[0] > 0:
        return 1
    correlation /= correlation[0]
    end = int(np.argmax(correlation <= 0)) or len(correlation)
    memory = 2 * float(correlation[:end].sum()) - 1
    return max(1, min(round(MEMORIES_PER_BLOCK * memory), len(values) // FEWEST_BLOCKS))
