"""Time as an argument, so that waits of minutes are tested in milliseconds."""

from __future__ import annotations

import time
from typing import Protocol

from edgezoo.devices import stopping


class Clock(Protocol):
    """Seconds of a clock that never goes back, and waiting by it."""

    def now(self) -> float:
        """Return the seconds since some moment."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class WallClock:
    """The real one."""

    def now(self) -> float:
        """Return the seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, unless this thread is to stop."""
        stopping.pause(seconds)
