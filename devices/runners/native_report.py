"""What the C runner reports: the line of JSON behind its benchmark_model text, equally distrusted.

The text is judged first (``benchmark_judge``); the JSON adds raw samples and has to agree with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgezoo.decode import from_json
from edgezoo.devices.failures import Failure
from edgezoo.devices.runners.benchmark_flags import RunRequest
from edgezoo.devices.runners.benchmark_judge import Ended, judge
from edgezoo.devices.runners.benchmark_log import BenchmarkLog
from edgezoo.devices.runners.benchmark_timing import LONGEST_US, SIX_DIGITS, RunStatistics
from edgezoo.devices.runners.results import log_sha256
from edgezoo.measurement import ProcessSamples

MARKER = b"EDGEZOO_JSON "
SCHEMA = 1
LARGEST_KIB = 1 << 32  # 4 TiB
# Of the line of JSON, whose samples an energy run of a quick model makes long; transports read no more.
LARGEST_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class NativeOutput:
    """One output tensor after the last run; ``fnv1a`` is the 64-bit FNV-1a hash of its bytes."""

    bytes: int
    fnv1a: str


@dataclass(frozen=True, slots=True)
class NativeReport:
    """The line of JSON, as the runner names things.

    Times are microseconds of wall clock, ``cpu_us`` those of all threads together; memory is the
    peak of the resident set. ``affinity`` is the mask really in force, hexadecimal.
    ``operators`` is -1 and ``version`` ``None`` where the library does not tell. Faults and
    switches are those of the timed phase.
    """

    schema: int
    runtime: str
    version: str | None
    delegate: str
    fully_delegated: bool
    operators: int
    threads: int
    seed: int
    affinity: str
    load_us: float
    first_us: float
    peak_memory_kib: int
    memory_before_kib: int
    minor_faults: int
    involuntary_switches: int
    started_at: float
    outputs: tuple[NativeOutput, ...]
    samples_us: tuple[float, ...]
    cpu_us: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class NativeJudgement:
    """Either ``samples`` with the report and the delegate they belong to, or a ``failure``."""

    log: BenchmarkLog
    samples: ProcessSamples | None
    report: NativeReport | None
    delegate: Mapping[str, Any]
    failure: Failure | None


def judge_native(ended: Ended, request: RunRequest) -> NativeJudgement:
    """Return the raw samples of a run of the C runner that did what was asked, or why not."""
    judgement = judge(replace(ended, stdout=_text(ended.stdout)), request)
    log, failure = judgement.log, judgement.failure
    report: NativeReport | Failure
    if failure is not None or judgement.numbers is None:
        return NativeJudgement(log, None, None, {}, failure)
    report = parse_native_report(ended.stdout)
    if isinstance(report, Failure):
        return NativeJudgement(log, None, None, {}, report)
    wrong = _contradiction(report, judgement.numbers.timed, request)
    if wrong is not None:
        return NativeJudgement(log, None, None, {}, Failure("bad_output", wrong))
    return NativeJudgement(log, _samples(report, ended), report, _delegate(report, request), None)


def _text(stdout: bytes) -> bytes:
    """Return what is benchmark_model's in ``stdout``: all but the line of JSON."""
    before, _, rest = stdout.partition(MARKER)
    return before + rest.partition(b"\n")[2]


def parse_native_report(stdout: bytes) -> NativeReport | Failure:
    """Return the one complete line of JSON in ``stdout``, or what is wrong; never raises."""
    if len(stdout) > LARGEST_BYTES:
        return Failure("bad_output", f"it printed more than {LARGEST_BYTES >> 20} MiB")
    before, marker, line = stdout.partition(MARKER)
    if not marker or (before and not before.endswith(b"\n")):
        return Failure("incomplete_log", "its log ends before the samples")
    if MARKER in line:
        return Failure("bad_output", "its log holds more than one report")
    text, newline, _ = line.partition(b"\n")
    if not newline:
        return Failure("incomplete_log", "its log ends within the samples")
    try:
        return from_json(NativeReport, json.loads(text))
    # Deep nesting and integers beyond a float, which hostile output may hold.
    except (ValueError, RecursionError, OverflowError) as error:
        return Failure("bad_output", f"its report cannot be read ({str(error)[:200]})")


def _contradiction(report: NativeReport, timed: RunStatistics, request: RunRequest) -> str | None:
    """Return in what the report contradicts itself, its own text or the request, or ``None``."""
    samples, cpu = report.samples_us, report.cpu_us
    if report.schema != SCHEMA:
        return f"its report has version {report.schema} where {SCHEMA} is known"
    if len(samples) != timed.count or len(cpu) != len(samples):
        return f"its report holds {len(samples)} samples of {timed.count} runs"
    if min(samples) <= 0 or max(samples) > LONGEST_US or min(cpu) < 0 or max(cpu) > LONGEST_US:
        return "its report holds samples that cannot be true"
    average = math.fsum(samples) / len(samples)
    # The text holds whole microseconds, so that averages differ by half of one at most.
    if not math.isclose(average, timed.avg_us, rel_tol=SIX_DIGITS, abs_tol=0.51):
        return f"its samples average {average:g} us where its text says {timed.avg_us:g} us"
    if report.threads != request.threads:
        return f"it ran {report.threads} threads where {request.threads} were asked for"
    durations = (report.load_us, report.first_us)
    if not all(0 < duration <= LONGEST_US for duration in durations):
        return "its load time or first inference cannot be true"
    if not 0 <= report.memory_before_kib <= report.peak_memory_kib <= LARGEST_KIB:
        return f"its peak memory of {report.peak_memory_kib} KiB cannot be true"
    if min(report.minor_faults, report.involuntary_switches) < 0:
        return "its counters are negative"
    return None


def _samples(report: NativeReport, ended: Ended) -> ProcessSamples:
    return ProcessSamples(
        wall_ms=tuple(us / 1000 for us in report.samples_us),
        cpu_ms=tuple(us / 1000 for us in report.cpu_us),
        load_ms=report.load_us / 1000,
        first_ms=report.first_us / 1000,
        peak_memory_mib=report.peak_memory_kib / 1024,
        involuntary_switches=report.involuntary_switches,
        started_at=report.started_at,
        memory_before_mib=report.memory_before_kib / 1024,
        log_sha256=log_sha256(ended),
    )


def _delegate(report: NativeReport, request: RunRequest) -> Mapping[str, Any]:
    """Return the same keys as ``delegation``; LiteRT only tells whether XNNPACK took all."""
    whole = report.fully_delegated
    known = report.operators if whole and report.operators >= 0 else None
    return {
        "requested": request.backend,
        "used": report.delegate if whole else "unknown",
        "delegated_ops": known,
        "total_ops": report.operators if report.operators >= 0 else None,
        "partitions": None,
        "extent": "completely" if whole else None,
        "also": [],
    }
