"""The ``sync:`` service: files to and from the phone, versions 1 and 2 of stat and list.

Source: AOSP ``packages/modules/adb/SYNC.TXT`` and ``daemon/file_sync_service.cpp``. Compressed
transfers (``sendrecv_v2``) are not offered, so no adb asks for them.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO

from edgezoo.devices.simphone.faults import Faults
from edgezoo.devices.simphone.root import Tree, mode_at, writable
from edgezoo.devices.simphone.wire import Stream

REQUEST = struct.Struct("<4sI")
STAT_1 = struct.Struct("<4sIII")
STAT_2 = struct.Struct("<4sIQQIIIIQqqq")
LONGEST_PATH = 1024
LARGEST_DATA = 64 * 1024
SHELL_UID = 2000


class Sync:
    """One host's session of file requests."""

    def __init__(
        self,
        stream: Stream,
        tree: Tree,
        faults: Callable[[], Faults],
        disk_bytes: Callable[[], int],
    ) -> None:
        """``disk_bytes`` returns how much more fits on /data."""
        self._stream, self._tree, self._faults = stream, tree, faults
        self._disk_bytes = disk_bytes
        self._mtime = 0

    def run(self) -> None:
        """Answer requests until QUIT; raises ``EOFError`` where the host goes away."""
        requests: dict[bytes, Callable[[str], None]] = {
            b"STAT": self._stat,
            b"LST2": lambda path: self._stat_2(b"LST2", path, False),
            b"STA2": lambda path: self._stat_2(b"STA2", path, True),
            b"LIST": lambda path: self._list(path, b"DENT"),
            b"LIS2": lambda path: self._list(path, b"DNT2"),
            b"SEND": self._send,
            b"RECV": self._receive,
        }
        while True:
            name, size = REQUEST.unpack(self._stream.read(REQUEST.size))
            if name == b"QUIT":
                return
            if size > LONGEST_PATH:
                self._fail("path too long")
                return
            path = os.fsdecode(self._stream.read(size))
            if name not in requests:
                self._fail(f"unknown command {name!r}")
                return
            requests[name](path)

    def _fail(self, message: str) -> None:
        text = message.encode()
        self._stream.write(REQUEST.pack(b"FAIL", len(text)) + text)

    def _stat(self, path: str) -> None:
        self._stream.write(stat_1(b"STAT", self._here(path, False)))

    def _stat_2(self, name: bytes, path: str, follow: bool) -> None:
        self._stream.write(stat_2(name, self._here(path, follow)))

    def _here(self, path: str, follow: bool = True) -> Path | None:
        try:
            return self._tree.here(path, follow)
        except OSError:
            return None

    def _list(self, path: str, name: bytes) -> None:
        folder = self._here(path)
        try:
            entries = sorted((".", "..", *os.listdir(folder))) if folder else []
        except OSError:  # adbd lists nothing where it may not look
            entries = []
        pack, size = (stat_1, STAT_1.size) if name == b"DENT" else (stat_2, STAT_2.size)
        for entry in entries:
            raw = os.fsencode(entry)
            self._stream.write(
                pack(name, folder and folder / entry) + struct.pack("<I", len(raw)) + raw
            )
        self._stream.write(b"DONE" + bytes(size))

    def _receive(self, path: str) -> None:
        try:
            with open(self._tree.here(path), "rb") as file:
                while data := file.read(LARGEST_DATA):
                    self._stream.write(REQUEST.pack(b"DATA", len(data)) + data)
        except IsADirectoryError:
            return self._fail("read failed: Is a directory")
        except OSError as error:
            return self._fail(f"open failed: {os.strerror(error.errno or errno.EIO)}")
        self._stream.write(REQUEST.pack(b"DONE", 0))

    def _send(self, request: str) -> None:
        path, _, mode = request.rpartition(",")
        bits = int(mode) if mode.isdigit() else 0o644
        try:
            self._refuse(path)
            if stat.S_ISLNK(bits):
                return self._send_link(path)
            here = self._tree.here(path)
            here.parent.mkdir(parents=True, exist_ok=True)
            here.unlink(missing_ok=True)  # a program that runs keeps its file
            file = open(here, "wb")  # noqa: SIM115 - closed below, before the host is told
        except OSError as error:
            self._drain(f"couldn't create file: {os.strerror(error.errno or errno.EIO)}")
            return
        with file:
            try:
                mtime = self._fill(file)
            except OSError as error:
                here.unlink(missing_ok=True)
                self._drain(f"write failed: {os.strerror(error.errno or errno.EIO)}")
                return
        here.chmod(mode_at(path, bits))
        os.utime(here, (mtime, mtime))
        self._stream.write(REQUEST.pack(b"OKAY", 0))

    def _refuse(self, path: str) -> None:
        if self._faults().read_only:
            raise OSError(errno.EROFS, "")
        if not writable(path):
            raise OSError(errno.EACCES, "")

    def _send_link(self, path: str) -> None:
        here = self._tree.here(path, follow=False)
        target = b""
        while (part := self._data()) is not None:
            target += part
        here.unlink(missing_ok=True)
        here.parent.mkdir(parents=True, exist_ok=True)
        here.symlink_to(os.fsdecode(target.rstrip(b"\0")))
        self._stream.write(REQUEST.pack(b"OKAY", 0))

    def _fill(self, file: IO[bytes]) -> int:
        """Write the data that comes and return the time of change; a link that breaks leaves a part."""
        left = self._disk_bytes()
        while True:
            data = self._data()
            if data is None:
                return self._mtime
            left -= len(data)
            if left < 0:
                raise OSError(errno.ENOSPC, "")
            file.write(data)

    def _data(self) -> bytes | None:
        name, size = REQUEST.unpack(self._stream.read(REQUEST.size))
        if name == b"DONE":
            self._mtime = size
            return None
        if name != b"DATA" or size > LARGEST_DATA:
            self._fail("invalid data message")
            raise EOFError
        return self._stream.read(size)

    def _drain(self, message: str) -> None:
        """Fail at once, but read what the host has under way: it may not listen before the end."""
        self._fail(message)
        while self._data() is not None:
            pass


def stat_1(name: bytes, path: Path | None) -> bytes:
    """Return mode, size and time of change of a file, zeros where there is none; links as links."""
    try:
        found = os.lstat(path) if path else None
    except OSError:
        found = None
    if found is None:
        return STAT_1.pack(name, 0, 0, 0)
    size, mtime = found.st_size & 0xFFFFFFFF, int(found.st_mtime) & 0xFFFFFFFF
    return STAT_1.pack(name, found.st_mode, size, mtime)


def stat_2(name: bytes, path: Path | None) -> bytes:
    """Return all that stat tells, or the number of the error."""
    try:
        if path is None:
            raise OSError(errno.ELOOP, "")
        found = os.lstat(path)  # ``path`` was followed where the request says so
    except OSError as error:
        return STAT_2.pack(name, error.errno or errno.EIO, *([0] * 10))
    return STAT_2.pack(
        name,
        0,
        found.st_dev,
        found.st_ino,
        found.st_mode,
        found.st_nlink,
        SHELL_UID,
        SHELL_UID,
        found.st_size,
        int(found.st_atime),
        int(found.st_mtime),
        int(found.st_ctime),
    )
