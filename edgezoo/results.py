"""The results store: one JSON line per measurement, appended and never rewritten.

Every line holds what is needed to take the number again: raw samples, plan, versions, device,
command, and the sha256 of the measured file. Several processes may append at once.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from edgezoo.errors import ArtifactError, OutputError
from edgezoo.types import Measurement, to_json

T = TypeVar("T")

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


def from_json(noun: type[T], data: Any, place: str = "") -> T:  # Any: parsed JSON
    """Return the JSON ``data`` as the dataclass ``noun``, the inverse of ``to_json``.

    Unknown keys are ignored (a newer edgezoo may write more), absent ones take the field's
    default. Raises ``ValueError`` that names the place where the data does not fit.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{place or noun.__name__} must be an object, not {_shown(data)}")
    hints = _hints(noun)  # type: ignore[arg-type]  # mypy: type variables are not hashable
    values: dict[str, Any] = {}  # Any: field types are known at run time only
    for item in fields(noun):  # type: ignore[arg-type]  # T is a dataclass, which typing cannot say
        where = f"{place}.{item.name}" if place else item.name
        if item.name in data:
            values[item.name] = _typed(hints[item.name], data[item.name], where)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ValueError(f"{where} is missing")
    return noun(**values)


@cache
def _hints(noun: type) -> Mapping[str, Any]:
    return get_type_hints(noun)


def _typed(hint: Any, value: Any, place: str) -> Any:  # Any: follows run-time annotations
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        return _typed(next(a for a in arguments if a is not NoneType), value, place)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{place} must be one of {', '.join(arguments)}, not {_shown(value)}")
        return value
    if origin is tuple:
        return _typed_tuple(arguments, value, place)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError(f"{place} must be an object, not {_shown(value)}")
        return {key: _typed(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    if is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value, place)
    return _typed_scalar(hint, value, place)


def _typed_tuple(arguments: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{place} must be a list, not {_shown(value)}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        raise ValueError(f"{place} must hold {len(arguments)} values, not {len(value)}")
    pairs = enumerate(zip(arguments, value, strict=True))
    return tuple(_typed(hint, item, f"{place}[{index}]") for index, (hint, item) in pairs)


def _typed_scalar(hint: Any, value: Any, place: str) -> Any:
    if hint is Any:
        return value
    accepted: Any = {float: (int, float), Path: str}.get(hint, hint)
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{place} must be {hint.__name__}, not {_shown(value)}")
    if hint is float and not math.isfinite(value):
        raise ValueError(f"{place} must be finite, not {value}")
    return hint(value)


def _shown(value: object) -> str:
    return "null" if value is None else repr(value)[:40]


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
