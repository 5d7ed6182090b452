"""The command line: parse, call one verb, print one result.

``main`` turns whatever ends a command into an exit code: 0 done; 2 the user's mistake, one sentence
on standard error; 1 a bug, with its traceback; 130 Ctrl-C. Everything is imported inside, so that
``edgezoo --help`` starts no heavy library and Ctrl-C is heard from the first moment.
"""

from __future__ import annotations

import atexit
import gc
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from edgezoo.errors import EdgezooError

MISTAKE, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (``sys.argv`` by default) and return the exit code."""
    try:
        with _stopped_politely():
            _spare_the_garbage_collector()
            from edgezoo.cli.app import run

            return run(arguments)
    except EdgezooError as error:
        if error.details and not sys.stderr.isatty():  # a log keeps what would flood a terminal
            print(*error.details, sep="\n", file=sys.stderr)
        return _complain(str(error), MISTAKE)
    except KeyboardInterrupt:
        sentence = "interrupted; what was being written is gone, what was done is kept"
        return _complain(sentence, INTERRUPTED)


def _spare_the_garbage_collector() -> None:
    """Importing torch makes a million objects that stay until the process ends.

    Looking at them for garbage again and again, and a last time at the end, was a quarter of a
    conversion's CPU time (measured).
    """
    gc.set_threshold(50_000, 20, 50)
    atexit.register(gc.freeze)


def _complain(sentence: str, code: int) -> int:
    line = " ".join(sentence.split())
    print(f"error: {line}", file=sys.stderr)
    return code


@contextmanager
def _stopped_politely() -> Iterator[None]:
    """Let ``kill`` and a closed terminal unwind the stack, so that temporary files disappear."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    # What is ignored (nohup) stays ignored.
    watched = (signal.SIGTERM, signal.SIGHUP)
    default = [number for number in watched if signal.getsignal(number) == signal.SIG_DFL]
    for number in default:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in default:
            signal.signal(number, signal.SIG_DFL)
