"""Phones that fail at random while they are measured: right numbers or named failures, nothing else."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from edgezoo.devices.adb.server import Server
from edgezoo.devices.course import Progress
from edgezoo.devices.fleet import measure_on_all
from edgezoo.devices.journal import Journal
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.fleet import Fleet
from edgezoo.devices.stations.choose import chosen_stations
from edgezoo.devices.stations.device import OF_THE_DEVICE, Patience
from edgezoo.devices.subjects import read_subjects
from edgezoo.measurement import Measurement
from edgezoo.plan import Gate, Plan
from tests.devices.benching import left_on, processes_of, running
from tests.devices.fleet.chaos import Chaos, check

PLAN = Plan(processes=3, warmup=1, runs=5, timeout_s=20.0, gate=Gate(cooldown_s=1.0))
# Longer than any fault lasts, so that a phone that comes back is waited for.
PATIENCE = Patience(answer_s=5.0, return_s=20.0)
PASSES = ("ok", "unstable", "throttled")


@pytest.fixture
def phones(server: Server) -> Iterator[Callable[[int], Sequence[SimulatedPhone]]]:
    fleets: list[Fleet] = []

    def start(count: int) -> Sequence[SimulatedPhone]:
        fleets.append(Fleet(count, server=server).start())
        return fleets[-1].phones

    yield start
    for fleet in fleets:
        fleet.stop()


class Rounds:
    """Measures the same files on all phones, each time into a store of its own."""

    def __init__(self, files: Sequence[Path], runner: Path, folder: Path) -> None:
        self.subjects, self.runner, self.folder = read_subjects(files), runner, folder
        self.sha256s = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
        self.started = 0

    def __call__(self, name: str) -> tuple[Measurement, ...]:
        self.started = 0

        def count(step: Progress) -> None:
            self.started += 1

        store = self.folder / f"{name}.jsonl"
        self.said: list[str] = []
        runner = str(self.runner)
        with chosen_stations(
            "all", ["tflite"], runner=runner, progress=self.said.append
        ) as stations:
            for station in stations:
                station.patience = PATIENCE
            with Journal(store) as journal:
                return measure_on_all(stations, self.subjects, PLAN, journal, on_progress=count)


def torture(
    rounds: Rounds, phones: Sequence[SimulatedPhone], faults: int
) -> tuple[Counter[str], Chaos]:
    """Measure round after round until there were enough faults; then fill each round's gaps."""
    outcomes: Counter[str] = Counter()
    stores: list[tuple[Measurement, ...]] = []
    with chosen_stations("all", ["tflite"], runner=str(rounds.runner)) as stations:
        assert len(stations) == len(phones)
    chaos = Chaos(phones, seed=20, most=faults)
    while not chaos.enough:
        with Chaos(phones, 20 + len(stores), faults, chaos.happened):
            stores.append(rounds_of(rounds, len(stores), len(phones)))
    for number, measurements in enumerate(stores):
        outcomes.update(check(m, PLAN, rounds.sha256s) for m in measurements)
        fill(rounds, number, measurements, len(phones))
    return outcomes, chaos


def rounds_of(rounds: Rounds, number: int, phones: int) -> tuple[Measurement, ...]:
    measurements = rounds(str(number))
    assert len(measurements) % len(rounds.subjects) == 0  # phones that did not answer are left out
    assert 0 < len(measurements) <= phones * len(rounds.subjects)
    return measurements


def fill(rounds: Rounds, number: int, before: tuple[Measurement, ...], phones: int) -> None:
    """Measure again with healthy phones: only what the devices had spoilt, and what was left out."""
    gaps = [m for m in before if m.failure_class in OF_THE_DEVICE]
    kept = [m for m in before if m not in gaps]
    if not gaps:
        return
    missing = sum(PLAN.processes - len(m.processes) for m in gaps)
    absent = phones * len(rounds.subjects) - len(before)
    after = rounds(str(number))
    for measurement in after:
        outcome = check(measurement, PLAN, rounds.sha256s)
        assert outcome in PASSES or measurement in kept, measurement.message
    assert [m for m in kept if m not in after] == []
    assert rounds.started == missing + absent * PLAN.processes, rounds.said


def nothing_is_left(phones: Sequence[SimulatedPhone]) -> None:
    for phone in phones:
        assert left_on(phone) == []
        assert processes_of(phone) == []
        assert running(f"-s {phone.serial}") == []


@pytest.mark.parametrize(
    ("count", "faults"),
    [
        pytest.param(3, 20, id="small"),
        pytest.param(8, 500, id="large", marks=pytest.mark.slow),
    ],
)
def test_chaos(
    phones: Callable[[int], Sequence[SimulatedPhone]],
    runner: Path,
    tmp_path: Path,
    build_tflite: Callable[..., Path],
    count: int,
    faults: int,
) -> None:
    files = [build_tflite(f"{n}.tflite", channels=8 * n, side=16 * n) for n in (1, 2, 3)]
    fleet = phones(count)
    outcomes, chaos = torture(Rounds(files, runner, tmp_path), fleet, faults)
    print(f"{sum(chaos.happened.values())} faults, {sum(outcomes.values())} jobs: {outcomes}")
    assert sum(chaos.happened.values()) >= faults
    assert sum(outcomes[name] for name in PASSES) > 0
    nothing_is_left(fleet)
