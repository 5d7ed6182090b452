"""The energy of a measurement: one long process beside which the fuel gauge is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from edgezoo.devices.energy.gauge import Reading, parse_readings
from edgezoo.devices.energy.power import FEWEST_READINGS, GaugeProblem
from edgezoo.devices.energy.statistics import SETTLE_S, energy_of
from edgezoo.devices.energy.take import INTERVAL_S
from edgezoo.devices.outcome import Report
from edgezoo.measurement import Measurement, ProcessSamples
from edgezoo.plan import Plan

# A gauge's average has to settle before the readings that count; starting the sampler takes a moment.
SHORTEST_ENERGY_S = SETTLE_S + FEWEST_READINGS * INTERVAL_S + 2.0

if TYPE_CHECKING:
    from edgezoo.devices.stations.station import Station
    from edgezoo.devices.subjects import Subject


def with_energy(
    measurement: Measurement, station: Station, subject: Subject, plan: Plan
) -> Measurement:
    """Return ``measurement`` with the energy that ``plan.energy_s`` asks for.

    Where the gauge tells none, the number stays as it is and its message says why.
    """
    if plan.energy_s <= 0 or measurement.latency_ms is None:
        return measurement
    long = replace(plan, min_seconds=plan.energy_s, timeout_s=plan.timeout_s + 2 * plan.energy_s)
    report = station.wait_until_fit(long) or station.run(subject, long, "energy")
    if report.energy is not None:
        return replace(measurement, energy=report.energy)
    missing = f"No energy: {report.message or 'this device has no fuel gauge'}."
    return replace(measurement, message=" ".join(filter(None, (measurement.message, missing))))


def with_readings(report: Report, idle: Sequence[Reading], printed: bytes, seed: int) -> Report:
    """Return a long run's report with its energy, or with why there is none.

    ``idle`` are the readings before it, ``printed`` all that ``sampled_script`` gave.
    """
    if report.samples is None:
        return report
    runs, seconds = _work(report.samples)
    found = energy_of(idle, parse_readings(printed), runs, seconds, seed=seed)
    if isinstance(found, GaugeProblem):
        return replace(report, message=found.message)
    return replace(report, energy=found)


def _work(samples: ProcessSamples) -> tuple[int, float]:
    """Return how many inferences ran, and how long they took together in seconds."""
    if samples.aggregates is not None:
        return samples.aggregates.count, samples.aggregates.count * samples.aggregates.mean / 1e3
    return len(samples.wall_ms), sum(samples.wall_ms) / 1e3
