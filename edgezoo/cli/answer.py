"""From a verb to what the user sees: one result on standard output, progress on standard error.

While the verb works, file descriptor 1 points to standard error: libraries, native code and the
user's own network may print what they like, ``--json`` stays exactly the JSON.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from edgezoo.cli.progress import Progress, steps
from edgezoo.errors import UsageError
from edgezoo.types import to_json

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")

WIDEST = 10_000
BROKEN_PIPE = 141  # as a shell reports a program that SIGPIPE ended


def answer(
    verb: Callable[[Progress], T],
    as_json: bool,
    table: Callable[[T], RenderableType],
) -> T:
    """Call ``verb`` with something to report progress to, print its result and return it.

    Ends the process quietly where nobody reads on; raises what the verb raises.
    """
    if sys.stdout is None:
        raise UsageError("standard output is closed and the result has no place to go; open it")
    with _stdout_to_stderr(), _quiet_libraries(), steps() as progress:
        result = verb(progress)
    with _whole_or_broken():
        if as_json:
            print(json.dumps(to_json(result), indent=2))
        else:
            print_table(table(result))
    return result


def print_table(content: RenderableType) -> None:
    """Print it, as wide as the terminal; a file or pipe gets all of it."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:  # a file or a pipe has no width; cut nothing
        console = Console(highlight=False, width=WIDEST)
    with console.capture() as text:  # rich would end the process its own way on a broken pipe
        console.print(content)
    print(text.get(), end="")


@contextmanager
def _whole_or_broken() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Python flushes once more at exit and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE) from error


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        ctypes.CDLL(None).fflush(None)  # what native code printed with printf
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Silence warnings and log lines of libraries, unless Python was told to show warnings (-W)."""
    if sys.warnoptions:
        yield
        return
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
