"""The adb server that simulated phones are plugged into, over its own protocol.

The server is the real one. It is started where it does not run, as every adb command does, and is
never stopped from here: other programs may use it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgezoo.errors import BenchmarkError, UsageError

DEFAULT_PORT = 5037
TIMEOUT_S = 20.0
CONNECT_ATTEMPTS, CONNECT_TIMEOUT_S = 5, 4.0
POLL_S = 0.02
# For servers of tests: without these one looks for phones in the network, which takes it seconds.
QUIET = {"ADB_MDNS": "0", "ADB_MDNS_AUTO_CONNECT": "0", "ADB_LIBUSB": "0"}


@dataclass(frozen=True, slots=True)
class AdbServer:
    """The address of an adb server."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT

    def ask(self, request: str) -> bytes:
        """Send one ``host:`` request and return the answer.

        Raises ``ConnectionError`` where nobody listens and ``BenchmarkError`` where it is refused.
        """
        with self._sent(request) as connected:
            answer = b""
            while part := connected.recv(1 << 16):
                answer += part
        if answer[:4] != b"OKAY":
            reason = answer[8:].decode(errors="replace").strip()
            raise BenchmarkError(f"adb server {self.host}:{self.port} refused {request}: {reason}")
        return answer[8:]

    def _sent(self, request: str) -> socket.socket:
        data = request.encode()
        connected = socket.create_connection((self.host, self.port), timeout=TIMEOUT_S)
        connected.sendall(b"%04x%s" % (len(data), data))
        return connected

    def runs(self) -> bool:
        """Tell whether a server answers at this address."""
        try:
            return bool(self.ask("host:version"))
        except (OSError, BenchmarkError):
            return False

    def start(self, adb: Path) -> None:
        """Start the server with this adb, if it does not run."""
        if self.runs():
            return
        done = subprocess.run(
            [str(adb), "-P", str(self.port), "start-server"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server would keep a pipe open
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0 or not self.runs():
            raise BenchmarkError(
                f"no adb server could be started on port {self.port}; run {adb} start-server to see why"
            )

    def states(self) -> Mapping[str, str]:
        """Return the state of every phone by serial."""
        lines = self.ask("host:devices").decode(errors="replace").splitlines()
        return dict(line.split("\t", 1) for line in lines if "\t" in line)

    def watch(self) -> socket.socket | None:
        """Return a connection that ends when the server does, or ``None`` where none runs."""
        try:
            watching = self._sent("host:track-devices")
        except OSError:
            return None
        watching.settimeout(None)
        return watching

    def connect(self, serial: str, state: str = "device") -> None:
        """Make the server connect and wait for ``state``; its own answer tells little and late.

        Raises ``BenchmarkError`` where the state does not come.
        """
        found = None
        try:
            for _ in range(CONNECT_ATTEMPTS):
                with self._sent(f"host:connect:{serial}"):
                    found = self._await_state(serial, state)
                if found == state:
                    return
                self.disconnect(serial)  # else it would only say that it is connected
        except OSError as error:
            raise self._gone(error) from error
        raise BenchmarkError(
            f"adb server {self.host}:{self.port} has {serial} as {found or 'unknown'} instead of"
            f" {state}; restart that server"
        )

    def _await_state(self, serial: str, state: str) -> str | None:
        """Return the phone's state once it is ``state``, or another one after a while."""
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        while (found := self.states().get(serial)) != state and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return found

    def disconnect(self, serial: str) -> None:
        """Make the server forget a phone; one that it does not know is no mistake."""
        try:
            self.ask(f"host:disconnect:{serial}")
        except (OSError, BenchmarkError):
            return

    def _gone(self, error: OSError) -> BenchmarkError:
        return BenchmarkError(
            f"no adb server answers on {self.host}:{self.port} ({error.strerror}); run adb start-server"
        )


def server_from_environment(environment: Mapping[str, str] = os.environ) -> AdbServer:
    """Return the server that adb itself would use; raises ``UsageError`` for a port that is none."""
    socket_name = environment.get("ADB_SERVER_SOCKET", "")
    host = environment.get("ANDROID_ADB_SERVER_ADDRESS", "127.0.0.1")
    port = environment.get("ANDROID_ADB_SERVER_PORT", str(DEFAULT_PORT))
    if socket_name.startswith("tcp:"):
        host, _, port = socket_name[4:].rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(
            f"the adb server's port is {port!r}; set ANDROID_ADB_SERVER_PORT to a number"
        )
    return AdbServer(host or "127.0.0.1", int(port))


def find_adb() -> Path | None:
    """Return the adb that the environment names or has: EDGEZOO_ADB, ANDROID_HOME, PATH, adbutils."""
    named = os.environ.get("EDGEZOO_ADB")
    if named:
        return Path(named)
    home = os.environ.get("ANDROID_HOME")
    if home and (adb := Path(home, "platform-tools", "adb")).is_file():
        return adb
    found = shutil.which("adb")
    return Path(found) if found else bundled_adb()


def bundled_adb() -> Path | None:
    """Return the adb inside the adbutils package, which is not imported for it."""
    from importlib.util import find_spec

    spec = find_spec("adbutils")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        adb = Path(folder, "binaries", "adb")
        if adb.is_file():
            return adb
    return None
