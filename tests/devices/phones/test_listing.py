"""edgezoo devices, against real adb servers with simulated phones."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezoo import doctor, pipeline
from edgezoo.devices.adb.find import Adb
from edgezoo.devices.adb.server import Server, ensure_running, version
from edgezoo.devices.failures import DeviceError
from edgezoo.devices.phones import Phone, changes
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.fixtures import free_port, kill_server
from edgezoo.measurement import Cluster
from tests.cli.command import ROOT

CHANGE_S = 60.0


def test_a_ready_phone(server: Server, phone: SimulatedPhone) -> None:
    (found,) = pipeline.devices()
    assert (found.serial, found.state, found.server) == (phone.serial, "device", str(server))
    assert (found.connection, found.model, found.advice) == ("network", "Sim Flagship", "")
    device, conditions = found.device, found.conditions
    assert device is not None
    assert conditions is not None
    assert (device.kind, device.serial) == ("simulated", phone.serial)
    assert (device.name, device.os) == ("Edgezoo Sim Flagship", "Android 14 (API 34)")
    assert device.memory_mib == phone.profile.memory_mib
    assert device.governor == phone.conditions.governor
    assert device.clusters[-1] == Cluster((7,), 2850)
    assert [len(cluster.cores) for cluster in device.clusters] == [4, 3, 1]
    assert conditions.battery_percent == phone.conditions.battery_level
    assert conditions.hottest_celsius == phone.conditions.cpu_celsius
    assert conditions.mhz[-1] == 2850
    assert (conditions.screen_on, conditions.low_power_mode) == (True, False)


def test_changed_conditions(phone: SimulatedPhone, server: Server) -> None:
    phone.set(thermal_status=3, battery_level=9, charging=False, clock=0.5, low_power_mode=True)
    (found,) = pipeline.devices()
    state = found.conditions
    assert state is not None
    assert (state.thermal_status, state.battery_percent, state.charging) == (3, 9, False)
    assert (state.low_power_mode, state.mhz[-1]) == (True, 1425)


def test_a_phone_that_does_not_answer(phone: SimulatedPhone, server: Server) -> None:
    """It stays in the list, with the reason."""
    phone.set(refused_services=("shell",))
    (found,) = pipeline.devices()
    assert (found.ready, found.device) == (True, None)
    assert found.problem is not None
    assert "refuses" in found.problem


def test_several_servers(adb: Adb, server: Server, phone: SimulatedPhone) -> None:
    other = Server(port=free_port())
    ensure_running(other, adb)
    try:
        with SimulatedPhone(server=other, number=2) as second:
            found = pipeline.devices(servers=(str(server), str(other), str(server)))
            assert [(p.server, p.serial) for p in found] == [
                (str(server), phone.serial),
                (str(other), second.serial),
            ]
            assert all(p.device is not None for p in found)
    finally:
        kill_server(adb.path, other)


def test_the_server_is_started_and_left(
    adb: Adb, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    try:
        assert pipeline.devices() == ()
        assert version(Server(port=port)) == adb.protocol
    finally:
        kill_server(adb.path, Server(port=port))


def test_no_server_is_started_elsewhere() -> None:
    port = free_port()
    with pytest.raises(DeviceError, match=f"no adb server answers at 127.0.0.2:{port}"):
        pipeline.devices(servers=(f"127.0.0.2:{port}",))


def test_watching(server: Server, phone: SimulatedPhone) -> None:
    seen: queue.Queue[tuple[Phone, ...]] = queue.Queue()
    stop = threading.Event()

    def watch(stream: Iterator[tuple[Phone, ...]]) -> None:
        for phones in stream:
            seen.put(phones)
            if stop.is_set():
                return

    thread = threading.Thread(target=watch, args=(changes([server]),), daemon=True)
    thread.start()

    def states_until(*wanted: str) -> None:
        while tuple(p.state for p in seen.get(timeout=CHANGE_S)) != wanted:
            pass

    states_until("device")
    phone.unplug()
    states_until()
    phone.replug()
    states_until("device")
    phone.set(state="unauthorized")
    states_until("unauthorized")
    stop.set()
    phone.heal()
    thread.join(CHANGE_S)
    assert not thread.is_alive()


def test_command_line(phone: SimulatedPhone, server: Server, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "edgezoo.cli", "devices", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    table = run()
    assert table.returncode == 0, table.stderr
    for part in (phone.serial, "ready", "SIM8900", "1 x 2.85 + 3 x 2.40 + 4 x 1.80 GHz", "87 %"):
        assert part in table.stdout
    (entry,) = json.loads(run("--json").stdout)
    assert entry["device"]["kind"] == "simulated"
    phone.set(state="unauthorized")
    table = run("--adb-server", str(server))
    assert "tap Allow" in table.stdout
    assert table.returncode == 0
    wrong = run("--adb", "/nowhere/adb")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[-1].startswith("error: /nowhere/adb, named by --adb, does not")


def test_following_on_the_command_line(phone: SimulatedPhone, server: Server) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "edgezoo.cli", "devices", "--watch", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert [p["serial"] for p in json.loads(process.stdout.readline())] == [phone.serial]
        phone.unplug()
        while json.loads(process.stdout.readline()):
            pass
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_doctor_names_the_phone(phone: SimulatedPhone, server: Server) -> None:
    phone.set(state="unauthorized")
    found = {finding.name: finding for finding in doctor.phone_findings()}
    assert found["adb server"].ok
    entry = found[f"phone {phone.serial}"]
    assert (entry.ok, entry.essential) == (False, False)
    assert "tap Allow" in entry.fix
