"""The seam between a runtime and the timing loop: a ``Runner`` opens a file as a ``Session``.

Importing this module or a runner loads no runtime; ``Runner.open`` does. So the parent process
can hold the table of runners, and a child loads only the one runtime that it times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgezoo.devices.failures import FailureClass
from edgezoo.measurement import Profile
from edgezoo.plan import Plan
from edgezoo.types import Format, Shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensor = NDArray[Any]  # Any: whatever dtype the model file declares


# Of C++, of TFLite and ONNX Runtime, of PyTorch on the CPU, of CUDA, ONNX Runtime's arena and cuDNN.
OUT_OF_MEMORY = (
    *("bad_alloc", "bad allocation", "Failed to allocate"),
    *("can't allocate memory", "not enough memory"),
    *("out of memory", "is smaller than requested bytes", "CUDNN_STATUS_ALLOC_FAILED"),
)


class RunnerError(Exception):
    """A runtime refused a model or an inference; caught where the child writes its report."""

    def __init__(self, failure_class: FailureClass, message: str) -> None:
        super().__init__(message)
        self.failure_class: FailureClass = failure_class


@dataclass(frozen=True, slots=True)
class InputInfo:
    """One input that a model file declares; ``shape`` has no unknown dimension."""

    name: str
    shape: Shape
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Session:
    """A loaded model: ``feed`` once, then ``invoke`` (the only timed part), then read ``outputs``.

    ``delegate`` tells which accelerator was asked for and what it really took.
    """

    inputs: tuple[InputInfo, ...]
    feed: Callable[[Sequence[Tensor]], None]
    invoke: Callable[[], object]
    outputs: Callable[[], tuple[Tensor, ...]]
    delegate: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Runner:
    """A runtime that times one format in process.

    ``module`` is imported before the clock starts; ``distribution`` is what pip installs.
    ``open(path, plan)`` obeys the plan's threads and XNNPACK and raises ``RunnerError``, and so does
    ``profile(path, plan)``, which runs the file under the runtime's own instruments.
    """

    name: str
    format: Format
    module: str
    distribution: str
    open: Callable[[Path, Plan], Session]
    profile: Callable[[Path, Plan], Profile]


def runner_error(failure_class: FailureClass, error: Exception) -> RunnerError:
    """Return what a runtime raised as a failure: of memory where its words say so."""
    text = str(error)
    return RunnerError("out_of_memory" if failed_allocation(text) else failure_class, text)


def failed_allocation(message: str) -> bool:
    """Return whether a runtime's message means that memory ran out, on the host or on a GPU."""
    return any(words in message for words in OUT_OF_MEMORY)
