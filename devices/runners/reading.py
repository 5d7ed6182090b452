"""From how a runner's process ended to a report: samples or aggregates, or a failure.

The judges decide; this only chooses the one for the tool and puts its answer into the nouns.
"""

from __future__ import annotations

from dataclasses import replace

from edgezoo.devices.failures import ADVICE, Failure
from edgezoo.devices.outcome import Report
from edgezoo.devices.runners.benchmark_flags import Flags, RunRequest, parse_usage
from edgezoo.devices.runners.benchmark_judge import Ended, judge
from edgezoo.devices.runners.benchmark_profile import parse_profiles
from edgezoo.devices.runners.binaries import Tool
from edgezoo.devices.runners.native_report import judge_native
from edgezoo.devices.runners.results import US_PER_MS, aggregated, log_sha256, profile_of
from edgezoo.errors import BenchmarkError

TOO_OLD = Failure(
    "flag_refused",
    "this benchmark_model prints no median, and under pre-emption a mean is worth nothing",
)
NOT_STARTED = ("library_missing", "wrong_abi", "exec_denied", "runner_missing")


def read_process(tool: Tool, ended: Ended, request: RunRequest, started_at: float) -> Report:
    """Return the report of one process of ``tool``; ``started_at`` is seconds since 1970."""
    if tool == "edgezoo":
        native = judge_native(ended, request)
        if native.samples is None:
            return _failed(native.failure)
        return Report(replace(native.samples, log_sha256=log_sha256(ended)), native.delegate)
    judgement = judge(ended, request)
    numbers = judgement.numbers
    if numbers is None:
        return _failed(judgement.failure)
    if numbers.timed.median_us is None:
        return _failed(TOO_OLD)
    profile = None
    if request.profile:
        tables, whole_ms = parse_profiles(ended.stdout), numbers.timed.avg_us / US_PER_MS
        profile = profile_of(tables, accelerator=numbers.delegate["used"], whole_ms=whole_ms)
    return Report(aggregated(numbers, ended, started_at), numbers.delegate, profile=profile)


def read_usage(ended: Ended) -> Flags | Failure:
    """Return the flags that a runner printed when it was asked for them, or why it did not.

    It ends with 1 where all is well. How it ended comes first: half a usage text is none.
    """
    crashed = ended.code is None or not 0 <= ended.code <= 128
    if not crashed:
        try:
            return parse_usage(ended.stdout + ended.stderr)
        except BenchmarkError as error:
            failure = judge(ended, RunRequest("")).failure
            if failure is None or failure.failure_class not in NOT_STARTED:
                return Failure("bad_output", str(error))
            return failure
    failure = judge(ended, RunRequest("")).failure
    return failure or Failure("crash", "it ended before it told its flags")


def _failed(failure: Failure | None) -> Report:
    assert failure is not None  # the judges give numbers or a failure
    message = f"{failure.message}; {ADVICE[failure.failure_class]}"
    return Report(None, {}, failure.failure_class, message)
