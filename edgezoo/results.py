"""The results store: one JSON line per measurement, appended and never rewritten.

Every line holds what is needed to take the number again: raw samples, plan, versions, device,
command, and the sha256 of the measured file. Several processes may append at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgezoo.decode import from_json
from edgezoo.errors import ArtifactError, OutputError
from edgezoo.measurement import Measurement
from edgezoo.types import to_json

# Every record starts with its first field, which tells a cut record from a foreign file.
RECORD_START = b'{"artifact": '


@dataclass(frozen=True, slots=True)
class StoredResults:
    """The measurements of a store in the order written.

    ``torn_lines`` are the numbers (from 1) of lines that a crash or power cut left half written;
    they hold no number, and the reader decides whether to mention them.
    """

    measurements: tuple[Measurement, ...]
    torn_lines: tuple[int, ...] = ()


def append(path: Path, measurements: Iterable[Measurement]) -> None:
    """Add one line per measurement to the store, all or none, and wait until they are on disk.

    Missing folders are made. A half line at the end, left by a crash, is closed and kept, for
    ``read`` to report. Raises ``OutputError`` where the file cannot be written (what was written
    of these lines is taken back) and ``ArtifactError`` where it is not a results store.
    """
    lines = [json.dumps(to_json(item), allow_nan=False).encode() + b"\n" for item in measurements]
    if not lines:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # closing releases it
            _append_locked(path, descriptor, b"".join(lines))
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = error.strerror
        message = f"{path} cannot be written ({reason}): free space there or name another file."
        raise OutputError(message) from error


def read(path: Path) -> StoredResults:
    """Return what a store holds; raises ``ArtifactError`` with the line number where it is damaged.

    A line is torn, and only reported, if it starts like a record and is no complete JSON.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}): run edgezoo bench to make it."
        raise ArtifactError(message) from error
    measurements: list[Measurement] = []
    torn: list[int] = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line:
            continue
        try:
            measurements.append(from_json(Measurement, json.loads(line)))
        except ValueError as error:  # from_json's, json's and UnicodeDecodeError
            if _is_torn(line, error):
                torn.append(number)
                continue
            message = f"{path}, line {number}, is no measurement ({error}): remove that line."
            raise ArtifactError(message) from error
    return StoredResults(tuple(measurements), tuple(torn))


def _append_locked(path: Path, descriptor: int, content: bytes) -> None:
    state = os.fstat(descriptor)
    regular = stat.S_ISREG(state.st_mode)
    if not regular or not RECORD_START.startswith(os.pread(descriptor, len(RECORD_START), 0)):
        message = f"{path} is not a results store: name another file, nothing was written to it."
        raise ArtifactError(message)
    if state.st_size and os.pread(descriptor, 1, state.st_size - 1) != b"\n":
        content = b"\n" + content
    try:
        while content:  # one call, unless the disk fills up
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, state.st_size)
        raise


def _is_torn(line: bytes, error: ValueError) -> bool:
    cut = RECORD_START.startswith(line) or line.startswith(RECORD_START)
    return cut and isinstance(error, json.JSONDecodeError)
