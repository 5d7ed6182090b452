"""From a vendor's readings to power in milliwatts, or why they cannot be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

from edgezoo.devices.energy.gauge import Reading

ProblemKind = Literal[
    "absent", "charging", "short", "frozen", "sign", "unit", "coarse", "indistinct"
]

FEWEST_READINGS = 20
FEWEST_UPDATES = 8  # of the gauge within one phase

# What a phone that is awake draws, in mA, and what its battery has, in mV (one or two cells).
PLAUSIBLE_MA = (30.0, 15_000.0)
PLAUSIBLE_MV = (2_800.0, 9_500.0)


@dataclass(frozen=True, slots=True)
class GaugeProblem:
    """Why there is no energy; ``message`` is a clause ("the gauge never changes")."""

    kind: ProblemKind
    message: str


NO_GAUGE = GaugeProblem("absent", "the device lets no fuel gauge be read")


@dataclass(frozen=True, slots=True)
class Scale:
    """The factors that make mA and mV of a vendor's numbers."""

    milliamperes: float
    millivolts: float


def believed(phases: Sequence[Sequence[Reading]]) -> Scale | GaugeProblem:
    """Return the vendor's units, if all readings of all phases can be believed.

    A sign is a convention: only the magnitude counts, as long as the sign stays the same.
    """
    for question in (charging, _short, _sign, _frozen):
        problem = question(phases)
        if problem is not None:
            return problem
    return _scale(phases)


def milliwatts(phase: Sequence[Reading], scale: Scale) -> list[float]:
    """Return the power that the battery gave at each reading."""
    return [
        abs(r.current) * scale.milliamperes * r.voltage * scale.millivolts / 1000 for r in phase
    ]


def charging(phases: Sequence[Sequence[Reading]]) -> GaugeProblem | None:
    """Return the problem of a battery that is charged, or kept full, meanwhile."""
    words = {reading.status for phase in phases for reading in phase} - {"Discharging"}
    if not words:
        return None
    said = ", ".join(sorted(words)).lower()
    message = f"the battery is not discharging ({said}): its current is not the phone's"
    return GaugeProblem("charging", message)


def _short(phases: Sequence[Sequence[Reading]]) -> GaugeProblem | None:
    fewest = min(len(phase) for phase in phases)
    if fewest >= FEWEST_READINGS:
        return None
    return GaugeProblem(
        "short", f"a phase has {fewest} readings where {FEWEST_READINGS} are needed"
    )


def _sign(phases: Sequence[Sequence[Reading]]) -> GaugeProblem | None:
    signs = {reading.current > 0 for phase in phases for reading in phase if reading.current}
    if len(signs) < 2:
        return None
    return GaugeProblem("sign", "the current changes its sign while the battery discharges")


def _frozen(phases: Sequence[Sequence[Reading]]) -> GaugeProblem | None:
    for phase in phases:
        updates = sum(a.current != b.current for a, b in pairwise(phase))
        if updates == 0:
            return GaugeProblem("frozen", "the gauge never changes")
        if updates < FEWEST_UPDATES:
            seconds = phase[-1].at_s - phase[0].at_s
            message = f"the gauge changed {updates} times in {seconds:.0f} s, which is too rarely"
            return GaugeProblem("coarse", message)
    return None


def _scale(phases: Sequence[Sequence[Reading]]) -> Scale | GaugeProblem:
    """Return the unit in which all phases are plausible; there must be exactly one."""
    currents = [median(abs(reading.current) for reading in phase) for phase in phases]
    voltages = [median(reading.voltage for reading in phase) for phase in phases]
    milliamperes = [f for f in (1.0, 1e-3) if _all_within(currents, f, PLAUSIBLE_MA)]
    millivolts = [f for f in (1.0, 1e-3, 1e3) if _all_within(voltages, f, PLAUSIBLE_MV)]
    if len(milliamperes) != 1:
        shown = ", ".join(f"{current:g}" for current in currents)
        return GaugeProblem("unit", f"currents of {shown} are plausible neither in mA nor in µA")
    if len(millivolts) != 1:
        shown = ", ".join(f"{voltage:g}" for voltage in voltages)
        return GaugeProblem("unit", f"voltages of {shown} are plausible neither in mV nor in µV")
    return Scale(milliamperes[0], millivolts[0])


def _all_within(values: Sequence[float], factor: float, bounds: tuple[float, float]) -> bool:
    return all(bounds[0] <= value * factor <= bounds[1] for value in values)
