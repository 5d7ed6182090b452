"""Makes a command slower by a known share, from outside: it is stopped for a moment, again and again.

The moments are far shorter than an inference, so that every inference gets its share of them. A CPU
quota does not do it. Tried on Linux 6.18 with a 9.4 ms network: 10 ms in 11 left the median as it was
(1.02 times: most inferences fit between two waits), and 1 ms in 1.1, the finest that the kernel takes,
made it 1.9 times as long, because quotas are settled at the kernel's ticks of 4 ms.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence

STOPPED_S = 0.0005


def run(argv: Sequence[str], share: float) -> subprocess.CompletedProcess[str]:
    """Run a command that takes ``1 + share`` times as long, and return how it ended."""
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        ended = threading.Event()
        stopper = threading.Thread(target=_stop_and_go, args=(process.pid, share, ended))
        stopper.start()
        try:
            output, errors = process.communicate()
        except BaseException:  # Ctrl-C does not reach a group of its own
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            ended.set()
            stopper.join()
    return subprocess.CompletedProcess(argv, process.returncode, output, errors)


def _stop_and_go(group: int, share: float, ended: threading.Event) -> None:
    """Stop the process group, which is the command's own, and let it go on."""
    while not ended.is_set():
        try:
            os.killpg(group, signal.SIGSTOP)
            began = time.perf_counter()
            time.sleep(STOPPED_S)
            stopped_s = time.perf_counter() - began
            os.killpg(group, signal.SIGCONT)
        except ProcessLookupError:
            return
        time.sleep(stopped_s / share)
