"""Makes a command slower by a known share, from outside: a CPU quota, or stops and continues.

Both leave the program untouched. The period is about a millisecond, far below an inference: a quota
of 91 ms in 100 ms would leave nine inferences of ten as they are and double the tenth, which moves the
mean and not the median.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Method = Literal["quota", "stop"]
V1, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
QUOTA_US = 1000  # the least that the kernel takes
STOPPED_S = 0.001
# Move itself into the group, then become the command.
ENTER = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])"


def methods() -> tuple[Method, ...]:
    """Return what works here, the better one first."""
    try:
        with _group(0.1):
            return "quota", "stop"
    except OSError:
        return ("stop",)


def run(argv: Sequence[str], share: float, method: Method) -> subprocess.CompletedProcess[str]:
    """Run a command that takes ``1 + share`` times as long, and return how it ended."""
    if method == "quota":
        with _group(share) as group:
            entering = [sys.executable, "-c", ENTER, str(group / "cgroup.procs"), *argv]
            return subprocess.run(entering, capture_output=True, text=True)
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        ended = threading.Event()
        stopper = threading.Thread(target=_stop_and_go, args=(process.pid, share, ended))
        stopper.start()
        try:
            output, errors = process.communicate()
        finally:
            ended.set()
            stopper.join()
    return subprocess.CompletedProcess(argv, process.returncode, output, errors)


@contextmanager
def _group(share: float) -> Iterator[Path]:
    """A control group of our own with a quota of one core's ``1 / (1 + share)``; raises ``OSError``."""
    period_us = round(QUOTA_US * (1 + share))
    unified = (V2 / "cgroup.controllers").exists()
    group = (V2 if unified else V1) / f"edgezoo-{os.getpid()}"
    group.mkdir()
    try:
        if unified:
            (group / "cpu.max").write_text(f"{QUOTA_US} {period_us}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(period_us))
            (group / "cpu.cfs_quota_us").write_text(str(QUOTA_US))
        yield group
    finally:
        group.rmdir()


def _stop_and_go(group: int, share: float, ended: threading.Event) -> None:
    """Stop a process group of ours for a millisecond, again and again."""
    while not ended.is_set():
        began = time.perf_counter()
        try:
            os.killpg(group, signal.SIGSTOP)
            time.sleep(STOPPED_S)
            os.killpg(group, signal.SIGCONT)
        except ProcessLookupError:
            return
        stopped_s = time.perf_counter() - began
        ended.wait(stopped_s / share)
