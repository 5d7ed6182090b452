"""From a runner's words to the nouns of measuring (``edgezoo.measurement``), in milliseconds."""

from __future__ import annotations

import hashlib

from edgezoo.devices.runners.benchmark_judge import Ended, Numbers
from edgezoo.devices.runners.benchmark_profile import OpTiming
from edgezoo.devices.runners.benchmark_profile import Profile as Tables
from edgezoo.devices.runners.benchmark_timing import RunStatistics
from edgezoo.devices.runners.delegation import accelerator_named
from edgezoo.measurement import Aggregates, OpTime, ProcessSamples, Profile

US_PER_MS = 1000.0


def log_sha256(ended: Ended) -> str:
    """Return the hash of all that the process printed, standard output first."""
    return hashlib.sha256(ended.stdout + ended.stderr).hexdigest()


def aggregated(numbers: Numbers, ended: Ended, started_at: float) -> ProcessSamples:
    """Return what benchmark_model tells of one process: no samples, but their statistics.

    ``started_at`` is seconds since 1970. The peak memory is ``None`` unless it was asked for
    (``RunRequest.memory``).
    """
    first_us = numbers.timed.first_us if numbers.first_us is None else numbers.first_us
    return ProcessSamples(
        wall_ms=(),
        cpu_ms=(),
        load_ms=numbers.init_us / US_PER_MS,
        first_ms=first_us / US_PER_MS,
        peak_memory_mib=numbers.memory.peak_mib,
        involuntary_switches=None,
        started_at=started_at,
        aggregates=_aggregates(numbers.timed),
        log_sha256=log_sha256(ended),
    )


def _aggregates(timed: RunStatistics) -> Aggregates:
    def milliseconds(value_us: float | None) -> float | None:
        return None if value_us is None else value_us / US_PER_MS

    return Aggregates(
        count=timed.count,
        mean=timed.avg_us / US_PER_MS,
        minimum=timed.min_us / US_PER_MS,
        maximum=timed.max_us / US_PER_MS,
        deviation=timed.std_us / US_PER_MS,
        median=milliseconds(timed.median_us),
        p5=milliseconds(timed.p5_us),
        p95=milliseconds(timed.p95_us),
    )


# How benchmark_model marks the operators inside a delegate; one that does not tell its operators is a
# single node with the delegate's type ("TfLiteGpuDelegateV2").
DELEGATE_PREFIX, DELEGATE_TYPE = "Delegate/", "Delegate"
BUILT_IN = "built-in kernels"


def profile_of(
    tables: tuple[Tables, ...], *, accelerator: str | None = None, whole_ms: float | None = None
) -> Profile | None:
    """Return the regular runs' table, or ``None`` where it is missing or was cut.

    ``accelerator`` is what the delegate of this run is called (``Measurement.delegate["used"]``),
    ``whole_ms`` the mean latency that the same log gives.
    """
    for table in tables:
        if table.phase == "runs" and table.complete and table.total is not None:
            ops = tuple(
                OpTime(
                    row.name,
                    row.node_type,
                    row.avg_ms * row.times_called,  # the table has the time per call
                    row.times_called,
                    where=_where(row, accelerator),
                )
                for row in table.run_order
            )
            return Profile(ops, table.total.count, whole_ms)
    return None


def _where(row: OpTiming, accelerator: str | None) -> str:
    if DELEGATE_TYPE in row.node_type:
        return accelerator_named(row.node_type)
    return (accelerator or "delegate") if row.name.startswith(DELEGATE_PREFIX) else BUILT_IN
