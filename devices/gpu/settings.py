"""Which settings a network or file is measured in, what a device lacks, and how exact it must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from edgezoo.devices.gpu.machine import Gpu, Machine
from edgezoo.devices.subjects import Subject
from edgezoo.errors import UsageError
from edgezoo.plan import (
    EXECUTIONS,
    MEMORY_FORMATS,
    PRECISIONS,
    Execution,
    Precision,
    ReferenceSetting,
    Sweep,
)

OF_NETWORKS: tuple[Execution, ...] = ("eager", "compile", "cuda-graph")
OF_FILES: tuple[Execution, ...] = ("onnxruntime", "tensorrt")
TENSORRT = "TensorrtExecutionProvider"
# The first capability whose tensor cores know TF32 and bfloat16 (Ampere).
AMPERE = (8, 0)

# Least SQNR in dB against float32 on the CPU. Measured on CPUs with random weights (TF32 by cutting
# the operands of every product to 10 bits), from the worst of five families to the best, NFNet-F0 to
# ShuffleNet: TF32 49-71, float16 34-67, bfloat16 15-47. The floor of fp32 lies above, so that TF32
# that slipped in is seen; those of the others leave room for trained weights, and none for noise.
FLOORS_DB: Mapping[Precision, float] = {"fp32": 80.0, "tf32": 40.0, "fp16": 25.0, "bf16": 10.0}
# In an integer file a rounding tie that falls the other way is a whole step of its grid.
INTEGER_FLOOR_DB = 15.0


def floor_db(precision: Precision, recipe: str) -> float:
    """Return the least SQNR that a result must have to be timed; ``recipe`` is the file's."""
    floor = FLOORS_DB[precision]
    return floor if recipe in ("fp32", "unknown") else min(floor, INTEGER_FLOOR_DB)


def check_sweep(sweep: Sweep) -> None:
    """Raise ``UsageError`` that names everything in ``sweep`` that does not exist."""
    known: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
        "execution": (sweep.executions, EXECUTIONS),
        "precision": (sweep.precisions, PRECISIONS),
        "memory format": (sweep.memory_formats, MEMORY_FORMATS),
    }
    wrong = [
        f"{kind} {name!r} is not one of {', '.join(choices)}"
        for kind, (names, choices) in known.items()
        for name in names
        if name not in choices
    ]
    wrong += [f"batch {batch} is not at least 1" for batch in sweep.batches if batch < 1]
    if not sweep.precisions or not sweep.memory_formats:
        wrong.append("a precision and a memory format are needed")
    if wrong:
        raise UsageError(f"This sweep cannot be measured: {'; '.join(wrong)}.")


def settings(
    subject: Subject, batch: int, sweep: Sweep, machine: Machine, gpu: Gpu | None
) -> tuple[ReferenceSetting, ...]:
    """Return the settings of one network or file; ``batch`` is its own.

    Raises ``UsageError`` where none of the executions asked for is for it.
    """
    possible = OF_FILES if subject.origin is None else OF_NETWORKS
    chosen = [e for e in possible if e in (sweep.executions or _usual(machine, gpu))]
    if not chosen:
        asked = ", ".join(sweep.executions)
        raise UsageError(
            f"execution {asked} is not for {subject.path.name}; choose from {', '.join(possible)}"
        )
    layouts = dict.fromkeys(sweep.memory_formats if subject.origin is not None else ("contiguous",))
    axes = (
        chosen,
        dict.fromkeys(sweep.precisions),
        dict.fromkeys(sweep.batches or (batch,)),
        layouts,
    )
    return tuple(ReferenceSetting(e, p, b, layout) for e, p, b, layout in product(*axes))


def _usual(machine: Machine, gpu: Gpu | None) -> tuple[Execution, ...]:
    """Return what is measured where nothing is asked for: everything that the device has."""
    if gpu is None:
        return ("eager", "compile", "onnxruntime")
    missing = () if TENSORRT in machine.providers else ("tensorrt",)
    return tuple(e for e in EXECUTIONS if e not in missing)


def unsupported(setting: ReferenceSetting, gpu: Gpu | None) -> str | None:
    """Return why a device has no such setting, as a clause; ``None`` where it has."""
    execution, precision = setting.execution, setting.precision
    if gpu is None and execution in ("cuda-graph", "tensorrt"):
        return f"{execution} needs an NVIDIA GPU"
    if gpu is None and precision == "tf32":
        return "TF32 is a number format of NVIDIA GPUs; choose fp32 on the CPU"
    if gpu is not None and precision in ("tf32", "bf16") and gpu.capability < AMPERE:
        version = ".".join(map(str, gpu.capability))
        return f"{gpu.name} (compute capability {version}) has no {precision}; it begins with 8.0"
    if execution == "onnxruntime" and precision in ("bf16", "fp16"):
        return (
            f"ONNX Runtime computes a file in the file's own types, not in {precision}; "
            "choose --execution tensorrt"
        )
    return None
