"""One fresh process per request: start it, wait with a deadline, say in words how it ended.

A result counts only if the process ended with code 0 **and** wrote a complete report. Anything
else is a failure with a class, never a number.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgezoo.decode import from_json
from edgezoo.devices.outcome import Report, failed
from edgezoo.devices.runners.child import MARKER, MODULE, PARENT, Request
from edgezoo.types import to_json

SHOWN_BYTES = 300
VMSTAT = Path("/proc/vmstat")


def command(request: Request) -> tuple[str, ...]:
    """Return the argument list of the process; -P keeps the current folder off its path."""
    return (sys.executable, "-P", "-m", MODULE, json.dumps(to_json(request)))


def run_process(request: Request) -> Report:
    """Run one request in a fresh process, as ``run_command`` does."""
    return run_command(command(request), request.plan.timeout_s, request.plan.runs)


def run_command(argv: Sequence[str], timeout_s: float, runs: int) -> Report:
    """Run one process that prints a report of at least ``runs`` samples.

    Failures come back as reports, none is raised. Only the process started here is ever killed:
    after ``timeout_s``, or when this one is interrupted.
    """
    kills = _memory_kills()
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    ) as process:
        stdout, stderr, in_time = _wait(process, timeout_s)
    code, printed = process.returncode, stdout + stderr
    if not in_time:
        message = f"it did not end within {timeout_s:g} s and was stopped"
        return failed("timeout", message + _shown(printed))
    if code == 0:
        return parse_report(stdout, printed, runs)
    if code == -signal.SIGKILL and _memory_kills() > kills:
        return failed("out_of_memory", "the kernel stopped it, because memory ran out")
    return failed("crash", f"it ended with {_ending(code)}{_shown(printed)}")


def parse_report(stdout: bytes, printed: bytes, runs: int) -> Report:
    """Return the report in ``stdout``, which is not trusted: cut, mixed or garbled is a failure.

    ``printed`` is all output, to be shown; ``runs`` the fewest samples a report must hold.
    """
    line = stdout.rpartition(MARKER.encode())[2]
    if MARKER.encode() not in stdout or not line.endswith(b"\n"):
        return failed("bad_output", f"it wrote no complete report{_shown(printed)}")
    try:
        report = from_json(Report, json.loads(line))
    except (ValueError, RecursionError) as error:
        return failed("bad_output", f"its report cannot be read ({error}){_shown(printed)}")
    if report.samples is None and report.profile is None and report.failure_class is None:
        return failed("bad_output", "its report holds neither numbers nor a failure")
    if report.samples is not None:
        wall_ms, cpu_ms = report.samples.wall_ms, report.samples.cpu_ms
        if len(wall_ms) < runs or len(cpu_ms) != len(wall_ms) or min(wall_ms) <= 0:
            return failed("bad_output", f"its report holds {len(wall_ms)} of {runs} valid samples")
    return report


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[bytes, bytes, bool]:
    """Return what the process printed on both streams and whether it ended in time.

    Whatever interrupts the waiting, the process is gone and reaped afterwards;
    ``subprocess.run`` would leave it behind on Ctrl-C.
    """
    try:
        return *process.communicate(timeout=timeout_s), True
    except subprocess.TimeoutExpired:
        process.kill()
        return *process.communicate(), False
    finally:
        process.kill()  # nothing happens to one that has ended
        process.wait()


def child_environment() -> dict[str, str]:
    """Return the environment in which the child finds the very modules of this process."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {**os.environ, "PYTHONPATH": path, PARENT: str(os.getpid())}


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # real-time signals have no name
        return f"signal {-code}"


def _shown(printed: bytes) -> str:
    """Return the end of what a process printed, as part of a sentence."""
    text = " ".join(printed[-SHOWN_BYTES:].decode(errors="replace").split())
    return f"; it printed last: {text}" if text else ""


def _memory_kills() -> int:
    """Return how many processes the kernel has killed for want of memory; 0 where unknown."""
    try:
        lines = VMSTAT.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
