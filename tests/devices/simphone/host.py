"""The other end of the protocol, as small as a test can use it: an adb server in forty lines."""

import base64
import socket
import struct
from types import TracebackType

from edgezoo.devices.simphone.auth import SHA1_PREFIX
from edgezoo.devices.simphone.wire import AUTH, CLSE, CNXN, HEADER, OKAY, OPEN, VERSION, WRTE

# Two Mersenne primes: a key that anyone can check, 141 bytes long.
P, Q, EXPONENT = 2**521 - 1, 2**607 - 1, 65537
MODULUS = P * Q
SIZE = 144  # whole words of four bytes
SECRET = pow(EXPONENT, -1, (P - 1) * (Q - 1))


def public_key() -> bytes:
    words = SIZE // 4
    inverse = -pow(MODULUS, -1, 1 << 32) % (1 << 32)
    square = pow(1 << (8 * SIZE), 2, MODULUS)
    raw = struct.pack("<II", words, inverse) + MODULUS.to_bytes(SIZE, "little")
    raw += square.to_bytes(SIZE, "little") + struct.pack("<I", EXPONENT)
    return base64.b64encode(raw) + b" someone@somewhere\0"


def sign(token: bytes) -> bytes:
    size = (MODULUS.bit_length() + 7) // 8
    digest = SHA1_PREFIX + token
    padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    return pow(int.from_bytes(padded, "big"), SECRET, MODULUS).to_bytes(size, "big")


Message = tuple[int, int, int, bytes]


class Host:
    def __init__(self, port: int, version: int = VERSION) -> None:
        self.version = version
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def __enter__(self) -> "Host":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, command: int, first: int = 0, second: int = 0, data: bytes = b"") -> None:
        check = sum(data) & 0xFFFFFFFF
        head = HEADER.pack(command, first, second, len(data), check, command ^ 0xFFFFFFFF)
        self.socket.sendall(head + data)

    def receive(self) -> Message:
        command, first, second, size, check, magic = HEADER.unpack(self.exactly(HEADER.size))
        data = self.exactly(size)
        assert magic == command ^ 0xFFFFFFFF
        assert check == (sum(data) & 0xFFFFFFFF if self.version < VERSION else 0)
        return command, first, second, data

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def greet(self) -> Message:
        self.send(CNXN, self.version, 1 << 20, b"host::features=shell_v2")
        return self.receive()

    def open(self, service: bytes) -> int:
        self.send(OPEN, 7, 0, service + b"\0")
        command, remote, local, _ = self.receive()
        assert (command, local) == (OKAY, 7)
        return remote

    def write(self, remote: int, data: bytes) -> None:
        self.send(WRTE, 7, remote, data)

    def read(self, remote: int) -> bytes:
        """Return the stream's next data, acknowledged; empty at its end."""
        while True:
            command, _, _, data = self.receive()
            if command == WRTE:
                self.send(OKAY, 7, remote)
                return data
            if command == CLSE:
                return b""

    def read_all(self, remote: int) -> bytes:
        data = b""
        while part := self.read(remote):
            data += part
        return data


__all__ = ["AUTH", "Host", "public_key", "sign"]
