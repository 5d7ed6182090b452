"""Stopping the workers of a run: what they wait for is cut short, what they clean up is not.

A thread that works under ``stoppable(event)`` gets ``StoppedError`` from whatever it waits for once the
event is set: a process of this machine (which is killed), a pause. ``unstoppable()`` lets it clean up.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class StoppedError(Exception):
    """The run is being stopped; only its workers see this."""


_thread = threading.local()


@contextlib.contextmanager
def stoppable(event: threading.Event) -> Iterator[None]:
    """Let ``event`` stop what this thread does inside."""
    with _under(event):
        yield


@contextlib.contextmanager
def unstoppable() -> Iterator[None]:
    """Finish what this thread does inside, whatever happens."""
    with _under(None):
        yield


@contextlib.contextmanager
def _under(event: threading.Event | None) -> Iterator[None]:
    before = current()
    _thread.event = event
    try:
        yield
    finally:
        _thread.event = before


def current() -> threading.Event | None:
    """Return the event that can stop this thread, if any."""
    event: threading.Event | None = getattr(_thread, "event", None)
    return event


def at_once(
    work: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> tuple[Result, ...]:
    """Return ``work`` of every item, done by several threads; whatever interrupts this stops them."""
    stop = threading.Event()

    def stoppable_work(item: Item) -> Result:
        with stoppable(stop):
            check()
            return work(item)

    with ThreadPoolExecutor(min(threads, len(items)) or 1) as pool:
        try:
            return tuple(pool.map(stoppable_work, items))
        except BaseException:
            stop.set()
            raise


def check() -> None:
    """Raise ``StoppedError`` if this thread is to stop."""
    event = current()
    if event is not None and event.is_set():
        raise StoppedError


def pause(seconds: float) -> None:
    """Wait; raise ``StoppedError`` as soon as this thread is to stop."""
    (current() or threading.Event()).wait(seconds)
    check()
