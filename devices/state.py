"""The state a device is in, from the texts that it gives: dumpsys, thermal zones, frequencies.

Sources of the forms: AOSP ``ThermalManagerService.dumpInternal``, ``BatteryService.dumpInternal``,
``PowerManagerService.dumpInternal``; thermal types: ``hardware/interfaces/thermal`` TemperatureType.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from edgezoo.devices.cores import frequency_khz
from edgezoo.devices.identity import load, parse_tree
from edgezoo.measurement import Conditions

# CPU, GPU, SKIN, NPU, TPU, SOC: what heats up by computing. Battery and charger stand apart.
COMPUTING_TYPES = (0, 1, 3, 9, 10, 13)
# Zones have no type but their name, and some hold voltages and percentages.
COMPUTING_ZONE = re.compile(
    r"cpu|pkg_temp|gpu|npu|tpu|apc|soc[-_]?(?:therm|max)|skin|tsens|big|little|mtktsap"
)
PLAUSIBLE_CELSIUS = (1.0, 130.0)
CHARGING, FULL = 2, 5


def conditions_of(parts: Mapping[str, str], taken_at: str) -> Conditions:
    """Return the state of the device that answered with ``parts`` (see ``survey``)."""
    hottest = max(
        temperatures(parts.get("thermal", ""), parts.get("zones", "")),
        key=lambda reading: reading[1],
        default=(None, None),
    )
    battery = parts.get("battery", "")
    if re.search(r"(?m)^\s*present: false", battery):
        battery = ""  # a box or board without one; what stands there is made up
    power = parts.get("power", "")
    by_core = {
        int(core[1]): round(khz / 1000)
        for path, text in parse_tree(parts.get("mhz", "")).items()
        if (core := re.match(r"cpu(\d{1,3})/", path)) and (khz := frequency_khz(text))
    }
    status = re.search(r"(?m)^\s*Thermal Status: (\d)\b", parts.get("thermal", ""))
    return Conditions(
        taken_at=taken_at,
        thermal_status=int(status[1]) if status else None,
        hottest_celsius=hottest[1],
        hottest_sensor=hottest[0],
        battery_celsius=_tenths(battery),
        battery_percent=_percent(battery),
        charging=_charging(battery),
        screen_on=screen_on(power),
        low_power_mode=low_power_mode(power, parts.get("low_power", "")),
        mhz=tuple(by_core[core] for core in sorted(by_core)),
        load_1min=load(parts.get("load", "")),
    )


def temperatures(thermalservice: str, zones: str) -> Iterator[tuple[str, float]]:
    """Yield name and °C of every sensor of a part that computes.

    The thermal service's current readings count before its cached ones, which can be old, and both
    before the kernel's zones. Zones are in thousandths of a degree, on some kernels in whole ones.
    """
    _, current, rest = thermalservice.partition("Current temperatures from HAL")
    text = rest.partition("Current cooling devices")[0] if current else thermalservice
    found = re.findall(r"Temperature\{mValue=([-\d.]+), mType=(-?\d{1,3}), mName=([^,}]*)", text)
    readings = [(name, _number(v)) for v, kind, name in found if int(kind) in COMPUTING_TYPES]
    if not readings:
        readings = [
            (name, value / 1000 if abs(value) >= 1000 else value)
            for name, text in parse_tree(zones).items()
            if COMPUTING_ZONE.search(name.lower()) and (value := _number(text))
        ]
    low, high = PLAUSIBLE_CELSIUS
    yield from ((name, celsius) for name, celsius in readings if low <= celsius <= high)


def screen_on(power: str) -> bool | None:
    """Return whether the display is on, by the display's state or else by wakefulness."""
    display = re.search(r"Display Power: state=(\w+)", power)
    if display:
        return display[1] == "ON"
    awake = re.search(r"mWakefulness=(\w+)", power)
    return awake[1] == "Awake" if awake else None


def low_power_mode(power: str, setting: str) -> bool | None:
    """Return whether battery saver is on: its own state (Android 9), the older field, the setting."""
    for pattern in (
        r"(?s)attery saver state machine.*?^\s*Enabled=(true|false)",
        r"mLowPowerModeEnabled=(true|false)",
    ):
        found = re.search(pattern, power, re.MULTILINE)
        if found:
            return found[1] == "true"
    return {"0": False, "1": True}.get(setting.strip())


def _field(battery: str, name: str) -> int | None:
    # The first one: some makers append a second, raw block.
    found = re.search(rf"(?m)^\s*{name}: (-?\d{{1,9}})\s*$", battery)
    return int(found[1]) if found else None


def _tenths(battery: str) -> float | None:
    value = _field(battery, "temperature")
    return None if value is None else value / 10


def _percent(battery: str) -> float | None:
    level, scale = _field(battery, "level"), _field(battery, "scale")
    return None if level is None else 100 * level / (scale or 100)


def _charging(battery: str) -> bool | None:
    status = _field(battery, "status")
    powered = re.findall(r"(?m)^\s*(?:AC|USB|Wireless|Dock) powered: (true|false)", battery)
    if status is None and not powered:
        return None
    return status in (CHARGING, FULL) if status is not None else "true" in powered


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
