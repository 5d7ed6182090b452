"""What a program file says of itself: for which processor it is, and for which C library.

Enough of the ELF format (System V gABI, chapter 4 and 5) to say before a push where a runner can
run; a phone answers the wrong one with "not executable: 64-bit ELF file".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgezoo.errors import UsageError

Libc = Literal["bionic", "glibc", "musl", "none", "unknown"]
System = Literal["android", "linux"]

# (e_machine, bits) to the name that Android's ro.product.cpu.abilist uses.
ABIS: Mapping[tuple[int, int], str] = {
    (183, 64): "arm64-v8a",
    (40, 32): "armeabi-v7a",
    (62, 64): "x86_64",
    (3, 32): "x86",
    (243, 64): "riscv64",
}
# The same processors as `uname -m` names them.
MACHINES: Mapping[str, str] = {
    "arm64-v8a": "aarch64",
    "armeabi-v7a": "armv7l",
    "x86_64": "x86_64",
    "x86": "i686",
    "riscv64": "riscv64",
}
PT_INTERP = 3
LARGEST_INTERPRETER = 4096


@dataclass(frozen=True, slots=True)
class Elf:
    """One program: its ABI in Android's words, and the loader it names (``None``: static)."""

    abi: str
    bits: int
    interpreter: str | None
    libc: Libc

    @property
    def described(self) -> str:
        """For instance "program for Android (arm64-v8a)"."""
        if self.libc == "bionic":
            return f"program for Android ({self.abi})"
        if self.libc == "none":
            return f"static program ({self.abi})"
        return f"program for Linux ({MACHINES.get(self.abi, self.abi)}, {self.libc})"


def read_elf(path: Path) -> Elf:
    """Return what the file says; raises ``UsageError`` where it is no ELF program."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the runner {path} cannot be read: {error.strerror}") from error
    try:
        return parse_elf(content)
    except ValueError as error:
        raise UsageError(f"{path} is no program for a phone or Linux: {error}") from error


def parse_elf(content: bytes) -> Elf:
    """Return what the bytes say; raises ``ValueError`` for anything but a little-endian ELF."""
    if content[:4] != b"\x7fELF":
        raise ValueError("it does not start as an ELF file")
    if len(content) < 52 or content[5] != 1 or content[4] not in (1, 2):
        raise ValueError("its ELF header is cut, or not little-endian")
    bits = 64 if content[4] == 2 else 32
    try:
        machine, segments = _header(content, bits)
        interpreter = _interpreter(content, bits, segments)
    except (struct.error, OverflowError) as error:
        raise ValueError("its ELF header is cut") from error
    abi = ABIS.get((machine, bits), f"machine {machine}, {bits} bits")
    return Elf(abi, bits, interpreter, _libc(interpreter))


def unsuitable(elf: Elf, abis: Sequence[str], system: System) -> str | None:
    """Return why the program cannot run on a device of these ABIs, or ``None``."""
    if elf.abi not in abis:
        return f"it is a {elf.described}, and the device runs {', '.join(abis)}"
    wrong = elf.libc != "none" and (elf.libc == "bionic") != (system == "android")
    if wrong:
        return f"it is a {elf.described}, and the device runs {system.capitalize()}"
    return None


def _header(content: bytes, bits: int) -> tuple[int, tuple[int, int, int]]:
    """Return e_machine and (e_phoff, e_phentsize, e_phnum)."""
    (machine,) = struct.unpack_from("<H", content, 18)
    if bits == 64:
        (offset,) = struct.unpack_from("<Q", content, 32)
        size, count = struct.unpack_from("<HH", content, 54)
    else:
        (offset,) = struct.unpack_from("<I", content, 28)
        size, count = struct.unpack_from("<HH", content, 42)
    return machine, (offset, size, count)


def _interpreter(content: bytes, bits: int, segments: tuple[int, int, int]) -> str | None:
    offset, size, count = segments
    for number in range(count):
        start = offset + number * size
        (kind,) = struct.unpack_from("<I", content, start)
        if kind != PT_INTERP:
            continue
        if bits == 64:
            place, _, _, length = struct.unpack_from("<QQQQ", content, start + 8)
        else:
            place, _, _, length = struct.unpack_from("<IIII", content, start + 4)
        named = content[place : place + min(length, LARGEST_INTERPRETER)]
        return named.split(b"\0")[0].decode(errors="replace")
    return None


def _libc(interpreter: str | None) -> Libc:
    if interpreter is None:
        return "none"
    if interpreter.startswith("/system/bin/linker"):
        return "bionic"
    name = interpreter.rpartition("/")[2]
    if name.startswith("ld-musl"):
        return "musl"
    return "glibc" if name.startswith("ld-linux") or name == "ld64.so.2" else "unknown"
