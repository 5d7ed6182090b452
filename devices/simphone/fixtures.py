"""Simulated phones as pytest fixtures, which pytest finds by itself where edgezoo is installed.

A test that takes ``simulated_phone`` has one healthy phone on an adb server of its own; the
environment names that server, so ``adb``, ``edgezoo devices`` and ``edgezoo bench`` see this phone
and no other. ``simulated_phones(3)`` starts several. Without an adb the test is skipped.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edgezoo.devices.adb.find import find_adb
from edgezoo.devices.adb.server import Server, ensure_running
from edgezoo.devices.failures import DeviceError
from edgezoo.devices.simphone.fleet import Fleet
from edgezoo.devices.simphone.phone import SimulatedPhone

NO_ADB = "no adb: install the package adb (Debian) or adbutils (PyPI), or set EDGEZOO_ADB"
# For servers of tests: without these one looks for phones in the network, which takes it seconds.
QUIET = {"ADB_MDNS": "0", "ADB_MDNS_AUTO_CONNECT": "0", "ADB_LIBUSB": "0"}
STOP_TIMEOUT_S = 20.0


@pytest.fixture
def own_adb_server(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """An adb server with its own port and keys, named by the environment, gone after the test."""
    try:
        adb = find_adb()
    except DeviceError as error:
        pytest.skip(f"{NO_ADB} ({error})")
    server = Server(port=free_port())
    for name in ("ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_ADDRESS", "ADB_VENDOR_KEYS"):
        monkeypatch.delenv(name, raising=False)
    home = str(tmp_path_factory.mktemp("adb-home"))
    own = {"HOME": home, "ANDROID_ADB_SERVER_PORT": str(server.port), "EDGEZOO_ADB": str(adb.path)}
    for name, value in {**own, **QUIET}.items():
        monkeypatch.setenv(name, value)
    try:
        ensure_running(server, adb)
        yield server
    finally:
        kill_server(adb.path, server)


@pytest.fixture
def simulated_phones(
    own_adb_server: Server,
) -> Iterator[Callable[..., tuple[SimulatedPhone, ...]]]:
    """Call it with a count and the options of ``Fleet``; the phones are gone after the test."""
    with ExitStack() as running:

        def start(count: int = 1, **options: Any) -> tuple[SimulatedPhone, ...]:
            fleet = Fleet(count, server=own_adb_server, **options)
            return running.enter_context(fleet).phones

        yield start


@pytest.fixture
def simulated_phone(simulated_phones: Callable[..., tuple[SimulatedPhone, ...]]) -> SimulatedPhone:
    """One healthy simulated phone."""
    return simulated_phones()[0]


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kill_server(adb: Path, server: Server) -> None:
    """Stop a server that was started for tests; never call it for a user's."""
    subprocess.run(
        [str(adb), "-P", str(server.port), "kill-server"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=STOP_TIMEOUT_S,
        env={**os.environ, **QUIET},
        check=False,
    )
