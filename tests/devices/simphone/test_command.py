"""``edgezoo simphone`` as people run it: it announces its phones, obeys, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezoo.devices.adb.server import version
from edgezoo.devices.simphone.phone import FOLDER_PREFIX
from tests.devices.simphone.conftest import Adb, wait_until


class Running:
    """The command with two phones; ``temporary`` is where it builds its trees."""

    def __init__(self, adb: Adb, folder: Path) -> None:
        self.control = folder / "control"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.environment = {**adb.environment, "TMPDIR": str(self.temporary)}
        self.process = subprocess.Popen(
            (*self.argv("--count", "2"), "--control", str(self.control), "--json"),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(2)]
        self.phones: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self.serials = [phone["serial"] for phone in self.phones]

    def argv(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "edgezoo.cli", "simphone", *arguments)

    def tell(self, message: str) -> subprocess.CompletedProcess[str]:
        argv = self.argv("--control", str(self.control), "--tell", message)
        return subprocess.run(
            argv, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def trees(self) -> list[str]:
        return os.listdir(self.temporary)

    def end(self, number: int) -> str:
        self.process.send_signal(number)
        return self.process.communicate(timeout=60)[1]


@pytest.fixture
def running(adb: Adb, tmp_path: Path) -> Iterator[Running]:
    command = Running(adb, tmp_path)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.end(signal.SIGTERM)


def processes_under(folder: Path) -> list[str]:
    """Return the command lines of this machine that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in line:
            found.append(line.decode(errors="replace"))
    return found


def test_leaves_nothing_behind(adb: Adb, running: Running) -> None:
    assert all(f"{serial}\tdevice\n" in adb("devices").out for serial in running.serials)
    assert len(running.trees()) == 2
    assert all(name.startswith(FOLDER_PREFIX) for name in running.trees())
    adb("-s", running.serials[0], "shell", "nohup sleep 1000 > /dev/null 2>&1 &")
    assert processes_under(running.temporary)
    err = running.end(signal.SIGTERM)
    assert running.process.returncode == 128 + signal.SIGTERM
    assert "2 simulated phones, " in err and f"adb server 127.0.0.1:{adb.server.port}" in err
    assert not any(serial in adb("devices").out for serial in running.serials)
    assert running.trees() == [] and not running.control.exists()
    assert processes_under(running.temporary) == []
    mounts = Path("/proc/self/mounts").read_text()
    assert str(running.temporary) not in mounts
    assert version(adb.server) is not None  # a server may serve others


def test_ctrl_c(adb: Adb, running: Running) -> None:
    running.end(signal.SIGINT)
    assert running.process.returncode == 130
    assert running.trees() == []
    assert not any(serial in adb("devices").out for serial in running.serials)


def test_even_kill_9_leaves_no_process_and_no_tree(running: Running) -> None:
    running.end(signal.SIGKILL)
    wait_until(lambda: not running.trees() and not processes_under(running.temporary))


def test_obeys(adb: Adb, running: Running) -> None:
    done = running.tell('{"phone": "SIM0001", "set": {"battery_level": 7}}')
    assert (done.returncode, json.loads(done.stdout)) == (0, {"ok": True})
    levels = [
        adb("-s", serial, "shell", "cat /sys/class/power_supply/battery/capacity").out
        for serial in running.serials
    ]
    assert levels == ["7\n", "87\n"]
    assert running.tell('{"situation": "unauthorized", "phone": 1}').returncode == 0
    assert f"{running.serials[1]}\tunauthorized\n" in adb("devices").out
    assert running.tell('{"phone": 1, "do": "heal"}').returncode == 0
    assert running.tell('{"do": "reboot"}').returncode == 0
    answer = json.loads(running.tell('{"phones": true}').stdout)["phones"]
    assert [phone["boots"] for phone in answer] == [2, 2]
    assert [phone["conditions"]["battery_level"] for phone in answer] == [7, 87]


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("{", "--tell takes one JSON object"),
        ('{"phone": 5, "do": "drop"}', "there is no simulated phone 5; choose one of SIM0001"),
        ('{"do": "explode"}', "there is no action 'explode'; choose one of drop, forget_keys"),
        ('{"situation": "rain"}', "there is no fault 'rain'; choose one of unauthorized"),
        ('{"set": {"colour": 1}}', "a simulated phone has no 'colour'"),
        ('{"verb": 1}', "a message is an object with some of do, phone"),
        ("[]", "a message is an object"),
    ],
)
def test_refuses_in_one_sentence(running_once: Running, message: str, sentence: str) -> None:
    done = running_once.tell(message)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert sentence in done.stderr


@pytest.fixture(scope="module")
def running_once(adb: Adb, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    command = Running(adb, tmp_path_factory.mktemp("running"))
    yield command
    command.end(signal.SIGTERM)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "edgezoo.cli", "simphone", *arguments),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (("--fault", "rain"), {}, "there is no fault 'rain'; choose one of unauthorized, offline"),
        ((), {"ANDROID_ADB_SERVER_PORT": "x"}, "set ANDROID_ADB_SERVER_PORT to a number"),
        (("--tell", "{}"), {}, "add --control FILE"),
        (
            ("--tell", "{}", "--control", "/nowhere/s"),
            {},
            "no simulated phones listen at /nowhere/s",
        ),
    ],
)
def test_mistakes(arguments: tuple[str, ...], environment: dict[str, str], sentence: str) -> None:
    done = run(*arguments, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr and done.stderr.count("\n") == 1


def test_a_taken_port(adb: Adb, running_once: Running) -> None:
    port = running_once.serials[0].rpartition(":")[2]
    done = run("--port", port, **adb.environment)
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is taken" in done.stderr


def test_a_taken_control_path(adb: Adb, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    done = run("--control", str(taken), **adb.environment)
    assert done.returncode == 2 and f"no control socket can be made at {taken}" in done.stderr
    assert taken.exists()


def test_no_adb(tmp_path: Path) -> None:
    with socket.socket() as taken:  # where adbutils is installed beside us, its server cannot start
        taken.bind(("127.0.0.1", 0))
        nowhere = {
            "PATH": str(tmp_path),
            "ANDROID_ADB_SERVER_PORT": str(taken.getsockname()[1]),
            "EDGEZOO_ADB": "",
            "ANDROID_HOME": "",
        }
        done = run(**nowhere)
    if "no adb binary is found" not in done.stderr:
        assert "does not start" in done.stderr
    assert done.returncode == 2
