"""Under which conditions every number was taken: the device before and after, and what really ran.

One table per device. A measurement on a computer has a row only where its state was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from edgezoo.measurement import Conditions, DeviceInfo
from edgezoo.report.grouping import Group, Grouping, Timing
from edgezoo.report.numbers import ABSENT, milliseconds
from edgezoo.report.table import NOTHING, Cell, Column, Table, Tone, fill, nothing
from edgezoo.report.words import describe_threads, requested

# Android's PowerManager.THERMAL_STATUS_*.
THERMAL_NAMES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
PROVENANCES_WITH_STATE = ("phone", "simulated", "imported")
SHOWN_SHA = 12


def condition_tables(grouping: Grouping) -> tuple[Table, ...]:
    """One table per device, phones first; none for what recorded nothing."""
    members: dict[tuple[str, str], list[Group]] = {}
    for group in (*grouping.groups, *grouping.references):
        members.setdefault((group.setting.provenance, group.setting.place), []).append(group)
    tables = (_table(place, groups) for (_, place), groups in members.items())
    return tuple(table for table in tables if table.rows)


def _table(place: str, groups: list[Group]) -> Table:
    timings = [t for group in groups for t in group.timings if _has_state(t)]
    infos = list(dict.fromkeys(describe_device(t.measurement.device) for t in timings))
    return fill(f"Conditions on {place}", COLUMNS, timings, words=" ".join(infos), title=place)


def _has_state(timing: Timing) -> bool:
    measurement = timing.measurement
    return bool(measurement.conditions) or measurement.provenance in PROVENANCES_WITH_STATE


def describe_device(device: DeviceInfo) -> str:
    """One sentence: processor, clusters, governor, memory, system."""
    clusters = " + ".join(
        f"{len(c.cores)} × {c.max_mhz} MHz" if c.max_mhz else f"{len(c.cores)} cores"
        for c in device.clusters
    )
    parts = [
        device.cpu,
        f"{device.cores} cores ({clusters})" if clusters else f"{device.cores} cores",
        f"governor {device.governor}" if device.governor else "",
        f"{device.memory_mib:,} MiB",
        device.os,
        f"build {device.fingerprint}" if device.fingerprint else "",
    ]
    return f"{', '.join(part for part in parts if part)}."


def accelerator_facts(timing: Timing) -> tuple[str, str]:
    """What was asked for and what ran, and how many of the graph's nodes that took."""
    delegate = timing.measurement.delegate
    asked, used = requested(timing) or timing.way.accelerator, delegate.get("used")
    text = str(asked) if used in (None, asked) else f"{asked} → {used}"
    taken, total = delegate.get("delegated_ops"), delegate.get("total_ops")
    if taken is None:
        return text, "" if used is None else str(delegate.get("extent") or "")
    return text, f"{taken} of {ABSENT if total is None else total} nodes"


# ------------------------------------------------------------------------------ cells


def _name(timing: Timing) -> Cell:
    return Cell(timing.name, marks=(timing.mark,))


def _accelerator(timing: Timing) -> Cell:
    text, note = accelerator_facts(timing)
    tone: Tone = "bad" if timing.fallback else ""
    plan = timing.measurement.plan
    is_cpu = plan.accelerator == "cpu"
    threads = describe_threads(plan.threads, plan.cores) if is_cpu else ""
    return Cell(text, note=" · ".join(p for p in (note, threads) if p), tone=tone)


def _thermal(timing: Timing) -> Cell:
    statuses = [c.thermal_status for c in timing.measurement.conditions]
    text = _course(timing, lambda c: None if c.thermal_status is None else _named(c.thermal_status))
    hot = any(status for status in statuses)
    return Cell(text, tone="warn" if hot else "") if text else nothing("the device does not tell")


def _named(status: int) -> str:
    known = 0 <= status < len(THERMAL_NAMES)
    return THERMAL_NAMES[status] if known else f"status {status}"


