"""Many phones at once, several adb servers, runs beside each other, and what outlives a run."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgezoo.devices.adb.find import Adb
from edgezoo.devices.adb.server import Server, ensure_running
from edgezoo.devices.clock import WallClock
from edgezoo.devices.failures import DeviceError
from edgezoo.devices.locks import VALID_S
from edgezoo.devices.simphone import SimulatedPhone, cable
from edgezoo.devices.simphone.conditions import PROFILES, Cluster, Profile
from edgezoo.devices.simphone.fixtures import free_port, kill_server
from edgezoo.devices.stations.choose import chosen_stations
from edgezoo.devices.stations.device import held
from edgezoo.devices.transports.adb import AdbTransport
from edgezoo.errors import UsageError
from edgezoo.measurement import Measurement
from edgezoo.plan import Gate, Plan
from tests.devices.benching import Bench, left_on, measured, only, processes_of, refused, running

ROOT = Path(__file__).parents[3]
CORES = (Cluster(4, 300_000, 1_800_000, 250),)


@pytest.fixture
def second(server: Server) -> Iterator[SimulatedPhone]:
    """Another phone of the same model at the same server."""
    with SimulatedPhone(PROFILES[0], server=server, number=2) as phone:
        yield phone


@pytest.fixture
def other_server(adb: Adb) -> Iterator[Server]:
    server = Server(port=free_port())
    ensure_running(server, adb)
    yield server
    kill_server(adb.path, server)


def test_all_phones(bench: Bench, net: Path, phone: SimulatedPhone, second: SimulatedPhone) -> None:
    """Phones of one model are told apart by their serials."""
    measurements = bench(net, device="all")
    for measurement in measurements:
        measured(measurement)
    serials = {measurement.device.serial for measurement in measurements}
    assert serials == {phone.serial, second.serial}
    assert len({measurement.device.name for measurement in measurements}) == 1
    assert left_on(phone) == left_on(second) == []


def test_all_but_one_that_is_not_ready(
    bench: Bench, net: Path, phone: SimulatedPhone, second: SimulatedPhone
) -> None:
    """It is left out, and the user is told which, why, and what to do."""
    second.set(state="unauthorized")
    (measurement,) = bench(net, device="all")
    measured(measurement)
    assert measurement.device.serial == phone.serial
    (said,) = [message for message in bench.said if message.startswith("left out")]
    assert f"{second.serial} does not trust this computer yet; unlock the phone" in said


def test_all_but_one_that_does_not_answer(
    bench: Bench, net: Path, phone: SimulatedPhone, second: SimulatedPhone
) -> None:
    second.set(refused_services=("shell", "exec"))
    measured(*bench(net, device="all"))
    assert [message for message in bench.said if f"left out: {second.serial}" in message]


def test_two_servers(
    bench: Bench, net: Path, phone: SimulatedPhone, server: Server, other_server: Server
) -> None:
    """A phone that both see is measured once, one that only the second sees too."""
    cable.plug(other_server, phone.serial)
    with SimulatedPhone(server=other_server, number=2) as second:
        measurements = bench(
            net, device="all", servers=[str(server), f"localhost:{other_server.port}"]
        )
    for measurement in measurements:
        measured(measurement)
    serials = [measurement.device.serial for measurement in measurements]
    assert sorted(serials) == sorted([phone.serial, second.serial])


def test_one_phone_under_two_names(
    bench: Bench, net: Path, phone: SimulatedPhone, server: Server
) -> None:
    """As on a cable and over the network at once: it is measured once."""
    alias = f"localhost:{phone.port}"
    cable.plug(server, alias)
    try:
        (measurement,) = bench(net, device="all")
    finally:
        cable.unplug(server, alias)
    measured(measurement)
    assert [message for message in bench.said if "once more" in message]
    assert left_on(phone) == []


def test_all_but_one_that_no_runner_fits(
    bench: Bench, net: Path, phone: SimulatedPhone, server: Server
) -> None:
    profile = Profile("Sim Old", "edgezoo", "SIM1", CORES, abi="armeabi-v7a")
    with SimulatedPhone(profile, server=server, number=2) as old:
        measured(*bench(net, device="all"))
        (said,) = [message for message in bench.said if message.startswith("left out")]
        assert said.startswith(f"left out: {old.serial}: {bench.runner} holds no runner for")
        phone.unplug()
        with pytest.raises(UsageError, match="no runner for linux-arm"):
            bench(net, device="all")


def test_all_but_one_whose_cores_are_too_few(
    bench: Bench, net: Path, phone: SimulatedPhone, server: Server
) -> None:
    with SimulatedPhone(
        Profile("Sim Small", "edgezoo", "SIM2", CORES), server=server, number=2
    ) as small:
        measured(*bench(net, device="all", cores="f0"), cores="f0")
        assert [
            message for message in bench.said if f"left out: {small.serial}: the mask f0" in message
        ]
        with pytest.raises(UsageError, match=f"{small.serial}: the mask f0 names"):
            bench(net, device=small.serial, cores="f0")


def test_an_android_without_the_commands(
    bench: Bench, net: Path, phone: SimulatedPhone, server: Server
) -> None:
    old = Profile("Sim Old", "edgezoo", "SIM1", CORES, android="5.1", sdk=22)
    with (
        SimulatedPhone(old, server=server, number=2) as other,
        pytest.raises(DeviceError, match=r"Android 5.1 \(API 22\) lacks commands") as caught,
    ):
        bench(net, device=other.serial)
    assert caught.value.failure.failure_class == "unsupported"


def test_an_old_phone_that_gives_every_command_a_terminal(
    bench: Bench, net: Path, phone: SimulatedPhone, server: Server
) -> None:
    """Its lines end with CR LF, and errors stand among the output; the state is read all the same."""
    old = Profile("Sim Old", "edgezoo", "SIM1", CORES, android="6.0", sdk=23)
    with SimulatedPhone(old, server=server, number=2, features="cmd") as other:
        measured(*bench(net, device=other.serial, cores="3"), cores="3")
        # The state behind the second process lets the third through, the one behind that judges it.
        warm = {3: lambda: other.set(thermal_status=2)}
        (measurement,) = bench(net, device=other.serial, before=warm)
        assert measurement.status == "throttled"
        assert [state.thermal_status for state in measurement.conditions] == [0, 2]
        assert left_on(other) == []


def test_a_server_that_is_elsewhere_and_gone(
    bench: Bench, net: Path, phone: SimulatedPhone
) -> None:
    with pytest.raises(DeviceError, match="no adb server answers at") as caught:
        bench(net, device="all", servers=["127.0.0.2:1"])
    assert caught.value.failure.failure_class == "link_lost"


def test_two_runs_at_once(bench: Bench, net: Path, phone: SimulatedPhone, tmp_path: Path) -> None:
    second = Bench(bench.device, bench.runner, tmp_path / "second.jsonl")
    busy: list[Measurement] = []
    measured(*bench(net, before={2: lambda: busy.extend(second(net))}))
    assert "is being measured by process" in refused(only(busy), "busy")
    measured(*second(net))


# ------------------------------------------------------------------------------ long runs


class Later(WallClock):
    """A clock that can be moved on."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


