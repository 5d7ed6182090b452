"""The ``shell:`` and ``exec:`` services: a command with its streams, protocol 1 and 2.

Protocol 2 sends packets of kind, length and data, so that standard error and the exit code arrive;
protocol 1 has one stream and no exit code. Source: AOSP ``packages/modules/adb/shell_protocol.h``.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

from edgezoo.devices.simphone.machine import Command, Machine
from edgezoo.devices.simphone.root import Tree
from edgezoo.devices.simphone.wire import Stream

STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)
PACKET = struct.Struct("<BI")
READ_BYTES = 1 << 15


@dataclass(frozen=True, slots=True)
class Request:
    """What the host asks for: ``command`` is empty for an interactive shell."""

    command: bytes
    packets: bool
    terminal: bool
    merged: bool


def parse(service: bytes, old: bool = False) -> Request:
    """Return the request in ``shell,v2,TERM=xterm,raw:command`` or its older forms.

    ``old`` phones (Android 5 and 6) gave every command a terminal.
    """
    head, _, command = service.partition(b":")
    kind, *options = head.split(b",")
    packets = b"v2" in options
    implied = not command or (old and not packets)
    terminal = b"pty" in options or (kind == b"shell" and implied and b"raw" not in options)
    return Request(command, packets, terminal, merged=not packets)


class Session:
    """One command with its host."""

    def __init__(self, stream: Stream, request: Request, tree: Tree) -> None:
        self._stream, self._request, self._tree = stream, request, tree
        self._hidden = os.fsencode(tree.root) if not tree.isolated else b""
        self._writing = threading.Lock()

    def run(self, machine: Machine, spoil: Callable[[str], str]) -> None:
        """Start the command, carry its streams, send the exit code; hang up where the host does."""
        text = os.fsdecode(
            self._tree.rewrite(os.fsencode(spoil(os.fsdecode(self._request.command))))
        )
        arguments = ("-c", text) if text else ()
        inward, theirs, outputs = self._streams()
        command = machine.start(arguments, theirs, self._request.terminal)
        for fd in set(theirs):
            os.close(fd)
        readers = [
            threading.Thread(target=self._forward, args=(fd, kind, command), daemon=True)
            for fd, kind in outputs
        ]
        feeder = threading.Thread(target=self._feed, args=(inward, command), daemon=True)
        for thread in (*readers, feeder):
            thread.start()
        for thread in readers:
            thread.join()
        code = command.wait()
        with contextlib.suppress(EOFError):
            if self._request.packets:
                self._stream.write(PACKET.pack(EXIT, 1) + bytes([code & 255]))
        self._stream.close()
        self._stream.hang_up()  # the feeder still waits for input
        feeder.join()

    def _streams(self) -> tuple[int, tuple[int, int, int], list[tuple[int, int]]]:
        """Return our end of its input, its three descriptors, and our ends of its output."""
        if self._request.terminal:
            ours, terminal = pty.openpty()
            return os.dup(ours), (terminal, terminal, terminal), [(ours, STDOUT)]
        stdin, inward = os.pipe()
        outward, stdout = os.pipe()
        if self._request.merged:
            return inward, (stdin, stdout, stdout), [(outward, STDOUT)]
        errors, stderr = os.pipe()
        return inward, (stdin, stdout, stderr), [(outward, STDOUT), (errors, STDERR)]

    def _forward(self, fd: int, kind: int, command: Command) -> None:
        kept = b""
        try:
            while data := _read(fd):
                data, kept = self._as_seen(kept + data)
                self._send(kind, data)
            self._send(kind, kept)
        except EOFError:  # the host has gone: adbd tells the shell, and nobody else
            command.signal(signal.SIGHUP)
        finally:
            os.close(fd)

    def _as_seen(self, data: bytes) -> tuple[bytes, bytes]:
        """Take the tree's folder out of what is printed; what may be its beginning is kept back."""
        if not self._hidden:
            return data, b""
        data = data.replace(self._hidden, b"")
        for size in range(min(len(self._hidden) - 1, len(data)), 0, -1):
            if self._hidden.startswith(data[-size:]):
                return data[:-size], data[-size:]
        return data, b""

    def _send(self, kind: int, data: bytes) -> None:
        if not data:
            return
        with self._writing:
            self._stream.write(
                PACKET.pack(kind, len(data)) + data if self._request.packets else data
            )

    def _feed(self, fd: int, command: Command) -> None:
        """Carry the host's input; where it hangs up, hang up on the shell."""
        try:
            while True:
                if not self._request.packets:
                    _write(fd, self._stream.read_some())
                    continue
                kind, size = PACKET.unpack(self._stream.read(PACKET.size))
                data = self._stream.read(size)
                if kind == STDIN:
                    _write(fd, data)
                elif kind == CLOSE_STDIN:
                    break
        except EOFError:
            command.signal(signal.SIGHUP)
        except OSError:  # the command does not read its input
            pass
        finally:
            os.close(fd)
        self._until_end(command)

    def _until_end(self, command: Command) -> None:
        try:
            while True:
                self._stream.read_some()
        except EOFError:
            command.signal(signal.SIGHUP)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, READ_BYTES)
    except OSError:  # how a terminal ends
        return b""


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
