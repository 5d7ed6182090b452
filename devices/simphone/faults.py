"""What can be wrong with a simulated phone, each fault switchable while it runs.

``SITUATIONS`` names ready-made settings, for the command line and for tests; a setting's number is
that of the situation in the list that the adb harness is proven on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

State = Literal["device", "unauthorized", "authorizing", "offline"]
Ending = Literal["", "exit", "hang", "truncate", "SEGV", "ILL", "ABRT", "BUS", "FPE", "KILL"]


@dataclass(frozen=True, slots=True)
class ProgramFault:
    """What befalls pushed programs: those that a command starts by a path with a slash.

    ``name`` is the file's name, ``*`` any. ``prints`` goes to standard error first (``%s`` is the
    program as it was called), ``arguments`` are added to its own. Then it runs; with an ``ending``
    only until it has printed ``lines`` lines, and not at all where ``lines`` is ``None``.

    ``exit`` ends with ``exit_code``, ``hang`` never ends, ``truncate`` swallows the rest of the
    output but keeps the program's exit code; the others are signals. ``noise`` puts bytes that are
    not UTF-8 after the first line.
    """

    name: str = "*"
    prints: str = ""
    arguments: tuple[str, ...] = ()
    ending: Ending = ""
    lines: int | None = None
    exit_code: int = 1
    noise: bool = False

    def __post_init__(self) -> None:
        _one_of("ending", self.ending, get_args(Ending))


@dataclass(frozen=True, slots=True)
class Faults:
    """All faults of one phone; the defaults are a healthy one.

    ``state`` is what ``adb devices`` shows. Byte counts are payload received by the phone from the
    moment the fault is set: after ``drop_after_bytes`` the link breaks once, after
    ``drop_after_sent_bytes`` likewise for what the phone sent, after ``freeze_after_bytes`` nothing
    moves until the fault is taken back. ``round_trip_ms`` and ``bytes_per_s`` make the link slow.

    ``free_bytes`` is the space left on /data for files that are pushed, ``read_only`` makes /data
    refuse them. ``refused_services`` are adb services that are closed at once. ``boot_s`` is how
    long a reboot takes.
    """

    state: State = "device"
    drop_after_bytes: int | None = None
    drop_after_sent_bytes: int | None = None
    freeze_after_bytes: int | None = None
    round_trip_ms: float = 0.0
    bytes_per_s: float | None = None
    free_bytes: int | None = None
    read_only: bool = False
    refused_services: tuple[str, ...] = ()
    boot_s: float = 0.5
    program: ProgramFault | None = None

    def __post_init__(self) -> None:
        _one_of("state", self.state, get_args(State))


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; choose one of {', '.join(map(repr, choices))}")


NO_LIBRARY = 'CANNOT LINK EXECUTABLE "%s": library "libMNN.so" not found: needed by main executable'
FELL_BACK = (
    "INFO: Hexagon Delegate is not supported.\\n"
    "WARN: Could not create Hexagon delegate: platform may not support delegate or required"
    " library is missing"
)
GPU_PARTS = (
    "Following operations are not supported by GPU delegate:\\nRESIZE_BILINEAR: Half-pixel centers"
    " are not supported\\n34 operations will run on the GPU, and the remaining 5 operations will"
    " run on the CPU."
)


def _program(**fields: Any) -> Mapping[str, Any]:  # Any: the fields of ProgramFault
    return {"program": ProgramFault(**fields)}


def _shell_refuses(code: int, reason: str) -> Mapping[str, Any]:  # Any: as in _program
    return _program(ending="exit", exit_code=code, prints=f"/system/bin/sh: %s: {reason}")


# name: (number in the list of situations, fields of Faults or Conditions)
SITUATIONS: Mapping[str, tuple[int, Mapping[str, Any]]] = {
    "unauthorized": (5, {"state": "unauthorized"}),
    "offline": (7, {"state": "offline"}),
    "authorizing": (8, {"state": "authorizing"}),
    "link_lost_in_push": (15, {"drop_after_bytes": 500_000}),
    "link_frozen": (16, {"freeze_after_bytes": 0}),
    "disk_full": (17, {"free_bytes": 100_000}),
    "read_only": (18, {"read_only": True}),
    "exec_denied": (20, _shell_refuses(126, "can't execute: Permission denied")),
    "wrong_abi": (21, _shell_refuses(1, "not executable: 64-bit ELF file")),
    "not_found": (22, _shell_refuses(127, "inaccessible or not found")),
    "link_error": (23, _program(ending="ABRT", prints=NO_LIBRARY)),
    "segfault": (24, _program(ending="SEGV", lines=3)),
    "illegal_instruction": (24, _program(ending="ILL", lines=3)),
    "abort": (24, _program(ending="ABRT", lines=3)),
    "bus_error": (24, _program(ending="BUS", lines=3)),
    "out_of_memory": (25, _program(ending="KILL", lines=3)),
    "hang": (26, _program(ending="hang", lines=3)),
    "throttled": (27, {"thermal_status": 3, "clock": 0.6, "speed": 0.7, "skin_celsius": 46.5}),
    "hot_battery": (27, {"battery_celsius": 43.0}),
    "fallback": (28, _program(prints=FELL_BACK)),
    "gpu_in_part": (28, _program(prints=GPU_PARTS)),
    "unknown_flag": (29, _program(arguments=("--edgezoo_unknown=1",))),
    "not_utf8": (30, _program(noise=True)),
    "truncated_log": (31, _program(ending="truncate", lines=5)),
    "no_shell": (34, {"refused_services": ("shell", "exec")}),
    "slow_link": (0, {"round_trip_ms": 40.0, "bytes_per_s": 2_000_000.0}),
    "low_battery": (0, {"battery_level": 9, "charging": False}),
    "screen_off": (0, {"screen_on": False}),
    "low_power_mode": (0, {"low_power_mode": True}),
}  # fmt: skip

# Where a shell expects a command, behind what may stand in front of it, a path with a slash.
_VALUE = r"(?:'[^']*'|\"[^\"]*\"|[^\s;&|'\"])*"
_PREFIX = r"exec|nohup|env|time|timeout\s+\S+|taskset\s+(?:-a\s+)?\w+|sh\s+-c\s+'[^']*'\s+sh"
_BEFORE = rf"(?:\w+={_VALUE}\s+|(?:{_PREFIX})\s+)*"
_START = r"(?:^|[;&|(\n{]|\b(?:then|do|else)\s)\s*"
_PROGRAM = re.compile(
    rf"(?P<before>{_START}{_BEFORE})(?P<quote>['\"]?)(?P<path>(?:\./|/data/)[^\s;&|<>()'\"`]+)"
    r"(?P=quote)(?=[\s;&|)]|$)"
)


def spoil(command: str, fault: ProgramFault | None, wrapper: str) -> str:
    """Return ``command`` with ``wrapper`` in front of the programs that ``fault`` befalls."""
    if fault is None:
        return command

    def wrapped(found: re.Match[str]) -> str:
        if fault.name not in ("*", found["path"].rpartition("/")[2]):
            return found[0]
        return f"{found['before']}{wrapper} {found['quote']}{found['path']}{found['quote']}"

    return _PROGRAM.sub(wrapped, command)


def script_settings(fault: ProgramFault | None) -> str:
    """Return ``fault`` as the variables that the phone's ``simfault`` reads."""
    if fault is None:
        return ""
    lines = "" if fault.lines is None else str(fault.lines)
    pairs = (
        ("prints", fault.prints),
        ("arguments", " ".join(fault.arguments)),
        ("ending", fault.ending),
        ("lines", lines),
        ("exit_code", str(fault.exit_code)),
        ("noise", "1" if fault.noise else ""),
    )
    return "".join(f"{name}={quoted(value)}\n" for name, value in pairs)


def quoted(text: str) -> str:
    """Return ``text`` as one word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"