def test_the_lock_outlasts_what_comes_next(
    phone: SimulatedPhone, transport: AdbTransport, runner: Path
) -> None:
    """It is renewed before it can end, for longer than a process with a long deadline takes."""

    def left_s() -> int:
        until = f"echo $(($(cat {transport.folder}/lock/until) - $(date +%s)))"
        return int(transport.run(until, 60).text)

    clock, plan = Later(), Plan(timeout_s=60.0)
    with chosen_stations(phone.serial, ["tflite"], runner=str(runner)) as (station,):
        station.clock = clock
        with held(station):
            assert station.wait_until_fit(plan) is None
            assert left_s() <= VALID_S
            clock.ahead_s = VALID_S - 100
            assert station.wait_until_fit(plan) is None
            assert left_s() > VALID_S + plan.timeout_s
            long = Plan(timeout_s=10_000.0, gate=Gate(cooldown_s=5000.0))
            assert station.wait_until_fit(long) is None
            assert left_s() > 15_000
            energy = Plan(timeout_s=10_000.0, min_seconds=3000.0, gate=Gate(cooldown_s=5000.0))
            assert station.wait_until_fit(energy) is None
            assert left_s() > 21_000
            assert transport.run(f"rm -rf {transport.folder}/lock", 60).ok
            clock.ahead_s += 30_000
            report = station.wait_until_fit(plan)
            assert report is not None
            assert report.failure_class == "busy"


