"""What TFLite's ``benchmark_model`` printed, as facts; hostile bytes in, frozen data out.

Grammar: tensorflow/lite/tools/benchmark/benchmark_model.cc and tsl/util/stats_calculator.h. The
tool runs two phases with the same headers: warm-up, then the timed one. A log that was cut after
the second header still holds a line of statistics, the warm-up's, which a parser that looks for
the last ``count=`` takes for the result. Numbers are therefore given only for a log of two
headers, each with its statistics, and the summary that repeats them (``BenchmarkLog.timed``).

The tool writes to standard output, the runtime (which delegate took how much) to standard error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edgezoo.devices.failures import Failure
from edgezoo.devices.runners.benchmark_timing import (
    Event,
    RunStatistics,
    Timing,
    read_timing,
    timing_event,
)
from edgezoo.devices.runners.log_lines import LARGEST_LOG_BYTES, NUMBER, Line, lines, too_large

MOST_KEPT = 100  # of each kind of fact
MOST_SHOWN = 300  # characters of each


@dataclass(frozen=True, slots=True)
class Replacement:
    """A delegate that took ``nodes`` of the ``total`` nodes of a subgraph, in ``partitions``.

    ``partitions`` is ``None`` in the wording of old GPU delegates.
    """

    delegate: str
    nodes: int
    total: int
    partitions: int | None = None
    subgraph: int = 0


@dataclass(frozen=True, slots=True)
class Application:
    """What the tool says of a delegate it was told to apply: ``completely``, ``partially``, ``not``."""

    delegate: str
    extent: str
    kernels: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in MiB (which the tool calls MB).

    ``init`` and ``overall`` are what was added since the start of the tool, or in old versions
    the peak itself; ``peak`` was sampled by a thread that disturbs the timing; the rest is the
    resident set at the end.
    """

    init_mib: float | None = None
    overall_mib: float | None = None
    peak_mib: float | None = None
    resident_mib: float | None = None
    anonymous_mib: float | None = None
    file_mib: float | None = None


