"""Who may be measured, who has to cool down, and for how long."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edgezoo.devices.failures import DeviceError
from edgezoo.devices.gate import shortcomings, wait_until_ready
from edgezoo.measurement import Conditions
from edgezoo.plan import Gate

FINE = Conditions(
    "now",
    thermal_status=0,
    battery_celsius=37.0,
    battery_percent=30.0,
    charging=True,
    screen_on=True,
    low_power_mode=False,
)


class Hours:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.mark.parametrize(
    ("changes", "kind", "passes"),
    [
        ({"thermal_status": 1}, "too_warm", True),
        ({"battery_celsius": 37.1}, "too_warm", True),
        ({"battery_percent": 29.0}, "battery_low", True),
        ({"battery_percent": 29.0, "charging": False}, "battery_low", False),
        ({"battery_percent": 29.0, "charging": None}, "battery_low", False),
        ({"low_power_mode": True}, "low_power_mode", False),
        ({"screen_on": False}, "screen_off", False),
    ],
)
def test_each_condition(changes: dict[str, Any], kind: str, passes: bool) -> None:
    (found,) = shortcomings(replace(FINE, **changes), Gate())
    assert (found.failure.failure_class, found.passes) == (kind, passes)
    assert found.failure.sentence.endswith(".")


def test_what_a_phone_does_not_tell_keeps_nobody() -> None:
    assert shortcomings(Conditions("now"), Gate()) == ()
    assert shortcomings(FINE, Gate()) == ()


def test_conditions_that_are_turned_off() -> None:
    bad = replace(FINE, thermal_status=4, battery_celsius=60.0, battery_percent=1.0)
    assert len(shortcomings(bad, Gate())) == 3
    off = Gate(thermal_status=None, battery_celsius=None, battery_percent=None)
    assert shortcomings(bad, off) == ()


def cooling(clock: Hours, cool_at: float) -> Callable[[], Conditions]:
    return lambda: FINE if clock.now() >= cool_at else replace(FINE, battery_celsius=41.0)


def test_it_cools_down() -> None:
    clock, told = Hours(), list[str]()
    assert wait_until_ready(cooling(clock, 155), Gate(), clock, told.append) == FINE
    assert clock.now() == 160  # looked every 10 s
    assert told[0].startswith("cooling down: the battery has 41.0 °C, more than 37 °C; 600 s left")


@pytest.mark.parametrize("cooldown_s", [0.0, 25.0, 600.0])
def test_the_deadline(cooldown_s: float) -> None:
    clock = Hours()
    with pytest.raises(DeviceError, match="after a cool-down of") as caught:
        wait_until_ready(cooling(clock, 1e9), Gate(cooldown_s=cooldown_s), clock)
    assert caught.value.failure.failure_class == "too_warm"
    assert clock.now() == 100 + cooldown_s


def test_the_last_moment_counts() -> None:
    clock = Hours()
    assert wait_until_ready(cooling(clock, 125), Gate(cooldown_s=25), clock) == FINE


def test_no_wait_for_what_does_not_pass() -> None:
    clock = Hours()
    hot_and_saving = replace(FINE, battery_celsius=50.0, low_power_mode=True)
    with pytest.raises(DeviceError, match="battery saver is on") as caught:
        wait_until_ready(lambda: hot_and_saving, Gate(), clock)
    assert caught.value.failure.failure_class == "low_power_mode"
    assert clock.now() == 100
