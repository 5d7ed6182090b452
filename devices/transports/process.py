"""One process on this machine: its bytes, a deadline, and nothing left of it afterwards.

It gets a session of its own. A terminal's Ctrl-C therefore does not reach it, and killing its group
ends what it started, yet nothing that anybody else started.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from edgezoo.devices import stopping

# A runner's log is some kilobytes, a dumpsys a few hundred; more is a program gone wild.
LARGEST_OUTPUT = 32 << 20
CHUNK = 1 << 16
STOP_CHECK_S = 0.25


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process printed and how it ended; ``returncode`` is negative for a signal.

    ``by`` is ``exit`` where it ended by itself; otherwise it was killed, late or for its output.
    """

    stdout: bytes
    stderr: bytes
    returncode: int
    by: Literal["exit", "timeout", "output"]


def run_process(
    command: Sequence[str],
    timeout_s: float,
    stdin: Path | None = None,
    stdout: Path | None = None,
) -> Ended:
    """Run ``command`` to its end or for ``timeout_s``; raise ``OSError`` where it does not start.

    ``stdin`` and ``stdout`` are files to read from and to write to instead of nothing and memory.
    """
    with contextlib.ExitStack() as stack:
        source = subprocess.DEVNULL if stdin is None else stack.enter_context(stdin.open("rb"))
        sink = subprocess.PIPE if stdout is None else stack.enter_context(stdout.open("wb"))
        process = stack.enter_context(
            subprocess.Popen(
                command, stdin=source, stdout=sink, stderr=subprocess.PIPE, start_new_session=True
            )
        )
        return _read(process, time.monotonic() + timeout_s)


@contextlib.contextmanager
def _not_left_behind(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the group where the process has not ended, by whatever this block is left."""
    try:
        yield
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _read(process: subprocess.Popen[bytes], deadline: float) -> Ended:
    pipes = {pipe: bytearray() for pipe in (process.stdout, process.stderr) if pipe is not None}
    with _not_left_behind(process):
        by = _fill(pipes, deadline)
        if by == "exit":
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:  # it closed its output and goes on
                by = "timeout"
    stdout = b"" if process.stdout is None else bytes(pipes[process.stdout])
    stderr = b"" if process.stderr is None else bytes(pipes[process.stderr])
    return Ended(stdout, stderr, process.returncode, by)


def _fill(
    pipes: dict[IO[bytes], bytearray], deadline: float
) -> Literal["exit", "timeout", "output"]:
    """Read the pipes until all are closed, the deadline or too many bytes.

    Raises ``StoppedError`` where this thread is to stop.
    """
    size = 0
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left_s = max(0.0, deadline - time.monotonic())
            ready = selector.select(min(left_s, STOP_CHECK_S))
            stopping.check()
            if not ready and left_s <= STOP_CHECK_S:
                return "timeout"
            for key, _ in ready:
                data = os.read(key.fd, CHUNK)
                if not data:
                    selector.unregister(key.fileobj)
                for pipe, content in pipes.items():
                    if pipe is key.fileobj:
                        content += data
                size += len(data)
                if size > LARGEST_OUTPUT:
                    return "output"
    return "exit"
