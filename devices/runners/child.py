"""What runs inside the fresh process: ``python -P -m edgezoo.devices.runners.child REQUEST``.

The request is an argument and not on standard input, so that the command in a stored measurement
is the whole command. The report is one line of JSON behind ``MARKER``; runtimes print what they
like around it. Nothing here may import torch, onnx or the command line: it would count as memory
of the measured model.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgezoo.decode import from_json
from edgezoo.devices.outcome import Report
from edgezoo.devices.runners.session import RunnerError
from edgezoo.devices.runners.table import RUNNERS
from edgezoo.measurement import MeasuredFormat
from edgezoo.plan import Plan
from edgezoo.types import to_json

MODULE = "edgezoo.devices.runners.child"
MARKER = "EDGEZOO_REPORT "
PARENT = "EDGEZOO_PARENT"  # the environment's name for the process id to die with
PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class Request:
    """What one process has to do: time a file, or profile it, never both.

    ``cores`` are those of the plan's choice, worked out by the station; none leaves the process to
    the scheduler.
    """

    path: Path
    format: MeasuredFormat
    plan: Plan
    profile: bool = False
    cores: tuple[int, ...] = ()


def main(arguments: Sequence[str]) -> int:
    """Carry out the request in ``arguments`` and print the report; returns the exit code."""
    die_with_parent(os.environ.get(PARENT))
    (text,) = arguments
    request = from_json(Request, json.loads(text))
    bind(request.cores)
    print_report(carry_out(request))
    return 0


def print_report(report: Report) -> None:
    """Print what ``processes`` reads; a runtime may have left a line unfinished before."""
    print(f"\n{MARKER}{json.dumps(to_json(report), allow_nan=False)}", flush=True)


def die_with_parent(parent: str | None) -> None:
    """Let the kernel end this process when the one that waits for it is gone, however that ended.

    The waiting process cannot do it where it is killed, or interrupted while it still starts this
    one. Does nothing without ``parent`` (a command that was taken from a stored measurement).
    """
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it was gone before
        sys.exit(1)


def bind(cores: Sequence[int]) -> None:
    """Keep this process to ``cores``: the threads that numpy has started, and all later ones."""
    if cores:
        os.sched_setaffinity(0, cores)
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), cores)


def carry_out(request: Request) -> Report:
    """Time or profile the requested model in this process."""
    from edgezoo.devices.runners.timing import time_model

    try:
        if request.profile:
            profile = RUNNERS[request.format].profile(request.path, request.plan)
            return Report(None, {}, profile=profile)
        session, samples = time_model(RUNNERS[request.format], request.path, request.plan)
    except RunnerError as error:
        return Report(None, {}, error.failure_class, str(error))
    except MemoryError:
        return Report(None, {}, "out_of_memory", "Python could not allocate memory")
    return Report(samples, session.delegate)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
