"""May this phone be measured now? If it is too warm, wait until it may, but not for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgezoo.devices.clock import Clock
from edgezoo.devices.failures import DeviceError, Failure
from edgezoo.measurement import Conditions
from edgezoo.plan import Gate

PAUSE_S = 10.0
# Android's names for thermal status 0 to 6 (PowerManager.THERMAL_STATUS_*).
THERMAL_WORDS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")


@dataclass(frozen=True, slots=True)
class Shortcoming:
    """One condition that is not met, and whether it can be by waiting."""

    failure: Failure
    passes: bool


def shortcomings(conditions: Conditions, gate: Gate) -> tuple[Shortcoming, ...]:
    """Return what keeps the device from being measured; what it does not tell keeps nobody."""
    return tuple(_shortcomings(conditions, gate))


def _shortcomings(conditions: Conditions, gate: Gate) -> Iterator[Shortcoming]:
    if conditions.low_power_mode:
        yield Shortcoming(Failure("low_power_mode", "battery saver is on"), passes=False)
    if conditions.screen_on is False:
        yield Shortcoming(Failure("screen_off", "the screen is off"), passes=False)
    percent = conditions.battery_percent
    if _beyond(gate.battery_percent, percent):
        message = f"the battery is at {percent:.0f} %, below {gate.battery_percent:g} %"
        charging = bool(conditions.charging)
        yield Shortcoming(Failure("battery_low", message), passes=charging)
    celsius = conditions.battery_celsius
    if _beyond(celsius, gate.battery_celsius):
        message = f"the battery has {celsius:.1f} °C, more than {gate.battery_celsius:g} °C"
        yield Shortcoming(Failure("too_warm", message), passes=True)
    status = conditions.thermal_status
    if status is not None and _beyond(status, gate.thermal_status):
        word = THERMAL_WORDS[min(status, len(THERMAL_WORDS) - 1)]
        message = f"the thermal status is {status} ({word}), above {gate.thermal_status}"
        yield Shortcoming(Failure("too_warm", message), passes=True)


def _beyond(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value > limit


def wait_until_ready(
    read: Callable[[], Conditions],
    gate: Gate,
    clock: Clock,
    progress: Callable[[str], None] = lambda message: None,
) -> Conditions:
    """Return the first conditions that satisfy ``gate``, waiting at most ``gate.cooldown_s``.

    Raises ``DeviceError`` of the first class that is not met: at once where waiting does not help
    (battery saver, a low battery that is not charged), else at the deadline.
    """
    started = clock.now()
    while True:
        conditions = read()
        found = shortcomings(conditions, gate)
        if not found:
            return conditions
        hopeless = [one.failure for one in found if not one.passes]
        if hopeless:
            raise DeviceError(hopeless[0])
        failure = found[0].failure
        waited_s = clock.now() - started
        left_s = gate.cooldown_s - waited_s
        if left_s <= 0:
            message = f"{failure.message}, after a cool-down of {waited_s:.0f} s"
            raise DeviceError(Failure(failure.failure_class, message))
        progress(f"cooling down: {failure.message}; {left_s:.0f} s left")
        clock.sleep(min(PAUSE_S, left_s))
