"""May the next process begin: the state a device was left in, its gate, its screen, one cool-down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from edgezoo.devices.clock import Clock
from edgezoo.devices.failures import DeviceError, Failure, FailureClass
from edgezoo.devices.gate import wait_until_ready
from edgezoo.devices.screen import keep_on
from edgezoo.devices.survey import read_conditions
from edgezoo.devices.transports.transport import Transport
from edgezoo.measurement import Conditions
from edgezoo.plan import Gate

FRESH_S = 30.0  # conditions older than this are asked for again
WARM: frozenset[FailureClass] = frozenset({"too_warm", "battery_low"})  # what waiting can mend


@dataclass(slots=True)
class Readiness:
    """What a run knows of the state of its device, whose lock must be held."""

    transport: Transport
    progress: Callable[[str], None]
    _last: tuple[float, Conditions] | None = None
    _unmet: Failure | None = None  # what a whole cool-down did not mend

    def wait(self, gate: Gate, clock: Clock) -> None:
        """Wait until the device satisfies ``gate``; a screen that went off is woken once.

        Raises ``DeviceError``. A device that did not cool down in time is waited for only once: from
        then on it fails at once, in the same words, for as long as it is too warm.
        """
        try:
            conditions = self._cooled(gate, clock)
        except DeviceError as error:
            if error.failure.failure_class != "screen_off":
                raise
            keep_on(self.transport, self.progress)
            conditions = self._cooled(gate, clock)
        self.keep(conditions, clock)

    def keep(self, conditions: Conditions, clock: Clock) -> None:
        """Keep what was read just now, so that the gate need not ask."""
        self._last = (clock.now(), conditions)

    def take(self) -> tuple[Conditions, ...]:
        """Return the last conditions, if any, and forget them: something changes them now."""
        last, self._last = self._last, None
        return () if last is None else (last[1],)

    def _cooled(self, gate: Gate, clock: Clock) -> Conditions:
        def read() -> Conditions:
            last, self._last = self._last, None  # asked again only where these do not fit
            fresh = last is not None and clock.now() - last[0] < FRESH_S
            return last[1] if last is not None and fresh else read_conditions(self.transport)

        unmet = self._unmet
        try:
            once = gate if unmet is None else replace(gate, cooldown_s=0.0)
            conditions = wait_until_ready(read, once, clock, self.progress)
        except DeviceError as error:
            failure = error.failure
            if unmet is not None and unmet.failure_class == failure.failure_class:
                raise DeviceError(unmet) from error
            self._unmet = failure if failure.failure_class in WARM else None
            raise
        self._unmet = None
        return conditions
