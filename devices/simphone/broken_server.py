"""An adb *server* that is wrong, for what no phone can cause: USB rights, another version, a dead end.

This is not an adb server. It knows as much as the real adb client needs to say its own words about
``no_permissions`` (situation 10), ``other_version`` (11) and ``silent`` (12).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Literal, get_args

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


class BrokenServer:
    """Listens on a free port of 127.0.0.1 until the end of its ``with``."""

    def __init__(self, kind: Kind) -> None:
        """Raises ``UsageError`` for a kind that does not exist."""
        if kind not in get_args(Kind):
            names = ", ".join(get_args(Kind))
            raise UsageError(f"there is no broken server {kind!r}; choose one of {names}")
        self.kind = kind

    def __enter__(self) -> BrokenServer:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _listen(self) -> None:
        while True:
            try:
                connected, _ = self._socket.accept()
            except OSError:
                return
            connected.settimeout(TIMEOUT_S)
            with connected, contextlib.suppress(OSError, ValueError):
                size = int(connected.recv(4, socket.MSG_WAITALL), 16)
                request = connected.recv(size, socket.MSG_WAITALL).decode(errors="replace")
                connected.sendall(self._answer(request))

    def _answer(self, request: str) -> bytes:
        if self.kind == "silent":
            return b""
        if request == "host:version":
            version = OLD_VERSION if self.kind == "other_version" else SAME_VERSION
            return b"OKAY" + _counted(f"{version:04x}")
        if request == "host:devices":
            return b"OKAY" + _counted(LISTED)
        if request == "host:devices-l":
            return b"OKAY" + _counted(LISTED_LONG)
        return b"OKAY" if request == "host:kill" else b"FAIL" + _counted(REFUSED)


def _counted(text: str) -> bytes:
    return f"{len(text):04x}{text}".encode()
