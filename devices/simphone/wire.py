"""The ADB transport, as the phone speaks it: six-word messages that carry many streams at once.

Source: AOSP ``packages/modules/adb/protocol.txt``. The phone's side of authentication is here too,
since its messages are part of the handshake. Every stream has one unacknowledged message at most.
"""

from __future__ import annotations

import secrets
import struct
import threading
from typing import TYPE_CHECKING

from edgezoo.devices.simphone.auth import TOKEN_BYTES

if TYPE_CHECKING:
    from edgezoo.devices.simphone.link import Link
    from edgezoo.devices.simphone.phone import SimulatedPhone

CNXN, AUTH, OPEN, OKAY, WRTE, CLSE = (
    int.from_bytes(name, "little")
    for name in (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"WRTE", b"CLSE")
)
HEADER = struct.Struct("<6I")
VERSION = 0x01000001  # from here on checksums are not looked at
LARGEST_BYTES = 256 * 1024
AUTH_TOKEN, AUTH_SIGNATURE, AUTH_PUBLIC_KEY = 1, 2, 3
LAST_WORD_S = 5.0


class Stream:
    """One stream of a connection; reading and writing block, ``EOFError`` tells of its end."""

    def __init__(self, connection: Connection, local: int, remote: int) -> None:
        self._connection, self.local, self.remote = connection, local, remote
        self._changed = threading.Condition()
        self._received = bytearray()
        self._ready = True  # the last message was acknowledged
        self._closed = False
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Take data from the connection."""
        with self._changed:
            self._received += data
            self._changed.notify_all()

    def acknowledged(self) -> None:
        """Allow the next message."""
        with self._changed:
            self._ready = True
            self._changed.notify_all()

    def hang_up(self) -> None:
        """Wake everyone who waits: the other side is gone."""
        with self._changed:
            self.ended = self._ready = True
            self._changed.notify_all()

    def read(self, count: int) -> bytes:
        """Return exactly ``count`` bytes."""
        with self._changed:
            while len(self._received) < count:
                if self.ended:
                    raise EOFError
                self._changed.wait()
            data = bytes(self._received[:count])
            del self._received[:count]
            return data

    def read_some(self) -> bytes:
        """Return what has come, at least a byte."""
        with self._changed:
            while not self._received:
                if self.ended:
                    raise EOFError
                self._changed.wait()
            data = bytes(self._received)
            self._received.clear()
            return data

    def write(self, data: bytes) -> None:
        """Send all of ``data``, each message after the acknowledgement of the one before."""
        largest = self._connection.largest_bytes
        for start in range(0, len(data), largest):
            with self._changed:
                while not self._ready:
                    self._changed.wait()
                if self.ended:
                    raise EOFError
                self._ready = False
            self._connection.send(WRTE, self.local, self.remote, data[start : start + largest])

    def close(self) -> None:
        """Say that no more comes, once, and not before the last message was acknowledged."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.wait_for(lambda: self._ready or self.ended, timeout=LAST_WORD_S)
        self._connection.send(CLSE, self.local, self.remote)
        self._connection.forget(self.local)


class Connection:
    """One adb server that talks to the phone, from the first message to the last."""

    def __init__(self, phone: SimulatedPhone, link: Link) -> None:
        self.phone, self.link = phone, link
        self.largest_bytes = LARGEST_BYTES
        self._streams: dict[int, Stream] = {}
        self._lock = threading.Lock()
        self._next, self._version = 1, VERSION
        self._online, self._token = False, b""
        self._workers: list[threading.Thread] = []

    def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        """Send one message; a broken link is noticed by who reads."""
        check = sum(data) & 0xFFFFFFFF if self._version < VERSION else 0
        head = HEADER.pack(command, first, second, len(data), check, command ^ 0xFFFFFFFF)
        self.link.send(head + data)

    def forget(self, local: int) -> None:
        """Drop a stream that is closed."""
        with self._lock:
            self._streams.pop(local, None)

    def run(self) -> None:
        """Serve until the link breaks or carries what is no ADB; then end every stream."""
        try:
            while self._message():
                pass
        except (EOFError, OSError):
            pass
        finally:
            self.link.close()
            with self._lock:
                left, self._streams = list(self._streams.values()), {}
            for stream in left:
                stream.hang_up()
            for worker in self._workers:
                worker.join()

    def _message(self) -> bool:
        head = HEADER.unpack(self.link.receive(HEADER.size))
        command, first, second, size, _, magic = head
        if magic != command ^ 0xFFFFFFFF or size > LARGEST_BYTES * 4:
            return False
        data = self.link.receive(size) if size else b""
        if command == CNXN:
            self._greet(first, second)
        elif command == AUTH:
            self._authenticate(first, data)
        elif self._online:
            self._stream_message(command, first, second, data)
        return True

    def _greet(self, version: int, largest_bytes: int) -> None:
        self.largest_bytes = min(largest_bytes, LARGEST_BYTES)
        self._version = min(version, VERSION)
        state = self.phone.faults.state
        if state == "offline":  # whoever connects never hears a word
            return
        if state == "device" and not self.phone.asks_for_keys:
            self._welcome()
        else:
            self._challenge()

    def _challenge(self) -> None:
        self._token = secrets.token_bytes(TOKEN_BYTES)
        self.send(AUTH, AUTH_TOKEN, 0, self._token)

    def _authenticate(self, kind: int, data: bytes) -> None:
        state = self.phone.faults.state
        if state in ("authorizing", "offline"):  # the server waits for an answer
            return
        if kind == AUTH_SIGNATURE:
            if state == "device" and self.phone.trusts(self._token, data):
                self._welcome()
            else:
                self._challenge()
        elif kind == AUTH_PUBLIC_KEY and state == "device" and self.phone.trust(data):
            self._welcome()  # somebody tapped "Allow"

    def _welcome(self) -> None:
        self._online = True
        self.send(CNXN, VERSION, LARGEST_BYTES, self.phone.banner().encode())

    def _stream_message(self, command: int, first: int, second: int, data: bytes) -> None:
        if command == OPEN:
            self._open(first, data)
            return
        with self._lock:
            stream = self._streams.get(second)
        if stream is None:
            if command == WRTE:
                self.send(CLSE, 0, first)
        elif command == WRTE:
            stream.feed(data)
            self.send(OKAY, stream.local, stream.remote)
        elif command == OKAY:
            stream.acknowledged()
        elif command == CLSE:
            stream.hang_up()
            stream.close()

    def _open(self, remote: int, data: bytes) -> None:
        with self._lock:
            local, self._next = self._next, self._next + 1
            stream = self._streams[local] = Stream(self, local, remote)
        service = data.rstrip(b"\0")
        self._workers = [worker for worker in self._workers if worker.is_alive()]
        worker = threading.Thread(
            target=self._serve, args=(stream, service), name="simphone-service", daemon=True
        )
        self._workers.append(worker)
        worker.start()

    def _serve(self, stream: Stream, service: bytes) -> None:
        run = self.phone.service(service)
        if run is None:
            self.send(CLSE, 0, stream.remote)
            self.forget(stream.local)
            return
        self.send(OKAY, stream.local, stream.remote)
        try:
            run(stream)
        except (EOFError, OSError):  # the host is gone
            pass
        finally:
            stream.close()
