"""The measuring loop of a reference run: right first, then steady, then timed.

Latency is taken run by run, each waited for; throughput apart, from runs back to back. Inputs lie
on the device before the clock starts, as for every runner here.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from edgezoo.compare import compare
from edgezoo.devices.gpu.stopwatch import NS_PER_MS, Stopwatch
from edgezoo.devices.runners.session import RunnerError
from edgezoo.measurement import Conditions, ProcessSamples, Stream
from edgezoo.plan import Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Outputs = Sequence[NDArray[Any]]  # Any: whatever the network gives

# Warm-up ends when two blocks of runs agree within this share, or after so many seconds.
STEADY = 0.02
LONGEST_WARMUP_S = 10.0
# The stream lasts about so long, but no fewer runs than the latency.
STREAM_MS = 500.0
MOST_STREAMED = 10_000


@dataclass(frozen=True, slots=True)
class Runnable:
    """A network on its device: ``run`` is what is timed, ``outputs`` reads what the last run gave.

    ``reference`` are the float32 outputs on the CPU of the first ``checked`` images; ``floor_db`` the
    least SQNR against them. ``facts`` are recorded; ``outside_torch`` tells whose memory is counted.
    One that ``replays`` what was captured allocates nothing any more: its peak was that of the capture.
    """

    run: Callable[[], object]
    outputs: Callable[[], Outputs]
    reference: Outputs
    checked: int
    floor_db: float
    facts: Mapping[str, Any]
    outside_torch: bool = False
    replays: bool = False


@dataclass(frozen=True, slots=True)
class Timed:
    """What a process found out."""

    samples: ProcessSamples
    facts: Mapping[str, Any]
    conditions: tuple[Conditions, ...]


def measure(
    make: Callable[[], Runnable],
    batch: int,
    plan: Plan,
    stopwatch: Stopwatch,
    conditions: Callable[[], Conditions],
) -> Timed:
    """Make the network ready, prove its outputs, and time it; raises ``RunnerError``.

    ``load_ms`` is the time to make it ready: the copy to the device, and what torch.compile compiles
    or a CUDA graph captures. ``first_ms`` is the first run after that, in which cuDNN may still
    search its algorithms. Their workspaces are not counted, the peak memory is that of the later runs.
    ``conditions`` are read after the warm-up and right after the last run, while the device still has
    the clocks of the load.
    """
    started_at = time.time()
    stopwatch.start_memory()
    with stopwatch.turn_on():
        start_ns = time.perf_counter_ns()
        runnable = make()
        stopwatch.wait()  # copies to the device may still be under way
        load_ms = (time.perf_counter_ns() - start_ns) / NS_PER_MS
        first_ms = stopwatch.time_ms(runnable.run)
        sqnr_db = check_outputs(runnable)
        warmup_runs = warm_up(runnable.run, plan, stopwatch)
        before = conditions()
        warmup_runs += warm_up(runnable.run, plan, stopwatch)  # it idled while they were read
        if not runnable.replays:
            stopwatch.forget_peak()
        wall_ms, cpu_ms = _timed_runs(runnable.run, plan, stopwatch)
        stream = _streamed(runnable.run, batch, plan, stopwatch, median(wall_ms))
        after = conditions()
        peak_mib = stopwatch.peak_memory_mib(outside_torch=runnable.outside_torch)
    samples = ProcessSamples(
        wall_ms=wall_ms,
        cpu_ms=cpu_ms,
        load_ms=load_ms,
        first_ms=first_ms,
        peak_memory_mib=peak_mib,
        involuntary_switches=None,
        started_at=started_at,
        stream=stream,
    )
    facts = {
        **runnable.facts,
        "clock": stopwatch.name,
        "memory": stopwatch.memory,
        "warmup_runs": warmup_runs,
        "sqnr_db": sqnr_db,
        "sqnr_floor_db": runnable.floor_db,
    }
    return Timed(samples, facts, (before, after))


def check_outputs(runnable: Runnable) -> float:
    """Return the SQNR in dB against the reference.

    Raises ``RunnerError`` for outputs that are not finite, or too far from it.
    """
    outputs = [output[: runnable.checked] for output in runnable.outputs()]
    for index, output in enumerate(outputs):
        if output.dtype.kind == "f" and not np.isfinite(output).all():
            count = int(output.size - np.isfinite(output).sum())
            message = f"{count} of {output.size} values of output {index} are NaN or infinite"
            raise RunnerError("non_finite_output", message)
    try:
        sqnr_db = compare(runnable.reference, outputs).sqnr_db
    except ValueError as error:
        raise RunnerError("wrong_output", f"it gives {error}") from error
    if sqnr_db < runnable.floor_db:
        message = (
            f"its outputs are {sqnr_db:.1f} dB from float32 on the CPU, under the floor of "
            f"{runnable.floor_db:g} dB"
        )
        raise RunnerError("wrong_output", message)
    return sqnr_db


def warm_up(run: Callable[[], object], plan: Plan, stopwatch: Stopwatch) -> int:
    """Run blocks of ``plan.warmup`` until two in a row agree; return how many runs that took."""
    if not plan.warmup:
        return 0
    runs, earlier = 0, float("inf")
    deadline = time.perf_counter() + LONGEST_WARMUP_S
    while time.perf_counter() < deadline:
        block_ms = median(stopwatch.time_ms(run) for _ in range(plan.warmup))
        runs += plan.warmup
        if abs(block_ms - earlier) <= STEADY * block_ms:
            break
        earlier = block_ms
    return runs


def _timed_runs(
    run: Callable[[], object], plan: Plan, stopwatch: Stopwatch
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the device's and the process's CPU milliseconds of each run, collector off."""
    wall_ms: list[float] = []
    cpu_ms: list[float] = []
    gc.disable()
    deadline = time.perf_counter() + plan.min_seconds
    while len(wall_ms) < plan.runs or time.perf_counter() < deadline:
        start_ns = time.process_time_ns()
        wall_ms.append(stopwatch.time_ms(run))
        cpu_ms.append((time.process_time_ns() - start_ns) / NS_PER_MS)
    gc.enable()
    return tuple(wall_ms), tuple(cpu_ms)


def _streamed(
    run: Callable[[], object], batch: int, plan: Plan, stopwatch: Stopwatch, run_ms: float
) -> Stream:
    wanted = int(STREAM_MS / run_ms) if run_ms > 0 else MOST_STREAMED
    runs = max(plan.runs, min(wanted, MOST_STREAMED))
    return Stream(runs, runs * batch, stopwatch.time_ms(run, runs))
