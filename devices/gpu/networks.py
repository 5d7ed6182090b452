"""Networks in PyTorch: eager, compiled by torch.compile, or replayed as a CUDA graph.

In bf16 and fp16 weights and activations are converted (no autocast); cuDNN may try its algorithms for
the fixed shape (``cudnn.benchmark``), as who cares about speed does. A precision is a process-wide
switch of PyTorch, so one process measures one setting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgezoo.artifacts import builder_options
from edgezoo.devices.gpu.timing import Runnable
from edgezoo.devices.runners.session import RunnerError
from edgezoo.errors import EdgezooError
from edgezoo.plan import ReferenceSetting
from edgezoo.types import Origin

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

    Images = NDArray[np.float32]
    Outputs = tuple[NDArray[Any], ...]

# So many images are compared with the CPU: it would take minutes over a batch of 128.
CHECKED_IMAGES = 4
CAPTURE_WARMUP = 3  # eager runs before a capture (PyTorch's notes on CUDA graphs)


def load_network(origin: Origin) -> nn.Module:
    """Build a network with its weights on the CPU, in float32 and eval mode.

    Raises ``RunnerError`` where it cannot be built, or has other weights than before.
    """
    from edgezoo.models.resolve import load_model

    try:
        loaded = load_model(
            origin.model,
            weights=None if origin.weights == "factory" else origin.weights,
            seed=origin.seed,
            input=origin.input,
            options=builder_options(origin),
        )
    except EdgezooError as error:
        raise RunnerError("load_error", str(error).rstrip(".")) from error
    if loaded.origin.weights_sha256 != origin.weights_sha256:
        raise RunnerError("artifact_changed", "its weights are others in every process")
    return loaded.module


def random_images(origin: Origin, batch: int, seed: int) -> Images:
    """Return seeded inputs (batch, …), N(0, 1)."""
    shape = (batch, *origin.input[1:])
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def reference_outputs(module: nn.Module, images: Images) -> Outputs:
    """Return the outputs in eager float32 on the CPU; raises ``RunnerError``."""
    import torch

    with torch.inference_mode():
        try:
            return _arrays(module(torch.from_numpy(images)))
        except MemoryError:
            raise
        except Exception as error:  # the user's forward() may raise anything
            message = f"it does not run on the CPU in float32 ({type(error).__name__}: {error})"
            raise RunnerError("run_error", message) from error


def make_runnable(
    module: nn.Module,
    images: Images,
    reference: Outputs,
    setting: ReferenceSetting,
    device: str,
    floor_db: float,
) -> Runnable:
    """Bring a network and its images to ``device`` as ``setting`` says; raises ``RunnerError``.

    It is compiled or captured here. ``module`` is converted in place.
    """
    import torch

    choose_precision(setting)
    layout = torch.channels_last if setting.memory_format == "channels-last" else None
    if layout is not None and images.ndim != 4:
        message = f"channels-last is for inputs of rank 4, not {images.ndim}"
        raise RunnerError("unsupported_setting", message)
    dtype = _dtype(setting)
    module.to(device=device, dtype=dtype)
    given = torch.from_numpy(images).to(device=device, dtype=dtype)
    if layout is not None:
        module.to(memory_format=layout)  # type: ignore[call-overload]  # not in torch's stubs
        given = given.contiguous(memory_format=layout)
    run, outputs = EXECUTE[setting.execution](module, given)
    return Runnable(
        run=run,
        outputs=lambda: _arrays(outputs()),
        reference=reference,
        checked=len(reference[0]),
        floor_db=floor_db,
        facts={"requested": setting.label, "used": device, "cudnn_benchmark": True},
        replays=setting.execution == "cuda-graph",
    )


def choose_precision(setting: ReferenceSetting) -> None:
    """Set PyTorch's switches: TF32 on if asked for, else off in matrix products and convolutions."""
    import torch

    tf32 = setting.precision == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True


def _dtype(setting: ReferenceSetting) -> torch.dtype:
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(setting.precision, torch.float32)


Forward = Callable[[], object]


def _eager(module: nn.Module, given: Tensor) -> tuple[Forward, Forward]:
    def run() -> object:
        return module(given)

    return run, run


def _compiled(module: nn.Module, given: Tensor) -> tuple[Forward, Forward]:
    """Compile the whole network; a part that stays eager would make the number a lie."""
    import torch

    compiled = torch.compile(module, fullgraph=True, dynamic=False)

    def run() -> object:
        return compiled(given)

    try:
        run()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # Dynamo's and Inductor's errors are RuntimeErrors
        raise RunnerError("compile_error", f"torch.compile: {first_line(error)}") from error
    return run, run


def _captured(module: nn.Module, given: Tensor) -> tuple[Forward, Forward]:
    """Capture one run as a CUDA graph in the current stream, which must not be the default one."""
    import torch

    for _ in range(CAPTURE_WARMUP):
        module(given)
    torch.cuda.current_stream().synchronize()
    torch.cuda.reset_peak_memory_stats()  # without the workspaces of cuDNN's search before
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            static = module(given)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise RunnerError("compile_error", f"CUDA graph capture: {first_line(error)}") from error

    def outputs() -> object:
        graph.replay()
        return static

    return graph.replay, outputs


EXECUTE: dict[str, Callable[[nn.Module, Tensor], tuple[Forward, Forward]]] = {
    "eager": _eager,
    "compile": _compiled,
    "cuda-graph": _captured,
}


def first_line(error: Exception) -> str:
    """Return the first line of an error's text that says something, with the next one where it
    only leads to that; the error's type where there is no text.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith(":"):
        lines[0] = f"{lines[0]} {lines[1]}"
    return lines[0].rstrip(".") if lines else type(error).__name__


def _arrays(output: object) -> Outputs:
    import torch

    leaves: Sequence[Any]
    leaves, _ = torch.utils._pytree.tree_flatten(output)
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    floats = [t.float() if t.is_floating_point() else t for t in tensors]
    return tuple(t.cpu().reshape(t.shape or (1,)).numpy() for t in floats)
