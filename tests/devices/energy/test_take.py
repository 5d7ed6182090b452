"""The sampler through this machine's transport; ``phones/test_energy.py`` goes through adb."""

import threading
import time
from pathlib import Path

import pytest

from edgezoo.devices.energy.gauge import parse_readings
from edgezoo.devices.energy.power import GaugeProblem
from edgezoo.devices.energy.take import idle_readings, sampled_script
from edgezoo.devices.transports.local import LocalTransport

TIMEOUT_S = 60.0


@pytest.fixture
def gauge(tmp_path: Path) -> Path:
    supply = tmp_path / "battery"
    supply.mkdir()
    for name, content in (
        ("current_now", "-300000"), ("voltage_now", "4000000"), ("status", "Discharging"),
    ):  # fmt: skip
        (supply / name).write_text(f"{content}\n")
    return tmp_path


def test_readings_of_this_machine(gauge: Path, tmp_path: Path) -> None:
    transport = LocalTransport(str(tmp_path / "own"))
    readings = idle_readings(transport, 0.4, interval_s=0.05, folder=str(gauge))
    assert not isinstance(readings, GaugeProblem)
    assert {(r.current, r.voltage, r.status) for r in readings} == {(-3e5, 4e6, "Discharging")}
    assert len(readings) > 3


def test_no_gauge(tmp_path: Path) -> None:
    problem = idle_readings(LocalTransport(str(tmp_path / "own")), 0.1, folder=str(tmp_path))
    assert isinstance(problem, GaugeProblem) and problem.kind == "absent"


def test_a_command_is_sampled_while_it_runs(gauge: Path, tmp_path: Path) -> None:
    """The gauge changes during the run; the command's output and exit code come through."""
    transport, file = LocalTransport(str(tmp_path / "own")), tmp_path / "readings"
    script = sampled_script(
        "echo begun; sleep 1; echo count=3; exit 7", 5, str(file), interval_s=0.05, folder=str(gauge)
    )  # fmt: skip
    current = gauge / "battery" / "current_now"
    change = threading.Timer(0.5, lambda: current.write_text("-900000\n"))
    change.start()
    done = transport.run(script, TIMEOUT_S)
    change.join()
    assert (done.ended, done.returncode) == (True, 7)
    assert done.stdout.startswith(b"begun\ncount=3\n")
    assert {r.current for r in parse_readings(done.stdout)} == {-3e5, -9e5}
    assert not file.exists()


def test_the_sampler_ends_with_the_command(gauge: Path, tmp_path: Path) -> None:
    transport, file = LocalTransport(str(tmp_path / "own")), tmp_path / "readings"
    transport.run(
        sampled_script("true", 50, str(file), interval_s=0.05, folder=str(gauge)), TIMEOUT_S
    )
    time.sleep(0.3)
    assert not file.exists()  # a sampler that still ran would have written to a deleted file only
