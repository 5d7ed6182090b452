"""Energy from the gauge of a simulated phone, read through the real adb."""

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgezoo.devices.energy.gauge import parse_readings
from edgezoo.devices.energy.power import GaugeProblem
from edgezoo.devices.energy.statistics import energy_of
from edgezoo.devices.energy.take import idle_readings, sampled_script
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.transports.adb import AdbTransport
from edgezoo.measurement import Energy
from tests.devices.benching import Bench, left_on, running

GAUGE = "sys/class/power_supply/battery/current_now"
SECONDS, INTERVAL_S, RUNS = 5.0, 0.1, 100
IDLE_UA, LOAD_UA = 300_000, 700_000


@contextmanager
def _drawing(phone: SimulatedPhone, current_ua: Callable[[], int]) -> Iterator[None]:
    """Let the gauge tell ``current_ua()`` anew ten times a second."""
    stop, file = threading.Event(), phone.tree.root / GAUGE

    def update() -> None:
        while not stop.wait(INTERVAL_S):
            file.write_text(f"{-current_ua()}\n")

    thread = threading.Thread(target=update)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _measured(
    transport: AdbTransport, phone: SimulatedPhone, noise: float
) -> Energy | GaugeProblem:
    """Both phases as a station takes them; a command that sleeps stands for the runner."""
    random_ = random.Random(0)
    drawn = itertools.count()

    def current(mean: int) -> Callable[[], int]:
        return lambda: round(mean * (1 + noise * random_.gauss(0, 1))) + next(drawn) % 2

    with _drawing(phone, current(IDLE_UA)):
        idle = idle_readings(transport, SECONDS, interval_s=INTERVAL_S)
    assert not isinstance(idle, GaugeProblem)
    script = sampled_script(f"sleep {SECONDS:g}", SECONDS, "/data/local/tmp/readings",
                            interval_s=INTERVAL_S)  # fmt: skip
    with _drawing(phone, current(LOAD_UA)):
        done = transport.run(script, 60.0)
    assert done.ok, done.complaint
    load = parse_readings(done.stdout)
    return energy_of(idle, load, RUNS, SECONDS, settle_s=0.5)


def test_the_gauge_of_a_phone(transport: AdbTransport, phone: SimulatedPhone) -> None:
    phone.set(charging=False)
    energy = _measured(transport, phone, noise=0.05)
    assert isinstance(energy, Energy), energy
    millivolts = int((phone.tree.root / GAUGE).with_name("voltage_now").read_text()) / 1000
    truth_mj = (LOAD_UA - IDLE_UA) / 1000 * millivolts / 1000 * SECONDS / RUNS
    # About 40 readings with 5 % of noise each: under 1 % of either mean, 2 % of the difference.
    assert energy.millijoules == pytest.approx(truth_mj, rel=0.1)
    assert energy.interval[0] < truth_mj * 1.05 and energy.interval[1] > truth_mj * 0.95


def test_a_gauge_that_stands_still(transport: AdbTransport, phone: SimulatedPhone) -> None:
    phone.set(charging=False)
    idle = idle_readings(transport, 3.0, interval_s=INTERVAL_S)
    assert not isinstance(idle, GaugeProblem)
    problem = energy_of(idle, idle, RUNS, 3.0, settle_s=0.2)
    assert isinstance(problem, GaugeProblem) and problem.kind == "frozen", problem


def test_a_phone_on_its_cable_is_not_waited_for(
    transport: AdbTransport, phone: SimulatedPhone
) -> None:
    phone.set(charging=True)
    problem = idle_readings(transport, 3600.0)
    assert isinstance(problem, GaugeProblem) and problem.kind == "charging", problem


@pytest.mark.slow
def test_bench_takes_the_energy(
    bench: Bench, build_tflite: Callable[..., Path], phone: SimulatedPhone
) -> None:
    """End to end: the gauge rises while the runner of the energy's process is there."""
    phone.set(charging=False)
    net = build_tflite(channels=128, side=64)  # some milliseconds: every sample is printed
    drawn = itertools.count()

    def current() -> int:
        busy = any("--min_secs=14" in line for line in running("edgezoo_runner"))
        return (LOAD_UA if busy else IDLE_UA) + 20_000 * (next(drawn) % 3)

    with _drawing(phone, current):
        (measurement,) = bench(net, energy_s=14.0)
    energy = measurement.energy
    assert energy is not None, measurement.message
    assert measurement.latency_ms is not None
    assert energy.load_mw > energy.baseline_mw
    # The gauge stands for the whole run, the runner for most of it: start and end cost seconds.
    millivolts = int((phone.tree.root / GAUGE).with_name("voltage_now").read_text()) / 1000
    truth_mw = (LOAD_UA - IDLE_UA) / 1000 * millivolts / 1000
    assert energy.load_mw - energy.baseline_mw == pytest.approx(truth_mw, rel=0.25)
    assert energy.interval[0] < energy.millijoules < energy.interval[1]
    assert left_on(phone) == []


def test_bench_says_why_there_is_no_energy(
    bench: Bench, build_tflite: Callable[..., Path], phone: SimulatedPhone
) -> None:
    phone.set(charging=True)
    (measurement,) = bench(build_tflite(channels=128, side=64), energy_s=14.0)
    assert measurement.latency_ms is not None and measurement.energy is None
    assert "No energy: the battery is not discharging (charging)" in (measurement.message or "")
    assert left_on(phone) == []
