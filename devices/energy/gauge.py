"""Readings of a fuel gauge: the script that takes them on the device, and the parser of its lines.

The script only uses the shell's own ``read``, ``echo`` and ``sleep``, so that it costs little; it
ends by itself after its last sample, whatever becomes of the link. Files and their meaning:
Documentation/ABI/testing/sysfs-class-power of the Linux kernel. Vendors disagree with it on sign
and unit (``statistics``).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

MARKER = "EDGEZOO_GAUGE"
FOLDER = "/sys/class/power_supply"
# Where Android phones have their battery, best first.
SUPPLIES = ("battery", "bms", "main-battery", "max170xx_battery", "BAT0")
MOST_LINES = 100_000
LARGEST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Reading:
    """One sample: seconds since boot, current and voltage in the vendor's own units and sign.

    ``status`` is the kernel's word: Charging, Discharging, Not charging, Full, Unknown.
    """

    at_s: float
    current: float
    voltage: float
    status: str


def sampler_script(samples: int, interval_s: float, folder: str = FOLDER) -> str:
    """Return a POSIX shell script that prints ``samples`` lines, ``interval_s`` seconds apart.

    Where no gauge can be read it prints nothing and ends with exit code 3.
    """
    names = " ".join(SUPPLIES)
    return (
        f'g=""; for n in {names}; do d="{folder}/$n"; '
        'if read c <"$d/current_now" && read v <"$d/voltage_now"; then g="$d"; break; fi; '
        "done 2>/dev/null; "
        'if [ -z "$g" ]; then exit 3; fi; i=0; '
        f"while [ $i -lt {samples} ]; do "
        'read t r </proc/uptime; c=""; v=""; s=Unknown; '
        '{ read c <"$g/current_now"; read v <"$g/voltage_now"; read s <"$g/status"; } 2>/dev/null; '
        f'echo "{MARKER} $t $c $v $s"; i=$((i+1)); sleep {interval_s:g}; done'
    )


_NUMBER = r"-?\d{1,12}(?:\.\d{1,6})?"
_LINE = re.compile(rf"{MARKER} ({_NUMBER}) ({_NUMBER}) ({_NUMBER}) ([A-Z][A-Za-z ]{{1,20}})")


def parse_readings(output: bytes) -> tuple[Reading, ...]:
    """Return the samples in what the script printed, in order of time; never raises.

    Lines that are cut or garbled are left out, and so is what stands before its predecessor in time.
    """
    readings: list[Reading] = []
    for line in output[:LARGEST_BYTES].decode(errors="replace").splitlines()[:MOST_LINES]:
        found = _LINE.fullmatch(line.strip())
        if found is None:
            continue
        at_s, current, voltage = (float(found[group]) for group in (1, 2, 3))
        last_s = readings[-1].at_s if readings else -math.inf
        if at_s >= last_s:  # a clock of hundredths may stand still
            readings.append(Reading(at_s, current, voltage, found[4]))
    return tuple(readings)


def between(readings: tuple[Reading, ...], start_s: float, end_s: float) -> tuple[Reading, ...]:
    """Return the readings from ``start_s`` to ``end_s``, in seconds since boot."""
    return tuple(reading for reading in readings if start_s <= reading.at_s <= end_s)
