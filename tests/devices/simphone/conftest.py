"""Real adb binaries, each with a server of its own, and a phone that every test finds healthy."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgezoo.devices.adb.find import places
from edgezoo.devices.adb.server import Server
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.fixtures import NO_ADB, QUIET, free_port, kill_server

COMMAND_TIMEOUT_S = 60.0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def found_adbs() -> list[Path]:
    return list(dict.fromkeys(path.resolve() for _, path in places(None, os.environ)))


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Adb:
    path: Path
    server: Server
    environment: dict[str, str]

    def argv(self, *arguments: object) -> list[str]:
        return [str(self.path), *map(str, arguments)]

    def __call__(self, *arguments: object) -> Done:
        done = subprocess.run(
            self.argv(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        out, err = (text.decode(errors="backslashreplace") for text in (done.stdout, done.stderr))
        return Done(done.returncode, out, err)

    def serve(self) -> int:
        """Start the server; it would keep a pipe open."""
        quiet = subprocess.DEVNULL
        argv, environment = self.argv("start-server"), self.environment
        return subprocess.call(argv, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.argv(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


ADBS: list[Path | None] = [*found_adbs()] or [None]


@pytest.fixture(scope="session", params=ADBS, ids=str)
def adb(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adb]:
    if request.param is None:
        pytest.skip(NO_ADB)
    server = Server(port=free_port())
    foreign = ("ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_ADDRESS", "ADB_VENDOR_KEYS")
    environment = {
        **{name: value for name, value in os.environ.items() if name not in foreign},
        **QUIET,
        "HOME": str(tmp_path_factory.mktemp("adb-home")),
        "ANDROID_ADB_SERVER_PORT": str(server.port),
        "EDGEZOO_ADB": str(request.param),
    }
    started = Adb(request.param, server, environment)
    try:
        assert started.serve() == 0
        yield started
    finally:
        kill_server(request.param, server)


@pytest.fixture(scope="session")
def plugged(adb: Adb) -> Iterator[SimulatedPhone]:
    with SimulatedPhone(server=adb.server) as phone:
        print(f"simulated phone: {phone.tier}")
        yield phone


@pytest.fixture
def phone(plugged: SimulatedPhone) -> Iterator[SimulatedPhone]:
    yield plugged
    plugged.heal()
    plugged.replug()
    for path in (plugged.tree.root / "data/local/tmp").iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.fixture
def full(phone: SimulatedPhone) -> SimulatedPhone:
    """A phone with Android's own shell in its own namespaces."""
    if not phone.tier.startswith("full"):
        reason = f"this machine has only the tier {phone.tier}"
        pytest.skip(f"{reason}; install mksh and toybox, allow user namespaces")
    return phone
