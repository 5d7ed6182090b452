"""How to measure: the plan, and the settings of reference runs.

Standard library only. A plan is part of every line of a results store and a file of its own
(``--save-plan``), so a field is never renamed; new ones have defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

# What shall execute the model. On ``cpu`` XNNPACK is on unless the plan turns it off.
Accelerator = Literal["cpu", "gpu", "nnapi"]
# Which cores a process may run on: the fastest cluster, all but the slowest, all by mask, or
# whatever the scheduler chooses; a hexadecimal mask such as ``f0`` is possible too.
CoreChoice = Literal["big", "fast", "all", "none"]

ACCELERATORS: tuple[Accelerator, ...] = get_args(Accelerator)
CORE_CHOICES: tuple[CoreChoice, ...] = get_args(CoreChoice)

# How a reference run executes a network (the first three) or an ONNX file (the others).
Execution = Literal["eager", "compile", "cuda-graph", "onnxruntime", "tensorrt"]
# ``fp32`` is IEEE's throughout; ``tf32`` multiplies float32 numbers cut to 10 bits of mantissa.
Precision = Literal["fp32", "tf32", "bf16", "fp16"]
MemoryFormat = Literal["contiguous", "channels-last"]

EXECUTIONS: tuple[Execution, ...] = get_args(Execution)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
MEMORY_FORMATS: tuple[MemoryFormat, ...] = get_args(MemoryFormat)


@dataclass(frozen=True, slots=True)
class Gate:
    """The conditions under which a phone may be measured, and how long to wait for them.

    A phone that is warmer, emptier or throttled cools down for at most ``cooldown_s`` seconds;
    then it is a failure, not a number. ``None`` turns one condition off.
    """

    thermal_status: int | None = 0
    battery_celsius: float | None = 37.0
    battery_percent: float | None = 30.0
    cooldown_s: float = 600.0


@dataclass(frozen=True, slots=True)
class ReferenceSetting:
    """How a reference run (``--device cuda``) executes a network or an ONNX file."""

    execution: Execution
    precision: Precision = "fp32"
    batch: int = 1
    memory_format: MemoryFormat = "contiguous"

    @property
    def label(self) -> str:
        """The setting in words: "eager, fp16, batch 8, channels-last"."""
        layout = () if self.memory_format == "contiguous" else (self.memory_format,)
        return ", ".join((self.execution, self.precision, f"batch {self.batch}", *layout))


@dataclass(frozen=True, slots=True)
class Sweep:
    """The settings to measure, all combinations of them.

    No ``executions`` are those that the device has for a network or file, no ``batches`` its own.
    ``memory_formats`` are a matter of networks; an ONNX file has the layout that it has.
    """

    executions: tuple[Execution, ...] = ()
    precisions: tuple[Precision, ...] = ("fp32",)
    batches: tuple[int, ...] = ()
    memory_formats: tuple[MemoryFormat, ...] = ("contiguous",)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure: ``processes`` fresh processes per model, interleaved over models,
    each with ``warmup`` untimed runs, then at least ``runs`` timed ones and ``min_seconds`` of them.

    ``cores`` is a ``CoreChoice`` or a hexadecimal mask. ``sustained_s`` above 0 draws the latency of
    one long process over that time instead. ``energy_s`` above 0 reads a phone's fuel gauge, so long
    idle and so long under load. ``memory`` and ``profile`` add separate runs, because
    both disturb the timing. ``reference`` is set in reference runs alone. The rounds of processes
    begin evenly over ``spread_s`` seconds where they would be quicker, because processes of the same
    few seconds agree with each other more than with the next run.
    """

    threads: int = 1
    processes: int = 7
    warmup: int = 5
    runs: int = 30
    min_seconds: float = 0.0
    timeout_s: float = 600.0
    seed: int = 0
    accelerator: Accelerator = "cpu"
    xnnpack: bool = True
    cores: str = "none"
    gate: Gate = Gate()
    sustained_s: float = 0.0
    energy_s: float = 0.0
    memory: bool = True
    profile: bool = False
    reference: ReferenceSetting | None = None
    spread_s: float = 0.0
