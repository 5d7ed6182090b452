"""Phones as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from edgezoo.cli.tables import empty_table
from edgezoo.devices.failures import ADVICE
from edgezoo.devices.gate import THERMAL_WORDS
from edgezoo.devices.phones import Phone
from edgezoo.measurement import Cluster, Conditions, DeviceInfo
from edgezoo.report.numbers import ABSENT

COLUMNS = (
    "serial", "state", "phone", "SoC", "cores", "ABI", "system", "governor", "thermal", "battery",
)  # fmt: skip


def table(phones: Sequence[Phone]) -> RenderableType:
    """Return one row per phone, and under the table what to do about those that are not ready."""
    if not phones:
        return Text(f"no phone; {ADVICE['no_device']}")
    content = empty_table(*COLUMNS, left=COLUMNS)
    for phone in phones:
        style = "green" if phone.ready and not phone.problem else "yellow"
        state = "ready" if phone.ready else phone.state
        content.add_row(Text(phone.serial), Text(state, style), *map(Text, _facts(phone)))
    return Group(content, *(Text(note) for note in _notes(phones)))


def _facts(phone: Phone) -> tuple[str, ...]:
    device, conditions = phone.device, phone.conditions
    if device is None or conditions is None:
        return (phone.model or ABSENT, *(ABSENT for _ in COLUMNS[3:]))
    return (
        device.name + (" (simulated)" if device.kind == "simulated" else ""),
        device.cpu,
        cores(device),
        device.abis[0] if device.abis else ABSENT,
        device.os,
        device.governor or ABSENT,
        _thermal(conditions),
        _battery(conditions),
    )


def cores(device: DeviceInfo) -> str:
    """Return the clusters, fastest first: ``1 x 2.85 + 3 x 2.40 + 4 x 1.80 GHz``."""
    if not device.clusters:
        return str(device.cores)
    return " + ".join(_cluster(cluster) for cluster in reversed(device.clusters)) + " GHz"


def _cluster(cluster: Cluster) -> str:
    return f"{len(cluster.cores)} x {(cluster.max_mhz or 0) / 1000:.2f}"


def _thermal(conditions: Conditions) -> str:
    words = []
    if conditions.thermal_status is not None:
        words.append(THERMAL_WORDS[min(conditions.thermal_status, len(THERMAL_WORDS) - 1)])
    if conditions.hottest_celsius is not None:
        words.append(f"{conditions.hottest_celsius:.0f} °C {conditions.hottest_sensor}")
    return ", ".join(words) or ABSENT


def _battery(conditions: Conditions) -> str:
    words = []
    if conditions.battery_percent is not None:
        words.append(f"{conditions.battery_percent:.0f} %")
    if conditions.battery_celsius is not None:
        words.append(f"{conditions.battery_celsius:.0f} °C")
    if conditions.low_power_mode:
        words.append("battery saver")
    return ", ".join(words) or ABSENT


def _notes(phones: Sequence[Phone]) -> list[str]:
    notes = [f"{p.serial} {p.meaning}: {p.advice}" for p in phones if p.advice]
    notes += [p.problem for p in phones if p.problem]
    servers = dict.fromkeys(phone.server for phone in phones)
    if len(servers) > 1:
        notes += [
            f"at {server}: {', '.join(p.serial for p in phones if p.server == server)}"
            for server in servers
        ]
    return notes
