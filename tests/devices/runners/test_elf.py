"""ELF headers: of real programs here, of made-up ones for other machines, and of garbage."""

import random
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezoo.devices.runners.elf import Libc, System, parse_elf, read_elf, unsuitable
from edgezoo.errors import UsageError


def made(machine: int, bits: int, interpreter: bytes | None) -> bytes:
    """A header with one segment (System V gABI, figures 4-3 and 5-1)."""
    identity = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    segments, kind = (1, 3) if interpreter else (0, 0)
    text = (interpreter or b"") + b"\0"
    if bits == 64:
        header = struct.pack(
            "<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, segments, 0, 0, 0
        )
        segment = struct.pack("<IIQQQQQQ", kind, 4, 120, 0, 0, len(text), len(text), 1)
    else:
        header = struct.pack(
            "<HHIIIIIHHHHHH", 3, machine, 1, 0, 52, 0, 0, 52, 32, segments, 0, 0, 0
        )
        segment = struct.pack("<IIIIIIII", kind, 84, 0, 0, len(text), len(text), 4, 1)
    return identity + header + segment + text


@pytest.mark.parametrize(
    ("machine", "bits", "interpreter", "abi", "libc"),
    [
        (183, 64, b"/system/bin/linker64", "arm64-v8a", "bionic"),
        (40, 32, b"/system/bin/linker", "armeabi-v7a", "bionic"),
        (183, 64, b"/lib/ld-linux-aarch64.so.1", "arm64-v8a", "glibc"),
        (62, 64, b"/lib64/ld-linux-x86-64.so.2", "x86_64", "glibc"),
        (3, 32, b"/lib/ld-musl-i386.so.1", "x86", "musl"),
        (62, 64, None, "x86_64", "none"),
        (9999, 64, b"/lib/odd", "machine 9999, 64 bits", "unknown"),
    ],
)
def test_headers(machine: int, bits: int, interpreter: bytes | None, abi: str, libc: Libc) -> None:
    elf = parse_elf(made(machine, bits, interpreter))
    assert (elf.abi, elf.bits, elf.libc) == (abi, bits, libc)
    assert elf.interpreter == (interpreter.decode() if interpreter else None)


@pytest.mark.parametrize(
    ("interpreter", "abis", "system", "reason"),
    [
        (b"/system/bin/linker64", ("arm64-v8a", "armeabi-v7a"), "android", None),
        (b"/system/bin/linker64", ("armeabi-v7a",), "android", "the device runs armeabi-v7a"),
        (b"/system/bin/linker64", ("arm64-v8a",), "linux", "the device runs Linux"),
        (
            b"/lib/ld-linux-aarch64.so.1",
            ("arm64-v8a",),
            "android",
            "program for Linux (aarch64, glibc)",
        ),
        (b"/lib/ld-linux-aarch64.so.1", ("arm64-v8a",), "linux", None),
        (None, ("arm64-v8a",), "android", None),
    ],
)
def test_where_a_program_runs(
    interpreter: bytes | None, abis: tuple[str, ...], system: System, reason: str | None
) -> None:
    found = unsuitable(parse_elf(made(183, 64, interpreter)), abis, system)
    assert (found is None) == (reason is None)
    assert (reason or "") in (found or "")


@pytest.mark.skipif(sys.platform != "linux", reason="reads this machine's own Python")
def test_this_python() -> None:
    elf = read_elf(Path(sys.executable).resolve())
    assert elf.bits == 8 * struct.calcsize("P")
    assert unsuitable(elf, (elf.abi,), "linux") is None


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"MZ" + bytes(200)])
def test_files_that_are_no_programs(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match="is no program for a phone"):
        read_elf(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_elf(tmp_path)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 20), cut=st.integers(0, 200))
def test_garbled_headers_are_refused_or_read(seed: int, flips: int, cut: int) -> None:
    generator = random.Random(seed)
    content = bytearray(made(183, 64, b"/system/bin/linker64"))
    for _ in range(flips):
        content[generator.randrange(4, len(content))] = generator.randrange(256)
    try:
        parse_elf(bytes(content[: max(cut, 4)]))
    except ValueError as error:
        assert str(error)
