"""The cable: a socket that can be slow, freeze or break, as the phone's faults say."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from edgezoo.devices.simphone.faults import Faults

RECEIVE_BYTES = 1 << 16


class Link:
    """One connection's socket; bytes are counted from the moment a fault is set."""

    def __init__(
        self, connected: socket.socket, faults: Callable[[], Faults], used: Callable[[str], None]
    ) -> None:
        """``used`` is told the name of a fault that happens once and has happened."""
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._faults, self._used = connected, faults, used
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._closed = False
        self.received_bytes = self.sent_bytes = 0

    def receive(self, count: int) -> bytes:
        """Return exactly ``count`` bytes; raises ``EOFError`` at the end of the link."""
        data = bytearray()
        while len(data) < count:
            part = self._socket.recv(min(count - len(data), RECEIVE_BYTES))
            if not part:
                raise EOFError
            data += part
            self.received_bytes += len(part)
            self._suffer(len(part))
        if count > 0:
            self._delay()
        return bytes(data)

    def send(self, data: bytes) -> None:
        """Send all of ``data``; a broken link swallows it, as a cable does."""
        with self._sending:
            self.sent_bytes += len(data)
            limit = self._faults().drop_after_sent_bytes
            if limit is not None and self.sent_bytes > limit:
                self._used("drop_after_sent_bytes")
                self.cut()
                return
            try:
                self._suffer(len(data))
                self._socket.sendall(data)
            except (OSError, EOFError):
                return

    def _suffer(self, count: int) -> None:
        faults = self._faults()
        if faults.drop_after_bytes is not None and self.received_bytes > faults.drop_after_bytes:
            self._used("drop_after_bytes")
            self.cut()
            raise EOFError
        with self._changed:
            while self._frozen() and not self._closed:
                self._changed.wait()
        if faults.bytes_per_s:
            time.sleep(count / faults.bytes_per_s)

    def _delay(self) -> None:
        if self._faults().round_trip_ms:
            time.sleep(self._faults().round_trip_ms / 2e3)

    def _frozen(self) -> bool:
        limit = self._faults().freeze_after_bytes
        return limit is not None and self.received_bytes >= limit

    def faults_changed(self) -> None:
        """Count anew, and go on where a freeze was taken back."""
        with self._changed:
            self.received_bytes = self.sent_bytes = 0
            self._changed.notify_all()

    def cut(self) -> None:
        """Break the link; who reads it notices."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Break the link and give the socket back."""
        self.cut()
        self._socket.close()
