"""What a host can open on the phone, by the name it asks for."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgezoo.devices.simphone import faults as faulty
from edgezoo.devices.simphone import shell
from edgezoo.devices.simphone.sync import Sync
from edgezoo.devices.simphone.wire import Stream

if TYPE_CHECKING:
    from edgezoo.devices.simphone.phone import SimulatedPhone

Service = Callable[[Stream], None]
NO_ROOT = b"adbd cannot run as root in production builds\n"
PUMP_BYTES = 1 << 16
LOOPBACK = "127.0.0.1"
FIRST_WITHOUT_TERMINALS = 24  # the API level of Android 7


def find(phone: SimulatedPhone, name: bytes) -> Service | None:
    """Return the service called ``name``, or ``None`` where the phone closes the stream at once."""
    kind = name.partition(b":")[0].split(b",")[0].decode(errors="replace")
    if kind in phone.faults.refused_services:
        return None
    if kind in ("shell", "exec"):
        old = phone.profile.sdk < FIRST_WITHOUT_TERMINALS
        return lambda stream: _run_shell(phone, stream, shell.parse(name, old))
    if kind == "sync":
        return lambda stream: Sync(stream, phone.tree, lambda: phone.faults, phone.disk_bytes).run()
    if kind == "tcp":
        return _forwarding(name)
    if kind == "reboot":
        return lambda stream: _reboot(phone, stream)
    if kind == "root":
        return lambda stream: stream.write(NO_ROOT)
    return None  # remount:, jdwp:, abb: …


def _run_shell(phone: SimulatedPhone, stream: Stream, request: shell.Request) -> None:
    def spoil(command: str) -> str:
        return faulty.spoil(command, phone.faults.program, "/system/bin/simfault")

    machine = phone.machine
    if machine is None:  # it is rebooting
        raise EOFError
    shell.Session(stream, request, phone.tree).run(machine, spoil)


def _reboot(phone: SimulatedPhone, stream: Stream) -> None:
    stream.close()
    phone.reboot(wait=False)


def _forwarding(name: bytes) -> Service | None:
    """Return a service that connects to a port of the phone, which shares this machine's network."""
    try:
        port = int(name.split(b":")[1])
        connected = socket.create_connection((LOOPBACK, port), timeout=5.0)
    except (ValueError, OSError):
        return None
    connected.settimeout(None)
    return lambda stream: _pump(stream, connected)


def _pump(stream: Stream, connected: socket.socket) -> None:
    def inward() -> None:
        try:
            while data := connected.recv(PUMP_BYTES):
                stream.write(data)
        except (EOFError, OSError):
            pass
        stream.close()
        stream.hang_up()

    reader = threading.Thread(target=inward, daemon=True)
    with connected:
        reader.start()
        try:
            while True:
                connected.sendall(stream.read_some())
        except (EOFError, OSError):
            pass
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)
        reader.join()
