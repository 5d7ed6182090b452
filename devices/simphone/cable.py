"""The cable between a simulated phone and an adb server, over the server's own protocol.

The server is the real one. It is never stopped from here: other programs may use it.
"""

from __future__ import annotations

import socket
import time

from edgezoo.devices.adb.server import Server, listing, query, send
from edgezoo.errors import BenchmarkError

CONNECT_ATTEMPTS, CONNECT_TIMEOUT_S = 5, 4.0
POLL_S = 0.02


def plug(server: Server, serial: str, state: str = "device") -> None:
    """Make the server connect and wait for ``state``; its own answer tells little and late.

    Raises ``BenchmarkError`` where the state does not come.
    """
    found = None
    try:
        for _ in range(CONNECT_ATTEMPTS):
            with send(server, f"host:connect:{serial}"):
                found = _awaited_state(server, serial, state)
            if found == state:
                return
            unplug(server, serial)  # else it would only say that it is connected
    except OSError as error:
        raise BenchmarkError(
            f"no adb server answers on {server} ({error.strerror or error}); run adb start-server"
        ) from error
    raise BenchmarkError(
        f"adb server {server} has {serial} as {found or 'unknown'} instead of {state};"
        " restart that server"
    )


def unplug(server: Server, serial: str) -> None:
    """Make the server forget a phone; one that it does not know is no mistake."""
    try:
        query(server, f"host:disconnect:{serial}")
    except OSError:
        return


def watch(server: Server) -> socket.socket | None:
    """Return a connection that ends when the server does, or ``None`` where none runs."""
    try:
        watching = send(server, "host:track-devices")
    except OSError:
        return None
    watching.settimeout(None)
    return watching


def state_of(server: Server, serial: str) -> str | None:
    """Return how the server sees a phone, or ``None`` where it does not know it."""
    return next((row.state for row in listing(server) if row.serial == serial), None)


def _awaited_state(server: Server, serial: str, state: str) -> str | None:
    """Return the phone's state once it is ``state``, or another one after a while."""
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while (found := state_of(server, serial)) != state and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return found