# ------------------------------------------------------------------------------ kill -9


@pytest.fixture
def command(bench: Bench) -> Callable[..., subprocess.Popen[str]]:
    """Start the command line in a process of its own, which reports its steps."""

    def start(*files: Path, device: str) -> subprocess.Popen[str]:
        words = ("bench", *files, "--device", device, "--runner", bench.runner, "--store",
                 bench.store, "--processes", "3", "--runs", "5", "--warmup", "1")  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "edgezoo.cli", *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    return start


def killed_at(process: subprocess.Popen[str], step: int, number: int = signal.SIGKILL) -> list[str]:
    """Let the command start ``step`` processes, then send the signal; return what it had started."""
    started = []
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("timing"):
                started.append(line)
                if len(started) == step:
                    process.send_signal(number)
    return started


def test_killed_and_resumed(
    bench: Bench,
    net: Path,
    phone: SimulatedPhone,
    second: SimulatedPhone,
    command: Callable[..., subprocess.Popen[str]],
) -> None:
    """Nothing that was finished is measured again or lost, and the dead run's locks are no bar."""
    other = net.with_name("other.tflite")
    other.write_bytes(net.read_bytes())
    for step in (5, 4):
        process = command(net, other, device="all")
        killed_at(process, step)
        assert process.returncode == -signal.SIGKILL
    finished = bench.stored if bench.store.exists() else ()
    process = command(net, other, device="all")
    started = killed_at(process, 100)
    assert process.returncode == 0
    for measurement in bench.stored:
        assert len(measurement.processes) == 3
        assert measurement.latency_ms is not None
    names = [(m.device.serial, m.artifact) for m in bench.stored]
    expected = {(p.serial, n.name) for p in (phone, second) for n in (net, other)}
    assert sorted(names) == sorted(expected)
    assert bench.stored[: len(finished)] == finished
    # At least five processes were begun before the first kill and four before the second; those
    # that had ended are not begun again, and one per phone and kill may have been under way.
    assert len(started) <= 12 - (5 + 4) + 2 * 2
    for one in (phone, second):
        assert left_on(one) == []
        assert processes_of(one) == []
    assert running(f"-s {phone.serial}") == running(f"-s {second.serial}") == []
    assert not list(bench.store.parent.glob("*.run*"))


def test_interrupted(
    bench: Bench, net: Path, phone: SimulatedPhone, command: Callable[..., subprocess.Popen[str]]
) -> None:
    process = command(net, device=phone.serial)
    killed_at(process, 2, signal.SIGINT)
    assert process.returncode not in (0, -signal.SIGKILL)
    assert left_on(phone) == []
    assert processes_of(phone) == []
    (measurement,) = bench(net, timeout_s=600.0, gate=Gate())
    assert len(measurement.processes) == 3
    assert len(bench.started) <= 2


def test_devices_are_listed_at_once(phone: SimulatedPhone, server: Server) -> None:
    """Nothing heavy is imported to say that there is no phone."""
    phone.unplug()
    code = (
        "import sys; from edgezoo.cli import main; code = main(['devices', '--json'])\n"
        "sys.exit(code or ', '.join({'numpy', 'torch', 'scipy', 'onnx'} & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")
