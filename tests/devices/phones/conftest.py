"""Real adb binaries, each with a server of its own, and a simulated phone that starts healthy.

Binaries: those that EDGEZOO_ADB_BINARIES lists (as PATH does), the one on PATH, that of adbutils.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgezoo.devices.adb.find import Adb, find_adb, places
from edgezoo.devices.adb.server import Server, ensure_running
from edgezoo.devices.runners.build import build_runner
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.fixtures import NO_ADB, QUIET, free_port, kill_server
from edgezoo.devices.stations.device import Patience
from edgezoo.devices.transports.adb import AdbTransport
from tests.devices.benching import Bench


def binaries() -> list[Path]:
    listed = os.environ.get("EDGEZOO_ADB_BINARIES", "").split(os.pathsep)
    found = [Path(path) for path in listed if path]
    found += [path for _, path in places(None, os.environ)]
    return list(dict.fromkeys(path.resolve() for path in found))


FOUND: list[Path | None] = [*binaries()]


@pytest.fixture(scope="session", params=FOUND or [None], ids=str)
def adb(request: pytest.FixtureRequest) -> Adb:
    if request.param is None:
        pytest.skip(NO_ADB)
    return find_adb(request.param)


SHORT_S = 1.0
FOREIGN = ("ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_ADDRESS", "ADB_VENDOR_KEYS")


@pytest.fixture(scope="session")
def own_environment(adb: Adb, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What leads adb and edgezoo to a server of these tests, with keys of its own."""
    return {
        **QUIET,
        "HOME": str(tmp_path_factory.mktemp("adb-home")),
        "ANDROID_ADB_SERVER_PORT": str(free_port()),
        "EDGEZOO_ADB": str(adb.path),
    }


@pytest.fixture(autouse=True)
def led_to_the_server(own_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    for name, value in own_environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def server(adb: Adb, own_environment: dict[str, str]) -> Iterator[Server]:
    address = Server(port=int(own_environment["ANDROID_ADB_SERVER_PORT"]))
    with pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN:
            patch.delenv(name, raising=False)
        for name, value in own_environment.items():
            patch.setenv(name, value)
        ensure_running(address, adb)
    yield address
    kill_server(adb.path, address)


@pytest.fixture(scope="session")
def plugged(server: Server) -> Iterator[SimulatedPhone]:
    with SimulatedPhone(server=server) as phone:
        yield phone


@pytest.fixture
def phone(plugged: SimulatedPhone) -> Iterator[SimulatedPhone]:
    yield plugged
    plugged.heal()
    plugged.replug()
    for path in (plugged.tree.root / "data/local/tmp").iterdir():
        shutil.rmtree(path)


@pytest.fixture
def transport(adb: Adb, server: Server, phone: SimulatedPhone) -> AdbTransport:
    return AdbTransport(adb, phone.serial, server)


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a C runner for this machine, which simulated phones can run."""
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("needs a C compiler: apt-get install gcc libc6-dev")
    folder = tmp_path_factory.mktemp("runner")
    build_runner(folder)
    return folder


@pytest.fixture
def bench(phone: SimulatedPhone, runner: Path, tmp_path: Path) -> Bench:
    return Bench(phone.serial, runner, tmp_path / "results.jsonl")


@pytest.fixture
def net(build_tflite: Callable[..., Path]) -> Path:
    return build_tflite()


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of seconds instead of minutes for a phone that does not answer."""
    monkeypatch.setattr("edgezoo.devices.transports.adb.STOP_S", SHORT_S)
    monkeypatch.setattr("edgezoo.devices.transports.adb.RECONNECT_S", SHORT_S)
    monkeypatch.setattr("edgezoo.devices.transports.recovery.QUESTION_S", SHORT_S)
    for module in ("locks", "screen"):
        monkeypatch.setattr(f"edgezoo.devices.{module}.ANSWER_S", SHORT_S)
    monkeypatch.setattr("edgezoo.devices.stations.device.PATIENCE", Patience(SHORT_S, 2.0))
