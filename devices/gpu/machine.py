"""What a machine has for reference runs, found out by a process that ends.

The process that plans the measurement never makes a CUDA context: it would hold memory and clocks
of the GPU that is to be measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgezoo.decode import from_json
from edgezoo.devices.processes import child_environment
from edgezoo.devices.runners.child import MARKER
from edgezoo.errors import BenchmarkError, UsageError
from edgezoo.types import to_json

MODULE = "edgezoo.devices.gpu.facts"
TIMEOUT_S = 120
CPU = "torch-cpu"
CUDA = "cuda"


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU that PyTorch sees under ``index``; ``uuid`` is how NVML names it."""

    index: int
    name: str
    uuid: str
    memory_mib: int
    capability: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Machine:
    """What PyTorch and ONNX Runtime can use here; ``reason`` says why there is no GPU."""

    gpus: tuple[Gpu, ...]
    providers: tuple[str, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def look() -> Machine:
    """Return what this machine has; raises ``BenchmarkError`` where PyTorch itself does not start."""
    argv = (sys.executable, "-P", "-m", MODULE)
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=TIMEOUT_S, check=False, env=child_environment()
        )
    except subprocess.TimeoutExpired as error:
        message = (
            f"PyTorch did not find its devices within {TIMEOUT_S} s; run nvidia-smi to see why."
        )
        raise BenchmarkError(message) from error
    line = done.stdout.rpartition(MARKER.encode())[2]
    if done.returncode or MARKER.encode() not in done.stdout:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no output"])[-1]
        raise BenchmarkError(f"PyTorch cannot look for devices ({last}); reinstall torch.")
    return from_json(Machine, json.loads(line))


def check_device(device: str) -> None:
    """Raise ``UsageError`` for a name that is no device of reference runs, whatever there is."""
    kind, colon, number = device.partition(":")
    if device != CPU and (kind != CUDA or (colon and not number.isdigit())):
        raise UsageError(f"device {device!r} is not known; choose host, cuda, cuda:N or {CPU}")


def find_gpu(machine: Machine, device: str) -> Gpu | None:
    """Return the GPU that ``cuda`` or ``cuda:N`` names, ``None`` for ``torch-cpu``.

    The name was checked. Raises ``UsageError`` where there is none, or several and no choice.
    """
    if device == CPU:
        return None
    number = device.partition(":")[2]
    if not machine.gpus:
        raise UsageError(f"--device {device} needs an NVIDIA GPU, but {machine.reason}")
    if not number and len(machine.gpus) > 1:
        names = ", ".join(f"cuda:{gpu.index} ({gpu.name})" for gpu in machine.gpus)
        raise UsageError(f"--device cuda could be any of {names}; choose one of them")
    wanted = int(number or 0)
    for gpu in machine.gpus:
        if gpu.index == wanted:
            return gpu
    raise UsageError(f"there is no {device}; this machine has {len(machine.gpus)}, from cuda:0 on")


def print_machine(machine: Machine) -> None:
    """Print what ``look`` reads."""
    print(f"\n{MARKER}{json.dumps(to_json(machine))}", flush=True)
