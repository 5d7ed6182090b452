"""The timing loop: one loaded model, one process, raw samples."""

from __future__ import annotations

import gc
import importlib
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgezoo.devices.runners.inputs import random_inputs
from edgezoo.devices.runners.memory import peak_memory_mib
from edgezoo.devices.runners.session import Runner, RunnerError, Session
from edgezoo.measurement import ProcessSamples
from edgezoo.plan import Plan

NS_PER_MS = 1e6


def time_model(runner: Runner, path: Path, plan: Plan) -> tuple[Session, ProcessSamples]:
    """Load ``path``, run it as ``plan`` says, and return the session with the raw samples.

    The load time excludes importing the runtime, the first run is counted apart from the
    warm-up, and outputs are checked once after it. Raises ``RunnerError``.
    """
    importlib.import_module(runner.module)
    started_at = time.time()
    before_mib = peak_memory_mib()
    start_ns = time.perf_counter_ns()
    session = runner.open(path, plan)
    load_ms = (time.perf_counter_ns() - start_ns) / NS_PER_MS
    session.feed(random_inputs(session.inputs, plan.seed))
    first_ms = _wall_ms(session.invoke)
    for _ in range(plan.warmup):
        session.invoke()
    _check_finite(session.outputs())
    switches = _involuntary_switches()
    wall_ms, cpu_ms = _timed_runs(session.invoke, plan)
    return session, ProcessSamples(
        wall_ms=wall_ms,
        cpu_ms=cpu_ms,
        load_ms=load_ms,
        first_ms=first_ms,
        peak_memory_mib=peak_memory_mib(),
        involuntary_switches=_involuntary_switches() - switches,
        started_at=started_at,
        memory_before_mib=before_mib,
    )


def _timed_runs(
    invoke: Callable[[], object], plan: Plan
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return wall and CPU milliseconds (all threads) of each run.

    The garbage collector is off, because its pauses are Python's and not the runtime's.
    """
    wall_ms: list[float] = []
    cpu_ms: list[float] = []
    gc.disable()
    deadline = time.perf_counter() + plan.min_seconds
    while len(wall_ms) < plan.runs or time.perf_counter() < deadline:
        cpu_start = time.process_time_ns()
        wall_start = time.perf_counter_ns()
        invoke()
        wall_end = time.perf_counter_ns()
        cpu_ms.append((time.process_time_ns() - cpu_start) / NS_PER_MS)
        wall_ms.append((wall_end - wall_start) / NS_PER_MS)
    gc.enable()
    return tuple(wall_ms), tuple(cpu_ms)


def _wall_ms(invoke: Callable[[], object]) -> float:
    start_ns = time.perf_counter_ns()
    invoke()
    return (time.perf_counter_ns() - start_ns) / NS_PER_MS


def _check_finite(outputs: Sequence[NDArray[Any]]) -> None:
    for index, output in enumerate(outputs):
        if output.dtype.kind == "f" and not np.isfinite(output).all():
            count = int(output.size - np.isfinite(output).sum())
            message = f"{count} of {output.size} values of output {index} are NaN or infinite"
            raise RunnerError("non_finite_output", message)


def _involuntary_switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
