"""Progress on standard error: a spinner on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

Progress = Callable[[str], None]


@contextmanager
def steps() -> Iterator[Progress]:
    """Give a function that shows what is being done now."""
    if sys.stderr is None:
        yield lambda message: None
    elif sys.stderr.isatty():
        with _spinner() as progress:
            yield progress
    else:
        yield lambda message: print(message, file=sys.stderr, flush=True)


@contextmanager
def _spinner() -> Iterator[Progress]:
    """Show the current step with a spinner and leave a line with its seconds when it is done.

    What follows a colon is detail: the messages of one step share a line.
    """
    from rich.console import Console
    from rich.markup import escape

    # A copy of the descriptor: the original is turned away while LiteRT loads a model.
    with open(os.dup(2), "w") as terminal:
        console = Console(file=terminal, highlight=False)
        step, started = "", perf_counter()

        def finish() -> None:
            if step:
                seconds = perf_counter() - started
                console.print(f"[green]✓[/green] {escape(step)} [dim]{seconds:.1f} s[/dim]")

        with console.status("starting") as status:

            def progress(message: str) -> None:
                nonlocal step, started
                head = message.partition(": ")[0]
                if head != step:
                    finish()
                    step, started = head, perf_counter()
                status.update(escape(message))

            yield progress
            finish()
