"""From how a run of benchmark_model ended to numbers or to a failure; nothing in between.

The order of the questions matters: how the process ended comes before what it printed, because a
process that was stopped or crashed may have printed anything before, the numbers of another phase
included; and a number is looked at only when nothing speaks against it.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgezoo.devices.failures import Failure, FailureClass
from edgezoo.devices.runners.benchmark_flags import RunRequest
from edgezoo.devices.runners.benchmark_log import BenchmarkLog, Memory, parse_log
from edgezoo.devices.runners.benchmark_timing import RunStatistics
from edgezoo.devices.runners.delegation import delegation, fallback


@dataclass(frozen=True, slots=True)
class Ended:
    """How one process ended, and all it printed.

    ``code`` is the exit code, as a shell gives it (128 + signal) or as Python does (-signal);
    ``None`` if it never came. ``stopped_after_s`` is set if it was stopped for running too long.
    ``memory_killed`` tells whether the system's log names it as killed for want of memory,
    ``None`` if nobody looked.
    """

    code: int | None
    stdout: bytes
    stderr: bytes = b""
    stopped_after_s: float | None = None
    memory_killed: bool | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a run measured; times in microseconds, ``delegate`` as ``Measurement`` holds it."""

    timed: RunStatistics
    warmup: RunStatistics | None
    init_us: float
    first_us: float | None
    memory: Memory
    delegate: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Either ``numbers`` or a ``failure``, and the log they were read from."""

    log: BenchmarkLog
    numbers: Numbers | None
    failure: Failure | None


def judge(ended: Ended, request: RunRequest, *, imported: bool = False) -> Judgement:
    """Return the numbers of a run that did exactly what was asked, or why there are none.

    Of an ``imported`` log nobody knows what threads and runs were asked for.
    """
    log = parse_log(ended.stdout, ended.stderr)
    for question in _QUESTIONS:
        if imported and question is _asked:
            continue
        failure = question(ended, request, log)
        if failure is not None:
            return Judgement(log, None, failure)
    assert log.timed is not None and log.init_us is not None  # see _incomplete
    numbers = Numbers(
        timed=log.timed,
        warmup=log.warmup,
        init_us=log.init_us,
        first_us=log.first_us,
        memory=log.memory,
        delegate=delegation(log, request),
    )
    return Judgement(log, numbers, None)


def _stopped(ended: Ended, request: RunRequest, log: BenchmarkLog) -> Failure | None:
    if ended.stopped_after_s is None:
        return None
    where = log.problem.message if log.problem is not None else "its log is complete"
    limit = f"it did not end within {ended.stopped_after_s:g} s and was stopped"
    return Failure("timeout", f"{limit} ({where})")


# What the shell and the loader say when the program does not even start. Android's mksh prints
# "/system/bin/sh: X: …", Debian's the same behind "E: ", so only the stable tails are matched.
_NOT_STARTED: tuple[tuple[FailureClass, str, str], ...] = (
    (
        "library_missing",
        r"CANNOT LINK EXECUTABLE|error while loading shared libraries",
        "a library it needs was not found",
    ),
    (
        "wrong_abi",
        r"not executable: (?:32|64)-bit ELF file|Exec format error|cannot execute binary file",
        "it was built for another processor or another system",
    ),
    (
        "exec_denied",
        r"can't execute: Permission denied|Permission denied$",
        "it may not be executed",
    ),
    (
        "runner_missing",
        r"inaccessible or not found|: not found$|No such file or directory$",
        "the runner, or the loader it names, was not found",
    ),
)
_CODES: Mapping[int, FailureClass] = {126: "exec_denied", 127: "runner_missing"}


def _not_started(ended: Ended, request: RunRequest, log: BenchmarkLog) -> Failure | None:
    if log.started or ended.code == 0:
        return None
    for failure_class, pattern, message in _NOT_STARTED:
        for error in log.errors:
            if re.search(pattern, error):
                return Failure(failure_class, f"{message}: {error}")
    if ended.code is not None and ended.code in _CODES:
        failure_class = _CODES[ended.code]
        message = next(m for c, _, m in _NOT_STARTED if c == failure_class)
        return Failure(failure_class, f"{message} (exit code {ended.code})")
    return None


_SIGNAL_WORDS = {
    "Segmentation fault": signal.SIGSEGV,
    "Illegal instruction": signal.SIGILL,
    "Aborted": signal.SIGABRT,
    "Bus error": signal.SIGBUS,
    "Killed": signal.SIGKILL,
}
_HINTS = {
    signal.SIGILL: ": it was built for a newer processor",
    signal.SIGABRT: ": it gave up by itself",
}


def _signalled(ended: Ended, request: RunRequest, log: BenchmarkLog) -> Failure | None:
    number = _signal_number(ended.code)
    if number is None and ended.code is None:  # the exit code was lost, the shell's word was not
        words = (w for w in _SIGNAL_WORDS for e in log.errors if e.startswith(w))
        number = next((_SIGNAL_WORDS[word] for word in words), None)
    if number is None:
        return None
    if any(re.search(_OUT_OF_MEMORY, error) for error in log.errors):
        return Failure("out_of_memory", f"it could not allocate memory{_shown(log)}")
    if number == signal.SIGKILL and ended.memory_killed is not False:
        certain = "because memory ran out"
        likely = "most likely because memory ran out (look for lowmemorykiller in logcat)"
        reason = certain if ended.memory_killed else likely
        return Failure("out_of_memory", f"the system killed it, {reason}")
    try:
        name = signal.Signals(number).name
    except ValueError:  # real-time signals have no name
        name = f"signal {number}"
    hint = _HINTS.get(signal.Signals(number), "") if name.startswith("SIG") else ""
    return Failure("crash", f"it crashed with {name}{hint}{_shown(log)}")


def _signal_number(code: int | None) -> int | None:
    if code is None or code == 0:
        return None
    if code < 0:
        return -code
    return code - 128 if 128 < code <= 128 + 64 else None


_OUT_OF_MEMORY = (
    r"bad_alloc|bad allocation|Cannot allocate memory|[Oo]ut of memory|Failed to allocate memory"
)
# Errors of a program that did start, the telling ones first.
_ERRORS: tuple[tuple[FailureClass, str], ...] = (
    ("out_of_memory", _OUT_OF_MEMORY),
    ("flag_refused", r"Failed to parse flag"),
    ("library_missing", r"Failed to load library"),
    ("non_finite_output", r"values of output \d+ are NaN or infinite"),
    ("run_error", r"[Ff]ailed to invoke"),
    (
        "load_error",
        r"Failed to load model|Could not open '|not a valid Flatbuffer|Failed to allocate tensors"
        r"|Didn't find op|unresolved custom op|Failed to construct interpreter"
        r"|Please specify the name of your TF Lite input file",
    ),
)
_OF_DELEGATES = r"Failed to apply .{1,60} delegate|failed to prepare|elegate is not initialized"


def _failed(ended: Ended, request: RunRequest, log: BenchmarkLog) -> Failure | None:
    """Return what an exit code other than 0 means; and a failed inference, on which it runs on."""
    if ended.code == 0:
        runs = [error for error in log.errors if re.search("[Ff]ailed to invoke", error)]
        return Failure("run_error", f"an inference failed: {runs[0]}") if runs else None
    if request.backend not in ("cpu", "builtin"):
        refused = [error for error in log.errors if re.search(_OF_DELEGATES, error)]
        if refused:
            reason = refused[0].rstrip(".")
            return Failure("delegate_error", f"{request.backend} cannot be used: {reason}")
    for failure_class, pattern in _ERRORS:
        for error in log.errors:
            if re.search(pattern, error):
                return Failure(failure_class, error.rstrip("."))
    if ended.code is None:
        return Failure("incomplete_log", f"its exit code never came{_shown(log)}")
    return Failure("crash", f"it ended with exit code {ended.code}{_shown(log)}")


def _flags(ended: Ended, request: RunRequest, log: BenchmarkLog) -> Failure | None:
    """Return a flag that did nothing: unknown, or given twice."""
    if log.refused_flags:
        return Failure("flag_refused", f"it ignored {' '.join(log.refused_flags)}")
    return None


def _asked(ended: Ended, request: RunRequest, log: BenchmarkLog) -> Failure | None:
    """Return a flag that was read as another value."""
    asked = {"Num threads": request.threads, "Min num runs": request.runs}
    for name, value in asked.items():
        said = log.settings.get(name, str(value))
        if said != str(value):
            return Failure("flag_refused", f"it took {name} as {said} where {value} was asked for")
    return None


def _incomplete(ended: Ended, request: RunRequest, log: BenchmarkLog) -> Failure | None:
    if log.problem is not None:
        return log.problem
    if log.timed is None or log.init_us is None:
        return Failure("incomplete_log", "its log holds no numbers")
    if log.timed.count < request.runs:
        message = f"it made {log.timed.count} of {request.runs} runs"
        return Failure("invalid_numbers", message)
    return None


def _not_accelerated(ended: Ended, request: RunRequest, log: BenchmarkLog) -> Failure | None:
    return fallback(log, request)


_QUESTIONS: tuple[Callable[[Ended, RunRequest, BenchmarkLog], Failure | None], ...] = (
    _stopped,
    _not_started,
    _signalled,
    _failed,
    _flags,
    _asked,
    _incomplete,
    _not_accelerated,
)


def _shown(log: BenchmarkLog) -> str:
    """Return the last error as part of a sentence."""
    errors = [error for error in log.errors if error != "Benchmarking failed."]
    return f"; it printed: {errors[-1]}" if errors else ""
