"""ONNX Runtime in process, on its CPU execution provider.

Inputs and outputs are bound once (``io_binding``), so that only the inference is timed and not
the copies between numpy and the runtime; LiteRT is timed the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgezoo.devices.runners.inputs import random_inputs
from edgezoo.devices.runners.session import (
    InputInfo,
    Runner,
    RunnerError,
    Session,
    runner_error,
)

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from edgezoo.devices.runners.session import Tensor
    from edgezoo.measurement import Profile
    from edgezoo.plan import Plan

PROVIDER = "CPUExecutionProvider"
ERRORS_ONLY = 3  # log_severity_level

# "tensor(float)" and so on, as onnxruntime spells the types; names of numpy's.
DTYPES = {
    "float": "float32",
    "float16": "float16",
    "double": "float64",
    "int8": "int8",
    "uint8": "uint8",
    "int16": "int16",
    "uint16": "uint16",
    "int32": "int32",
    "int64": "int64",
    "bool": "bool",
}


def open_session(path: Path, plan: Plan) -> Session:
    """Load an .onnx file; raises ``RunnerError``, also where an input's shape is not fixed."""
    return _bound(_load(path, plan))


def profile(path: Path, plan: Plan) -> Profile:
    """Run a file with ONNX Runtime's own profiling, which writes every operator's time to a file."""
    from edgezoo.devices.runners.onnxruntime_profile import read_trace

    with TemporaryDirectory(prefix="edgezoo-profile-") as folder:
        loaded = _load(path, plan, trace=Path(folder) / "trace")
        session = _bound(loaded)
        session.feed(random_inputs(session.inputs, plan.seed))
        untimed = 1 + plan.warmup
        for _ in range(untimed + plan.runs):
            session.invoke()
        return read_trace(Path(loaded.end_profiling()).read_bytes(), untimed, plan.runs)


def _load(path: Path, plan: Plan, trace: Path | None = None) -> InferenceSession:
    """Return the session; ``trace`` is the beginning of the name of a file to profile into.

    The plan's threads work inside one operator, operators run one after another; how long idle
    threads spin is left at the runtime's default, as applications leave it. XNNPACK is an execution
    provider of its own, which the packages for desktops lack, so the station refuses plans without it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = plan.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    if trace is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(trace)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[PROVIDER])
    except runtime_errors() as error:
        raise runner_error("load_error", error) from error


def _bound(session: InferenceSession) -> Session:
    inputs = tuple(_input_info(value) for value in session.get_inputs())
    binding = session.io_binding()

    def feed(tensors: Sequence[Tensor]) -> None:
        for value, tensor in zip(inputs, tensors, strict=True):
            binding.bind_cpu_input(value.name, tensor)
        for value in session.get_outputs():
            binding.bind_output(value.name)

    def invoke() -> None:
        try:
            session.run_with_iobinding(binding)
        except runtime_errors() as error:
            raise runner_error("run_error", error) from error

    return Session(
        inputs=inputs,
        feed=feed,
        invoke=invoke,
        outputs=lambda: tuple(binding.copy_outputs_to_cpu()),
        delegate={"requested": PROVIDER, "used": "+".join(session.get_providers())},
    )


def _input_info(value: Any) -> InputInfo:  # Any: onnxruntime has no types
    import numpy as np

    dtype = DTYPES.get(value.type.removeprefix("tensor(").removesuffix(")"))
    if dtype is None:
        raise RunnerError("load_error", f"input {value.name} has type {value.type}, not a number")
    if not all(isinstance(size, int) for size in value.shape):
        shape = "x".join(map(str, value.shape))
        message = f"input {value.name} has the open shape {shape}; export it with a fixed one"
        raise RunnerError("load_error", message)
    return InputInfo(value.name, tuple(value.shape), np.dtype(dtype))


def runtime_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of onnxruntime, which have no base class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    found = (item for item in vars(state).values() if isinstance(item, type))
    return (*(item for item in found if issubclass(item, Exception)), RuntimeError, ValueError)


ONNXRUNTIME = Runner(
    name="onnxruntime",
    format="onnx",
    module="onnxruntime",
    distribution="onnxruntime",
    open=open_session,
    profile=profile,
)
