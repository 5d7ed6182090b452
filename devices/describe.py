"""What this machine is, and the state it is in right now.

Every fact is read where the kernel offers it and left out (``None``) where it does not;
``root`` lets the same code read another machine's tree.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

from edgezoo.measurement import DeviceInfo

GOVERNORS = "sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
# x86 has "model name"; Arm boards name the board ("Model") or the chip ("Hardware").
CPU_KEYS = ("model name", "Model", "Hardware")


def describe_host(root: Path = Path("/")) -> DeviceInfo:
    """Return this machine as a device of kind ``host``."""
    return DeviceInfo(
        name=platform.node() or "localhost",
        kind="host",
        cpu=_cpu_model(root),
        cores=available_cores(),
        memory_mib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
        governor=_governor(root),
        load_1min=_load(),
    )


def available_cores() -> int:
    """Return the cores that this process may run on, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model(root: Path) -> str:
    try:
        text = (root / "proc/cpuinfo").read_text(errors="replace")
    except OSError:
        text = ""
    pairs = (line.partition(":") for line in text.splitlines())
    found = {key.strip(): value.strip() for key, _, value in pairs}
    named = (found[key] for key in CPU_KEYS if found.get(key))
    return next(named, platform.processor() or platform.machine())


def _governor(root: Path) -> str | None:
    """Return the frequency governor, all of them where cores differ ("performance+schedutil")."""
    governors = set()
    for path in root.glob(GOVERNORS):
        try:
            governors.add(path.read_text().strip())
        except OSError:  # offline cores cannot be read
            continue
    return "+".join(sorted(governors)) or None


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None