def _temperature(timing: Timing) -> Cell:
    text = _course(timing, lambda c: _celsius(c.hottest_celsius))
    sensors = {c.hottest_sensor for c in timing.measurement.conditions if c.hottest_sensor}
    return Cell(text, note=", ".join(sorted(sensors))) if text else NOTHING


def _battery(timing: Timing) -> Cell:
    level = _course(timing, lambda c: _rounded(c.battery_percent, " %"))
    heat = _course(timing, lambda c: _celsius(c.battery_celsius))
    charging = {c.charging for c in timing.measurement.conditions if c.charging is not None}
    state = "plugged in or out meanwhile" if len(charging) > 1 else ""
    for is_charging in charging if len(charging) == 1 else ():
        state = "charging" if is_charging else "discharging"
    note = ", ".join(part for part in (heat, state) if part)
    return Cell(level or ABSENT, note=note) if level or note else NOTHING


def _frequency(timing: Timing) -> Cell:
    """By cluster, in order: the fastest core of each."""
    text = _course(timing, lambda c: _mhz(c, timing.measurement.device))
    return Cell(text, note="MHz by cluster") if text else NOTHING


def _mhz(conditions: Conditions, device: DeviceInfo) -> str | None:
    if not conditions.mhz:
        return None
    clusters = [c.cores for c in device.clusters] or [tuple(range(len(conditions.mhz)))]
    fastest = [
        max((conditions.mhz[core] for core in cores if core < len(conditions.mhz)), default=0)
        for cores in clusters
    ]
    return "/".join(map(str, fastest))


def _screen(timing: Timing) -> Cell:
    text = _course(timing, _screen_state)
    saver = any(c.low_power_mode for c in timing.measurement.conditions)
    load = _course(timing, lambda c: None if c.load_1min is None else f"{c.load_1min:.1f}")
    note = ", ".join(
        p for p in ("battery saver on" if saver else "", f"load {load}" if load else "") if p
    )
    return (
        Cell(text or ABSENT, note=note, tone="warn" if saver else "") if text or note else NOTHING
    )


def _screen_state(conditions: Conditions) -> str | None:
    if conditions.screen_on is None:
        return None
    return "on" if conditions.screen_on else "off"


def _cold_start(timing: Timing) -> Cell:
    processes = timing.measurement.processes
    if not processes or timing.failed:
        return NOTHING
    load, first = (
        median(values) for values in zip(*((p.load_ms, p.first_ms) for p in processes), strict=True)
    )
    hint = "median over the processes, each of them fresh; the file was in the page cache"
    return Cell(f"load {milliseconds(load)}", note=f"first run {milliseconds(first)}", hint=hint)


def _runner(timing: Timing) -> Cell:
    measurement = timing.measurement
    text = f"{measurement.runner} {measurement.runner_version}".strip()
    sha256 = measurement.runner_sha256
    if sha256 is None:
        return Cell(text, hint="an installed package, so no file was hashed")
    return Cell(text, note=f"sha256 {sha256[:SHOWN_SHA]}…", hint=f"sha256 {sha256}")


def _course(timing: Timing, value: Callable[[Conditions], str | None]) -> str:
    """The value before and after: "none → light", once where it stayed."""
    values = [value(conditions) for conditions in timing.measurement.conditions]
    found = [text for text in values if text is not None]
    return " → ".join(dict.fromkeys((found[0], found[-1]))) if found else ""


def _celsius(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} °C"


def _rounded(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.0f}{unit}"


COLUMNS: tuple[Column[Timing], ...] = (
    Column("Measurement", _name, numeric=False),
    Column("Asked for → used", _accelerator, numeric=False),
    Column("Thermal status", _thermal, numeric=False),
    Column("Hottest sensor", _temperature, numeric=False),
    Column("Battery", _battery, numeric=False),
    Column("Frequency", _frequency, numeric=False),
    Column("Screen", _screen, numeric=False),
    Column("Cold start", _cold_start, numeric=False),
    Column("Runner", _runner, numeric=False),
)
