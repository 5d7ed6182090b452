"""An adb *server* that is wrong, for what no phone can cause: USB rights, another version, a dead end.

This is not an adb server. It knows as much as the real adb client needs to say its own words about
``no_permissions`` (situation 10), ``other_version`` (11) and ``silent`` (12).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Literal, get_args

from edgezoo.devices.simphone.listening import listening
from edgezoo.errors import UsageError

Kind = Literal["no_permissions", "other_version", "silent"]
SAME_VERSION, OLD_VERSION = 41, 32  # of adb's own protocol; both dialects have 41
SERIAL = "USB0001"
RULES = "missing udev rules? user is in the plugdev group"
PAGE = "http://developer.android.com/tools/device.html"
LISTED = f"{SERIAL}\tno permissions ({RULES}); see [{PAGE}]\n"
LISTED_LONG = f"{SERIAL:22} no permissions ({RULES}); see [{PAGE}] usb:1-1 transport_id:1\n"
REFUSED = f"insufficient permissions for device: {RULES}.\nSee [{PAGE}] for more information"
TIMEOUT_S = 20.0


@contextlib.contextmanager
def broken_server(kind: Kind) -> Iterator[int]:
    """Give the port of such a server on 127.0.0.1; it ends with the ``with``.

    Raises ``UsageError`` for a kind that does not exist.
    """
    if kind not in get_args(Kind):
        names = ", ".join(get_args(Kind))
        raise UsageError(f"there is no broken server {kind!r}; choose one of {names}")

    def answer(connected: socket.socket) -> None:
        with contextlib.suppress(ValueError):  # no adb: it sent no length
            size = int(connected.recv(4, socket.MSG_WAITALL), 16)
            request = connected.recv(size, socket.MSG_WAITALL).decode(errors="replace")
            connected.sendall(_answer(kind, request))

    listener = socket.create_server(("127.0.0.1", 0))
    with listening(listener, answer, TIMEOUT_S):
        yield int(listener.getsockname()[1])


def _answer(kind: Kind, request: str) -> bytes:
    if kind == "silent":
        return b""
    if request == "host:version":
        version = OLD_VERSION if kind == "other_version" else SAME_VERSION
        return b"OKAY" + _counted(f"{version:04x}")
    if request == "host:devices":
        return b"OKAY" + _counted(LISTED)
    if request == "host:devices-l":
        return b"OKAY" + _counted(LISTED_LONG)
    return b"OKAY" if request == "host:kill" else b"FAIL" + _counted(REFUSED)


def _counted(text: str) -> bytes:
    return f"{len(text):04x}{text}".encode()
