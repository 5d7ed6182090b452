"""The state of a phone, from what dumpsys and the kernel say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.devices.state import conditions_of, low_power_mode, screen_on, temperatures
from tests.devices.phone_texts import BATTERY, POWER_8, POWER_13, THERMAL_S22, ZONES

PARTS = {
    "thermal": THERMAL_S22,
    "battery": BATTERY,
    "power": POWER_13,
    "low_power": "0\n",
    "zones": ZONES,
    "mhz": "cpu0/cpufreq/scaling_cur_freq=1785600\ncpu10/cpufreq/scaling_cur_freq=2995200\n"
    "cpu2/cpufreq/scaling_cur_freq=<unknown>\n",
    "load": "3.25 2.9 2.1 2/2200 9999\n",
}


def test_all_of_it() -> None:
    state = conditions_of(PARTS, "now")
    assert (state.taken_at, state.thermal_status, state.load_1min) == ("now", 0, 3.25)
    # The current reading, not the cached 99; not the 87, which are percent of the battery.
    assert (state.hottest_sensor, state.hottest_celsius) == ("CPU", 41.3)
    # Level 46 on a scale of 50; the maker's own block below is not the battery service's.
    assert (state.battery_percent, state.battery_celsius, state.charging) == (92, 29.1, True)
    assert (state.screen_on, state.low_power_mode) == (False, False)
    assert state.mhz == (1786, 2995)


def test_nothing_of_it() -> None:
    state = conditions_of({}, "now")
    told = (getattr(state, name) for name in type(state).__slots__ if name != "taken_at")
    assert set(told) == {None, ()}


def test_zones_where_the_service_tells_nothing() -> None:
    """Voltages, percentages and sensors that are not connected look like temperatures."""
    not_ready = "Thermal Status: 0\nHAL Ready: false\n"
    assert list(temperatures(not_ready, ZONES)) == [("cpu-1-7-usr", 44.8), ("gpuss-0-usr", 41.5)]
    assert list(temperatures("", "cpu_thermal=47")) == [("cpu_thermal", 47.0)]


def test_cached_readings_are_better_than_none() -> None:
    cached = THERMAL_S22.partition("HAL Ready")[0]
    assert max(celsius for _, celsius in temperatures(cached, ZONES)) == 99


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        ("Display Power: state=ON\n  mWakefulness=Asleep", True),
        ("Display Power: state=OFF", False),
        ("  mWakefulness=Awake", True),
        ("  mWakefulness=Dozing", False),
        ("", None),
    ],
)
def test_screen(power: str, expected: bool | None) -> None:
    assert screen_on(power) is expected


@pytest.mark.parametrize(
    ("power", "setting", "expected"),
    [
        (POWER_8, "null", True),
        (POWER_13, "1", False),
        (POWER_13.replace("Enabled=false", "Enabled=true"), "null", True),
        ("", "1", True),
        ("", "0", False),
        ("", "null", None),
    ],
)
def test_battery_saver(power: str, setting: str, expected: bool | None) -> None:
    assert low_power_mode(power, setting) is expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("status: 2", True),
        ("status: 5", True),
        ("status: 3\n  USB powered: true", False),
        ("AC powered: true", True),
        ("USB powered: false", False),
        ("level: 3", None),
    ],
)
def test_charging(lines: str, expected: bool | None) -> None:
    assert conditions_of({"battery": f"  {lines}\n"}, "now").charging is expected


@given(st.data())
def test_garbled_parts(data: st.DataObject) -> None:
    """Whatever a phone prints, its state is told or left out, never an error."""
    name = data.draw(st.sampled_from(sorted(PARTS)))
    text = PARTS[name]
    start = data.draw(st.integers(0, len(text)))
    damaged = text[:start] + data.draw(st.text(max_size=8)) + text[start + 3 :]
    state = conditions_of({**PARTS, name: damaged}, "now")
    assert state.hottest_celsius is None or 1 <= state.hottest_celsius <= 130


def test_a_box_without_a_battery() -> None:
    """What stands there then is made up: 42.4 °C, 0 %, or the other way round."""
    text = "  present: false\n  status: 1\n  level: 0\n  scale: 100\n  temperature: 424\n"
    state = conditions_of({"battery": text}, "now")
    assert (state.battery_percent, state.battery_celsius, state.charging) == (None, None, None)