@dataclass(frozen=True, slots=True)
class BenchmarkLog:
    """Everything that was understood.

    ``warmup`` and ``timed`` are in microseconds, ``timed`` is ``None`` unless the log is complete
    and its numbers agree with each other; ``problem`` then says what is wrong. ``complete`` is
    about the log's shape alone: a dry run is complete, and not a number. ``settings`` are the
    parameters as the tool echoes them, ``refused_flags`` those it did not know or read twice,
    ``duplicate_flags`` those that it declares twice itself (harmless where given once).
    ``refusals`` are sentences in which a delegate gave up.
    """

    complete: bool
    problem: Failure | None
    timed: RunStatistics | None
    warmup: RunStatistics | None
    init_us: float | None
    first_us: float | None
    session_ms: float | None
    started: bool
    runtime_spoke: bool
    settings: Mapping[str, str]
    memory: Memory
    replacements: tuple[Replacement, ...]
    applications: tuple[Application, ...]
    refusals: tuple[str, ...]
    refused_flags: tuple[str, ...]
    duplicate_flags: tuple[str, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Facts:
    """What has been read so far; every list stops growing at ``MOST_KEPT``."""

    started: bool = False
    runtime_spoke: bool = False
    session_ms: float | None = None
    settings: dict[str, str] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    replacements: dict[tuple[str, int], Replacement] = field(default_factory=dict)
    applications: list[Application] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    refused_flags: list[str] = field(default_factory=list)
    duplicate_flags: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def parse_log(stdout: bytes, stderr: bytes = b"") -> BenchmarkLog:
    """Return the facts in the two streams; both may be one (``2>&1``, logcat) in either argument.

    Never raises. Time and memory grow linearly with what was printed, up to a limit.
    """
    facts = _Facts()
    events: list[Event] = []
    for data in (stdout, stderr):
        for line in lines(data):
            event = timing_event(line.text)
            if event is None:
                _note(facts, line)
            elif len(events) < MOST_KEPT:
                events.append(event)
    timing = read_timing(events)
    if too_large(stdout) or too_large(stderr):
        limit = f"it printed more than {LARGEST_LOG_BYTES >> 20} MiB"
        timing = Timing(False, Failure("bad_output", limit), None, None, None, None)
    return _log(timing, facts)


def _log(timing: Timing, facts: _Facts) -> BenchmarkLog:
    return BenchmarkLog(
        complete=timing.complete,
        problem=timing.problem,
        timed=timing.timed,
        warmup=timing.warmup,
        init_us=timing.init_us,
        first_us=timing.first_us,
        session_ms=facts.session_ms,
        started=facts.started,
        runtime_spoke=facts.runtime_spoke,
        settings=facts.settings,
        memory=Memory(**facts.memory),
        replacements=tuple(facts.replacements.values()),
        applications=tuple(facts.applications),
        refusals=tuple(facts.refusals),
        refused_flags=tuple(facts.refused_flags),
        duplicate_flags=tuple(facts.duplicate_flags),
        errors=tuple(facts.errors),
        warnings=tuple(facts.warnings),
    )


# Errors without a severity: of old versions, of the shell and of the dynamic loader.
_ERRORS = re.compile(
    r"Benchmarking failed|Failed to (?:apply|load|invoke|allocate|parse flag|construct)"
    r"|failed to (?:invoke|prepare)|Didn't find op for builtin opcode"
    r"|Encountered unresolved custom op|Could not open '|not a valid Flatbuffer"
    r"|Please specify the name of your TF Lite input file|bad_alloc|CANNOT LINK EXECUTABLE"
    r"|error while loading shared libraries|not executable: |Exec format error|can't execute"
    r"|Permission denied|inaccessible or not found|^(?:.*: )?not found$"
    r"|^(?:Segmentation fault|Aborted|Killed|Illegal instruction|Bus error)"
)
_REFUSALS = re.compile(
    r"NNAPI acceleration is unsupported|Delegate is not supported|Could not create .{1,60} delegate"
    r"|Created 0 GPU delegate kernels|elegate is not initialized"
    r"|Restored original execution plan after delegate application failure"
    r"|^Failed to apply .{1,60} delegate|the model graph will not be executed by the delegate"
    r"|Following operations are not supported by"
)
_RESTORED = "Restored original execution plan"
_RUNTIME = re.compile(r"Initialized TensorFlow Lite runtime|Created TensorFlow Lite |Replacing \d")
_SETTING = re.compile(r"([#\w][^:\[\]]{0,80}?) ?: \[(.{0,1000})\]")


def _note(facts: _Facts, line: Line) -> None:
    """Add what one line says to ``facts``."""
    text = line.text.strip()
    if not text:
        return
    if text == "STARTING!":
        facts.started = True
    if _RUNTIME.search(text):
        facts.runtime_spoke = True
    for pattern, handle in _STATEMENTS:
        if (found := pattern.match(text)) is not None:
            handle(facts, found)
            break
    if line.severity in ("ERROR", "FATAL") or _ERRORS.search(text):
        _keep(facts.errors, text)
    elif line.severity in ("WARN", "WARNING"):
        _keep(facts.warnings, text)
    if _REFUSALS.search(text):
        _keep(facts.refusals, text)
    if text.startswith(_RESTORED):  # what the delegate had taken is back on the CPU
        facts.replacements.clear()


def _keep(kept: list[str], text: str) -> None:
    if len(kept) < MOST_KEPT:
        shown = (char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
        kept.append("".join(shown)[:MOST_SHOWN])


def _setting(facts: _Facts, found: re.Match[str]) -> None:
    if len(facts.settings) < MOST_KEPT:
        facts.settings.setdefault(found[1], found[2][:MOST_SHOWN])


def _replaced(facts: _Facts, found: re.Match[str]) -> None:
    nodes, total, partitions = int(found[1]), int(found[2]), int(found[4])
    subgraph = int(found[5] or 0)
    key = (found[3], subgraph)  # a delegate that is applied again replaces its first word
    if len(facts.replacements) < MOST_KEPT and nodes <= total:
        facts.replacements[key] = Replacement(found[3], nodes, total, partitions, subgraph)


def _split(facts: _Facts, found: re.Match[str]) -> None:
    nodes, rest = int(found[1]), int(found[2])
    facts.replacements.setdefault(("GPU", 0), Replacement("GPU", nodes, nodes + rest))


def _applied(facts: _Facts, found: re.Match[str]) -> None:
    if len(facts.applications) < MOST_KEPT:
        kernels = int(found[3]) if found[3] else None
        facts.applications.append(Application(found[1], found[2], kernels))


def _not_applied(facts: _Facts, found: re.Match[str]) -> None:
    if len(facts.applications) < MOST_KEPT:
        facts.applications.append(Application(found[1], "not"))


def _memory(*names: str) -> Callable[[_Facts, re.Match[str]], None]:
    def handle(facts: _Facts, found: re.Match[str]) -> None:
        for name, value in zip(names, found.groups(), strict=True):
            facts.memory[name] = float(value)

    return handle


def _session(facts: _Facts, found: re.Match[str]) -> None:
    facts.session_ms = float(found[1])


def _unconsumed(facts: _Facts, found: re.Match[str]) -> None:
    for flag in found[1].split()[:MOST_KEPT]:
        _keep(facts.refused_flags, flag)


def _duplicate(facts: _Facts, found: re.Match[str]) -> None:
    for flag in re.split(r"[,\s]+", found[1].strip())[:MOST_KEPT]:
        _keep(facts.duplicate_flags, flag)


_MIB = rf"({NUMBER})"
_STATEMENTS: tuple[tuple[re.Pattern[str], Callable[[_Facts, re.Match[str]], None]], ...] = tuple(
    (re.compile(pattern), handle)
    for pattern, handle in (
        (
            r"Replacing (\d{1,9}) out of (\d{1,9}) node\(s\) with delegate \((\S{1,80})\) node, "
            r"yielding (\d{1,9}) partitions(?: for (?:the whole graph|subgraph (\d{1,9})))?",
            _replaced,
        ),
        (
            r"(\d{1,9}) operations will run on the GPU, and the remaining (\d{1,9}) operations",
            _split,
        ),
        (
            r"Explicitly applied (.{1,40}) delegate, and the model graph will be "
            r"(completely|partially) executed by the delegate(?: w/ (\d{1,9}) delegate kernels)?",
            _applied,
        ),
        (
            r"Though (.{1,40}) delegate is explicitly applied, "
            r"the model graph will not be executed by the delegate",
            _not_applied,
        ),
        (
            rf"(?:Peak memory footprint|Memory footprint delta from the start of the tool) "
            rf"\(MB\): init={_MIB} overall={_MIB}$",
            _memory("init_mib", "overall_mib"),
        ),
        (
            rf"Overall peak memory footprint \(MB\) via periodic monitoring: {_MIB}$",
            _memory("peak_mib"),
        ),
        (rf"- VmRSS +: {_MIB} MB$", _memory("resident_mib")),
        (rf"\+ RssAnno?n +: {_MIB} MB$", _memory("anonymous_mib")),
        (rf"\+ RssFile \+ RssShmem +: {_MIB} MB$", _memory("file_mib")),
        (rf"Initialized session in {_MIB}ms", _session),
        (r"Unconsumed cmdline flags: (.+)", _unconsumed),
        (r"Duplicate flags: (.+)", _duplicate),
        (_SETTING.pattern + "$", _setting),
    )
)
