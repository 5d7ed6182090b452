"""Energy from synthetic gauges whose truth is known, in the conventions of several vendors."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgezoo.devices.energy.gauge import Reading
from edgezoo.devices.energy.power import GaugeProblem
from edgezoo.devices.energy.statistics import energy_of
from edgezoo.measurement import Energy

IDLE_MW, LOAD_MW, MILLIVOLTS = 1150.0, 2650.0, 3850.0
RUNS, LOAD_S = 12_000, 120.0
TRUTH_MJ = (LOAD_MW - IDLE_MW) * LOAD_S / RUNS  # 15 mJ


def _phase(
    power_mw: float,
    seed: int,
    *,
    seconds: float = 120.0,
    update_s: float = 0.25,
    noise: float = 0.08,
    memory: float = 0.9,
) -> tuple[Reading, ...]:
    """Readings four times a second of a gauge in mA and mV that is updated every ``update_s``.

    Its noise has a correlation of ``memory`` from one update to the next.
    """
    generator = np.random.default_rng(seed)
    updates = int(seconds / update_s) + 1
    wander, values = 0.0, []
    for kick in generator.normal(size=updates):
        wander = memory * wander + np.sqrt(1 - memory**2) * kick
        values.append(power_mw * (1 + noise * wander) / MILLIVOLTS * 1000)
    times = np.arange(0, seconds, 0.25)
    return tuple(
        Reading(1000.0 + t, values[int(t / update_s)], MILLIVOLTS, "Discharging") for t in times
    )


def _in(phase: tuple[Reading, ...], milliamperes: float, millivolts: float) -> tuple[Reading, ...]:
    """The same readings in other units (and rounded to integers, as the kernel prints them)."""
    return tuple(
        replace(r, current=round(r.current * milliamperes), voltage=round(r.voltage * millivolts))
        for r in phase
    )


CONVENTIONS = {
    "the kernel's: negative microamperes": (-1000.0, 1000.0),
    "positive microamperes": (1000.0, 1000.0),
    "positive milliamperes, microvolts": (1.0, 1000.0),
    "negative milliamperes, millivolts": (-1.0, 1.0),
}


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_conventions(convention: tuple[float, float]) -> None:
    idle, load = (_in(_phase(mw, seed), *convention) for mw, seed in ((IDLE_MW, 1), (LOAD_MW, 2)))
    energy = energy_of(idle, load, RUNS, LOAD_S)
    assert isinstance(energy, Energy)
    # Noise of 8 % with a memory of 5 s leaves about 2 % of either mean after two minutes.
    assert energy.millijoules == pytest.approx(TRUTH_MJ, rel=0.1)
    assert energy.interval[0] < energy.millijoules < energy.interval[1]
    assert energy.baseline_mw == pytest.approx(IDLE_MW, rel=0.05)
    assert energy.load_mw == pytest.approx(LOAD_MW, rel=0.05)
    assert energy.seconds == pytest.approx(LOAD_S - 5, abs=1)


def test_a_phone_with_two_cells() -> None:
    """Twice the voltage at half the current is the same power."""
    idle, load = (
        _in(_phase(mw, seed), -500.0, 2000.0) for mw, seed in ((IDLE_MW, 1), (LOAD_MW, 2))
    )
    energy = energy_of(idle, load, RUNS, LOAD_S)
    assert isinstance(energy, Energy)
    assert energy.load_mw == pytest.approx(LOAD_MW, rel=0.05)


GAUGES: dict[str, dict[str, float]] = {
    "every reading is new": {"update_s": 0.25, "memory": 0.0},
    "new once in a second": {"update_s": 1.0, "memory": 0.0},
    "averaging over its past": {"update_s": 0.5, "memory": 0.8},
}


@pytest.mark.parametrize("gauge", GAUGES.values(), ids=GAUGES)
def test_intervals_cover_the_truth(gauge: dict[str, float]) -> None:
    """A 95 % interval that covers in fewer than 85 % of 100 repeats is too narrow (p < 1e-4)."""
    covered = 0
    for repeat in range(100):
        idle = _phase(IDLE_MW, 2 * repeat, **gauge)
        load = _phase(LOAD_MW, 2 * repeat + 1, **gauge)
        energy = energy_of(idle, load, RUNS, LOAD_S, seed=repeat)
        assert isinstance(energy, Energy)
        covered += energy.interval[0] <= TRUTH_MJ <= energy.interval[1]
    assert covered >= 85


def test_correlated_readings_give_wider_intervals() -> None:
    """The same number of readings says less where they repeat each other."""
    widths = []
    for memory in (0.0, 0.9):
        energy = energy_of(
            _phase(IDLE_MW, 1, memory=memory), _phase(LOAD_MW, 2, memory=memory), RUNS, LOAD_S
        )
        assert isinstance(energy, Energy)
        widths.append(energy.interval[1] - energy.interval[0])
    assert widths[1] > 1.5 * widths[0]


Spoil = Callable[[tuple[Reading, ...]], tuple[Reading, ...]]


def _rounded_to(step_ma: float) -> Spoil:
    return lambda phase: tuple(
        replace(r, current=step_ma * round(r.current / step_ma)) for r in phase
    )


SPOILED: dict[str, tuple[Spoil, str]] = {
    "no gauge": (lambda phase: (), "absent"),
    "charging": (lambda phase: tuple(replace(r, status="Charging") for r in phase), "charging"),
    "plugged in for a while": (
        lambda phase: (*phase[:-40], *(replace(r, status="Full") for r in phase[-40:])),
        "charging",
    ),
    "frozen": (lambda phase: tuple(replace(r, current=400.0) for r in phase), "frozen"),
    "updated every minute": (
        lambda phase: tuple(replace(r, current=400.0 + r.at_s // 60) for r in phase),
        "coarse",
    ),
    "changing its sign": (
        lambda phase: (*phase[:200], *(replace(r, current=-r.current) for r in phase[200:])),
        "sign",
    ),
    "no unit fits": (
        lambda phase: tuple(replace(r, current=r.current * 50) for r in phase),
        "unit",
    ),
    "no voltage": (lambda phase: tuple(replace(r, voltage=0.0) for r in phase), "unit"),
    "too few": (lambda phase: phase[:30], "short"),
    "none once it has settled": (lambda phase: phase[:8], "short"),
    "charging for a moment": (
        lambda phase: tuple(replace(r, status="Charging") for r in phase[:8]),
        "charging",
    ),
    "steps of an ampere": (_rounded_to(1000.0), "coarse"),
}


@pytest.mark.parametrize(("spoil", "kind"), SPOILED.values(), ids=SPOILED)
def test_a_gauge_that_cannot_be_believed(spoil: Spoil, kind: str) -> None:
    idle = spoil(_phase(IDLE_MW, 1, noise=0.3))
    load = spoil(_phase(LOAD_MW, 2, noise=0.3))
    problem = energy_of(idle, load, RUNS, LOAD_S)
    assert isinstance(problem, GaugeProblem)
    assert problem.kind == kind, problem.message


def test_a_run_that_adds_nothing_is_no_number() -> None:
    problem = energy_of(_phase(IDLE_MW, 1), _phase(IDLE_MW, 2), RUNS, LOAD_S)
    assert isinstance(problem, GaugeProblem)
    assert problem.kind == "indistinct"
