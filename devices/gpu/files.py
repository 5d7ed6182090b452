"""ONNX files in ONNX Runtime on the GPU: its own CUDA kernels, or TensorRT.

A session that would leave one operator to the CPU is refused by ONNX Runtime itself
(``session.disable_cpu_ep_fallback``). Inputs and outputs stay on the device, and the runs go to the
stopwatch's stream, so that its events see them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgezoo.devices.describe import available_cores
from edgezoo.devices.gpu.libraries import how_to_install, loading_problem
from edgezoo.devices.gpu.networks import CHECKED_IMAGES
from edgezoo.devices.gpu.settings import TENSORRT
from edgezoo.devices.gpu.stopwatch import Stopwatch
from edgezoo.devices.gpu.timing import Runnable
from edgezoo.devices.runners.inputs import random_inputs
from edgezoo.devices.runners.onnxruntime import (
    DTYPES,
    ERRORS_ONLY,
    PROVIDER,
    runtime_errors,
)
from edgezoo.devices.runners.session import InputInfo, RunnerError, runner_error
from edgezoo.plan import Plan, ReferenceSetting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tensors = tuple[NDArray[Any], ...]  # Any: whatever types the file declares

CUDA_PROVIDER = "CUDAExecutionProvider"


def own_batch(path: Path) -> int:
    """Return the first dimension of a file's first input; 1 where it is open or cannot be read.

    The measuring process says what is wrong with a file that cannot be read.
    """
    import onnxruntime

    options = _options(1)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[PROVIDER])
    except runtime_errors():
        return 1
    shapes = [value.shape for value in session.get_inputs() if value.shape]
    return shapes[0][0] if shapes and isinstance(shapes[0][0], int) else 1


def reference_run(path: Path, setting: ReferenceSetting, plan: Plan) -> tuple[Tensors, Tensors]:
    """Return seeded inputs, and what ONNX Runtime's CPU kernels make of the first of them, on all
    cores; raises ``RunnerError``.

    A file with a fixed batch takes no fewer than all.
    """
    session = _session(path, available_cores(), PROVIDER)
    values = session.get_inputs()
    inputs = random_inputs([_input(value, setting.batch) for value in values], plan.seed)
    fixed = any(value.shape and isinstance(value.shape[0], int) for value in values)
    count = setting.batch if fixed else CHECKED_IMAGES
    given = {value.name: tensor[:count] for value, tensor in zip(values, inputs, strict=True)}
    try:
        return inputs, tuple(session.run(None, given))
    except runtime_errors() as error:
        raise runner_error("run_error", error) from error


def make_runnable(
    path: Path,
    inputs: Tensors,
    reference: Tensors,
    setting: ReferenceSetting,
    plan: Plan,
    device: str,
    stopwatch: Stopwatch,
    floor_db: float,
) -> Runnable:
    """Load a file on ``device`` ("cpu", "cuda:0"); raises ``RunnerError``."""
    import onnxruntime

    kind, _, number = device.partition(":")
    provider, options = _provider(setting, number, stopwatch.stream_handle)
    if provider not in onnxruntime.get_available_providers():
        message = f"ONNX Runtime {onnxruntime.__version__} here has no {provider}"
        raise RunnerError("delegate_error", f"{message}; {how_to_install()}")
    session = _session(path, plan.threads, provider, options)
    used = session.get_providers()
    if provider not in used:
        raise _fallback(provider, f"{provider} did not start, only {'+'.join(used)}")
    binding = session.io_binding()
    index = int(number or 0)
    for value, tensor in zip(session.get_inputs(), inputs, strict=True):
        there = onnxruntime.OrtValue.ortvalue_from_numpy(tensor, kind, index)
        binding.bind_ortvalue_input(value.name, there)
    for value in session.get_outputs():
        binding.bind_output(value.name, kind, index)
    run_options = onnxruntime.RunOptions()
    if provider != PROVIDER:  # the stopwatch waits
        run_options.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def run() -> None:
        try:
            session.run_with_iobinding(binding, run_options)
        except runtime_errors() as error:
            raise runner_error("run_error", error) from error

    def outputs() -> Tensors:
        stopwatch.time_ms(run)  # and waits for it
        return tuple(binding.copy_outputs_to_cpu())

    facts = {"requested": setting.label, "used": provider}
    checked = len(reference[0])
    return Runnable(run, outputs, reference, checked, floor_db, facts, outside_torch=True)


def _provider(
    setting: ReferenceSetting, number: str, stream: int | None
) -> tuple[str, dict[str, str]]:
    """Return the provider and its options; on the CPU it is that of the host's runner."""
    if stream is None:
        return PROVIDER, {}
    common = {"device_id": number or "0", "user_compute_stream": str(stream)}
    if setting.execution == "tensorrt":
        half = {"fp16": "trt_fp16_enable", "bf16": "trt_bf16_enable"}.get(setting.precision)
        return TENSORRT, common | ({half: "1"} if half else {})
    return CUDA_PROVIDER, common | {"use_tf32": "1" if setting.precision == "tf32" else "0"}


def _options(threads: int) -> Any:  # Any: onnxruntime has no types
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    return options


def _session(
    path: Path, threads: int, provider: str, provider_options: Mapping[str, str] | None = None
) -> Any:  # Any: onnxruntime has no types
    """Return a session on ``provider``; another one than the CPU's has to take the whole file."""
    import onnxruntime

    options = _options(threads)
    strict = provider != PROVIDER
    if strict:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    providers = [(provider, dict(provider_options or {}))]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except runtime_errors() as error:
        if strict and "fallback" in str(error).lower():
            raise _fallback(provider, str(error)) from error
        raise runner_error("load_error", error) from error


def _fallback(provider: str, message: str) -> RunnerError:
    """Return the error of a session that ran elsewhere: for a library's sake, or for the file's."""
    problem = loading_problem(provider)
    if problem is None:
        return RunnerError("delegate_fallback", message)
    text = (
        f"{provider} does not load ({problem}); install the library for ONNX Runtime's CUDA version"
    )
    return RunnerError("delegate_error", text)


def _input(value: Any, batch: int) -> InputInfo:  # Any: onnxruntime has no types
    """Return an input of the file with ``batch`` for an open first dimension."""
    import numpy as np

    dtype = DTYPES.get(value.type.removeprefix("tensor(").removesuffix(")"))
    if dtype is None:
        raise RunnerError("load_error", f"input {value.name} has type {value.type}, not a number")
    first, *others = value.shape or (batch,)
    shown = "x".join(map(str, value.shape))
    if not all(isinstance(size, int) for size in others):
        message = f"input {value.name} has the open shape {shown}; export it with a fixed one"
        raise RunnerError("load_error", message)
    if isinstance(first, int) and first != batch:
        message = f"its input is {shown}, not of batch {batch}; convert it with such an --input"
        raise RunnerError("unsupported_setting", message)
    return InputInfo(value.name, (batch, *others), np.dtype(dtype))
