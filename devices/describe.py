"""What this machine is, and the state it is in right now.

Every fact is read where the kernel offers it and left out (``None``) where it does not;
``root`` lets the same code read another machine's tree. The texts are read as a phone's are.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from edgezoo.devices.cores import clusters_of
from edgezoo.devices.identity import system_of
from edgezoo.devices.state import conditions_of
from edgezoo.measurement import Conditions, DeviceInfo

CPUS = "sys/devices/system/cpu"
# What ``clusters_of`` reads.
CORE_FILES = (
    "cpufreq/policy*/related_cpus",
    "cpufreq/policy*/cpuinfo_max_freq",
    "cpu[0-9]*/cpufreq/cpuinfo_max_freq",
)
GOVERNORS = ("cpu*/cpufreq/scaling_governor",)
FREQUENCIES = ("cpu[0-9]*/cpufreq/scaling_cur_freq",)
# x86 has "model name"; Arm boards name the board ("Model") or the chip ("Hardware").
CPU_KEYS = ("model name", "Model", "Hardware")


def describe_host(root: Path = Path("/")) -> DeviceInfo:
    """Return this machine as a device of kind ``host``."""
    kernel = f"{platform.system()} {platform.release()} {platform.machine()}"
    governors = set(_tree(root / CPUS, GOVERNORS).values())
    return DeviceInfo(
        name=platform.node() or "localhost",
        kind="host",
        cpu=_cpu_model(root),
        cores=available_cores(),
        memory_mib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        os=kernel,
        # All of them where cores differ: "performance+schedutil".
        governor="+".join(sorted(governors)) or None,
        load_1min=_load(),
        clusters=clusters_of(_tree(root / CPUS, CORE_FILES)),
        abis=(platform.machine(),),
        fingerprint=system_of(_text(root / "etc/os-release"), f"{kernel} {platform.version()}"),
    )


def host_conditions(root: Path = Path("/")) -> Conditions:
    """Return the state of this machine: load, MHz of its cores, its hottest zone that computes."""
    load = _load()
    parts = {
        "load": "" if load is None else f"{load:.2f}",
        "mhz": _lines(_tree(root / CPUS, FREQUENCIES)),
        "zones": _lines(_zones(root / "sys/class/thermal")),
    }
    return conditions_of(parts, datetime.now(UTC).isoformat(timespec="seconds"))


def available_cores() -> int:
    """Return the cores that this process may run on, which can be fewer than the machine has."""
    return len(allowed_cores()) or os.cpu_count() or 1


def allowed_cores() -> tuple[int, ...]:
    """Return the numbers of the cores that this process may run on; none where the system, such as
    macOS, has no such thing.
    """
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def _cpu_model(root: Path) -> str:
    pairs = (line.partition(":") for line in _text(root / "proc/cpuinfo").splitlines())
    found = {key.strip(): value.strip() for key, _, value in pairs}
    named = (found[key] for key in CPU_KEYS if found.get(key))
    return next(named, platform.processor() or platform.machine())


def _tree(folder: Path, patterns: Iterable[str]) -> Mapping[str, str]:
    """Return the first lines of files by their path within ``folder``."""
    paths = sorted(path for pattern in patterns for path in folder.glob(pattern))
    texts = {str(path.relative_to(folder)): _text(path).partition("\n")[0] for path in paths}
    return {path: text.strip() for path, text in texts.items() if text.strip()}


def _zones(folder: Path) -> Mapping[str, str]:
    """Return the temperatures of thermal zones by their kind, of several of a kind the hottest."""
    zones = sorted(folder.glob("thermal_zone*"))
    readings = [(_text(zone / "type").strip(), _text(zone / "temp").strip()) for zone in zones]
    known = [(kind, int(text)) for kind, text in readings if kind and text.lstrip("-").isdigit()]
    return {kind: str(value) for kind, value in sorted(known, key=lambda reading: reading[1])}


def _lines(tree: Mapping[str, str]) -> str:
    return "".join(f"{path}={value}\n" for path, value in tree.items())


def _text(path: Path) -> str:
    """Return the content of a file, nothing where it cannot be read: cores that are offline, say."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None
