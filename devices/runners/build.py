"""Building the C runner from the source that ships with edgezoo.

Three compilers, three kinds of device: the one of this machine, zig for Linux boards, and Android's
NDK for phones. None is chosen in another's place. The same source and compiler give the same bytes,
and the manifest beside the program says which they were.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgezoo import artifacts
from edgezoo.devices.runners.elf import read_elf
from edgezoo.errors import BenchmarkError, UsageError

SOURCE = Path(__file__).parent / "native"
KIND = "edgezoo-runner"
OPTIONS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-g0", "-s")
LIBRARIES = ("-ldl", "-lm")
TIMEOUT_S = 300.0  # zig builds its own C library first

# Debian 10 and Raspberry Pi OS 10 on; what the wheels of LiteRT and ONNX Runtime need.
ZIG_TARGET = "aarch64-linux-gnu.2.27"
ANDROID_TARGET = "aarch64-linux-android"
LOWEST_ANDROID_API = 21  # the first with 64 bits


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler command, and the device its programs are for (``linux-x86_64``, …)."""

    command: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class BuiltRunner:
    """The C runner as built: the program, and what its manifest beside it holds."""

    path: Path
    manifest: Path
    kind: str
    target: str
    runs_on: str
    sha256: str
    source_sha256: str
    compiler: str
    command: tuple[str, ...]


def build_runner(out: Path, *, ndk: Path | None = None, zig: bool = False) -> BuiltRunner:
    """Compile the runner into the folder ``out``: for this machine, or for a phone or a Linux board.

    Raises:
        UsageError: the compiler that was asked for is not there, or two were.
        BenchmarkError: it does not compile.
        OutputError: the folder cannot be written.
    """
    compiler = _compiler(ndk, zig)
    with artifacts.output_folder(out.absolute()) as folder:  # the compiler runs elsewhere
        path = folder / f"edgezoo_runner-{compiler.target}"
        with artifacts.staged(path) as temporary:
            _compile(compiler, temporary)
            temporary.chmod(0o755)
            temporary.rename(path)
        built = BuiltRunner(
            path=path,
            manifest=artifacts.manifest_path(path),
            kind=KIND,
            target=compiler.target,
            runs_on=read_elf(path).described,
            sha256=artifacts.file_sha256(path),
            source_sha256=source_sha256(),
            compiler=_version(compiler),
            command=_arguments(compiler, path.name),
        )
        artifacts.write_json(built.manifest, built)
        return built


def source_sha256() -> str:
    """Return the hash of all source files, names included."""
    digest = hashlib.sha256()
    for path in _sources("*"):
        digest.update(f"{path.name} {artifacts.file_sha256(path)}\n".encode())
    return digest.hexdigest()


def _compiler(ndk: Path | None, zig: bool) -> Compiler:
    if ndk is not None and zig:
        raise UsageError("--ndk builds for Android and --zig for Linux; give one of them")
    if ndk is not None:
        return _ndk_compiler(ndk)
    return _zig_compiler() if zig else _host_compiler()


def _host_compiler() -> Compiler:
    found = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    if found is None:
        raise UsageError(
            "no C compiler is on the PATH; install one (apt-get install gcc libc6-dev), or give "
            "--ndk or --zig"
        )
    return Compiler((found,), f"{platform.system().lower()}-{platform.machine()}")


def zig_command() -> tuple[str, ...] | None:
    """Return how zig is started here: the wheel ``ziglang``, else ``zig`` on the PATH, or neither."""
    if importlib.util.find_spec("ziglang") is not None:
        return (sys.executable, "-m", "ziglang")
    found = shutil.which("zig")
    return None if found is None else (found,)


def _zig_compiler() -> Compiler:
    command = zig_command()
    if command is None:
        raise UsageError("zig is not installed; run pip install ziglang")
    return Compiler((*command, "cc", "-target", ZIG_TARGET), "linux-aarch64")


def _ndk_compiler(ndk: Path) -> Compiler:
    """Return the NDK's clang for the lowest Android version, which newer ones run as well."""
    folder = ndk / "toolchains" / "llvm" / "prebuilt"
    compilers = {
        int(level): path
        for path in folder.glob(f"*/bin/{ANDROID_TARGET}*-clang")
        if (level := path.name.removeprefix(ANDROID_TARGET).removesuffix("-clang")).isdigit()
    }
    levels = [level for level in compilers if level >= LOWEST_ANDROID_API]
    if not levels:
        raise UsageError(
            f"{ndk} holds no toolchains/llvm/prebuilt/*/bin/{ANDROID_TARGET}…-clang; give --ndk "
            "the folder of an unpacked Android NDK"
        )
    return Compiler((str(compilers[min(levels)]),), "android-arm64-v8a")


def _compile(compiler: Compiler, output: Path) -> None:
    ended = _run(_arguments(compiler, str(output)))
    if ended.returncode != 0:
        printed = " ".join(ended.stderr.decode(errors="replace").split())[-400:]
        raise BenchmarkError(
            f"the runner does not compile with {compiler.command[0]} (exit code "
            f"{ended.returncode}: {printed}); try another compiler"
        )


def _arguments(compiler: Compiler, output: str) -> tuple[str, ...]:
    sources = (path.name for path in _sources("*.c"))  # relative, so that the bytes do not differ
    return (*compiler.command, *OPTIONS, *sources, "-o", output, *LIBRARIES)


def _sources(pattern: str) -> list[Path]:
    return sorted(path for path in SOURCE.glob(pattern) if path.suffix in (".c", ".h"))


def _version(compiler: Compiler) -> str:
    ended = _run((*compiler.command, "--version"))
    lines = ended.stdout.decode(errors="replace").splitlines()
    return lines[0].strip() if lines else "unknown"


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command,
            cwd=SOURCE,
            env={**os.environ, "LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(
            f"{command[0]} did not end within {TIMEOUT_S:g} s; try again on an idle machine"
        ) from error
    except OSError as error:
        raise BenchmarkError(
            f"{command[0]} cannot be started ({error.strerror}); try another compiler"
        ) from error
