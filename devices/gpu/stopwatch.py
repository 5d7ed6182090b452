"""The seam between the measuring loop and a device's clock.

On a GPU a run is over when its kernels are, not when Python comes back: CUDA events in the run's own
stream tell when (CUDA C++ Programming Guide, "Events"). On the CPU both are the same moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from edgezoo.devices.runners.memory import peak_memory_mib

Run = Callable[[], object]
NS_PER_MS = 1e6


class Stopwatch(Protocol):
    """A device's clock and memory; ``name`` and ``memory`` say what they read."""

    name: str
    memory: str

    def turn_on(self) -> AbstractContextManager[object]:
        """Return the context in which everything runs that is timed."""

    def time_ms(self, run: Run, count: int = 1) -> float:
        """Return the milliseconds of ``count`` runs back to back, waited for once at the end."""

    def wait(self) -> None:
        """Wait for all that was given to the device."""

    def start_memory(self) -> None:
        """Count memory from here on."""

    def forget_peak(self) -> None:
        """Count the peak from here on; what is in use stays counted."""

    def peak_memory_mib(self, *, outside_torch: bool) -> float:
        """Return the peak since; ``outside_torch`` where another library than torch allocates."""

    @property
    def stream_handle(self) -> int | None:
        """The CUDA stream to run in, for libraries other than torch; ``None`` on the CPU."""


class CpuStopwatch:
    """``time.perf_counter`` and the resident memory of this process."""

    name = "time.perf_counter"
    memory = "peak resident memory of the process"
    stream_handle = None

    def turn_on(self) -> AbstractContextManager[object]:
        """Return a context that changes nothing."""
        return nullcontext()

    def time_ms(self, run: Run, count: int = 1) -> float:
        """Return the milliseconds of wall time of ``count`` runs."""
        start_ns = time.perf_counter_ns()
        for _ in range(count):
            run()
        return (time.perf_counter_ns() - start_ns) / NS_PER_MS

    def wait(self) -> None:
        """Return at once: what was called is done."""

    def start_memory(self) -> None:
        """Do nothing: a process's peak cannot be reset."""

    def forget_peak(self) -> None:
        """Do nothing: a process's peak cannot be reset."""

    def peak_memory_mib(self, *, outside_torch: bool) -> float:
        """Return the peak resident memory of this process in MiB."""
        return peak_memory_mib()


class CudaStopwatch:
    """CUDA events in a stream of its own; PyTorch's account of the GPU's memory.

    What other libraries allocate, PyTorch does not see: then the memory in use on the whole device
    before is subtracted from that in use after, which neighbours would falsify.
    """

    name = "cuda events"
    memory = "torch.cuda.max_memory_allocated"

    def __init__(self, device: str) -> None:
        import torch

        torch.cuda.set_device(device)
        cuda: Any = torch.cuda  # Any: torch has no types for streams and events
        self._stream = cuda.Stream()
        self._begin = cuda.Event(enable_timing=True)
        self._end = cuda.Event(enable_timing=True)
        self._used_before = 0

    @property
    def stream_handle(self) -> int | None:
        """The address of the stream."""
        return int(self._stream.cuda_stream)

    def turn_on(self) -> AbstractContextManager[object]:
        """Return the context that makes the stream PyTorch's current one."""
        import torch

        return torch.cuda.stream(self._stream)

    def time_ms(self, run: Run, count: int = 1) -> float:
        """Return the milliseconds between two events around ``count`` runs."""
        self._stream.synchronize()  # the first event waits for nothing
        self._begin.record(self._stream)
        for _ in range(count):
            run()
        self._end.record(self._stream)
        self._end.synchronize()
        return float(self._begin.elapsed_time(self._end))

    def wait(self) -> None:
        """Wait for every stream of the device."""
        import torch

        torch.cuda.synchronize()

    def start_memory(self) -> None:
        """Forget peaks, and note what is in use on the device."""
        import torch

        self.forget_peak()
        free, total = torch.cuda.mem_get_info()
        self._used_before = total - free

    def forget_peak(self) -> None:
        """Begin PyTorch's peak anew; the device's growth still counts from ``start_memory`` on."""
        import torch

        torch.cuda.reset_peak_memory_stats()

    def peak_memory_mib(self, *, outside_torch: bool) -> float:
        """Return the peak of PyTorch's allocator, or the device's growth, in MiB."""
        import torch

        if not outside_torch:
            return float(torch.cuda.max_memory_allocated()) / 2**20
        self.memory = "growth of the memory in use on the device"
        free, total = torch.cuda.mem_get_info()
        return float(total - free - self._used_before) / 2**20
