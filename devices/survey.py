"""What a device is and how it is, by one question: one remote command, many parts in its answer.

A question costs 30 ms and more on a real link, so everything is asked at once. Each part may be
missing or garbled: what a device does not tell is left out, it never fails the survey.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from edgezoo.devices.identity import device_of
from edgezoo.devices.state import conditions_of
from edgezoo.devices.transports.transport import Completed, Transport
from edgezoo.measurement import Conditions, DeviceInfo

ANSWER_S = 30.0  # dumpsys waits up to 10 s for a service that is busy
PART = "EZ_PART"

# `read` is a builtin: a loop over a hundred files starts no process.
_TREE = 'value=; read -r value < "$file" && echo "$file=$value"'

_FACTS = f"""
echo "{PART} properties"; getprop
echo "{PART} cpuinfo"; cat /proc/cpuinfo
echo "{PART} meminfo"; cat /proc/meminfo
echo "{PART} system"; uname -s -r -m; echo
echo "{PART} release"; cat /etc/os-release
echo "{PART} board"; tr -d '\\000' < /proc/device-tree/model; echo
echo "{PART} host"; uname -n
echo "{PART} cores"
(cd /sys/devices/system/cpu && for file in possible present cpufreq/policy*/related_cpus \\
  cpufreq/policy*/cpuinfo_max_freq cpufreq/policy*/scaling_governor \\
  cpu[0-9]*/cpufreq/cpuinfo_max_freq cpu[0-9]*/cpufreq/scaling_governor; do {_TREE}; done)
"""

# What every process on a device ends with; see ``conditions_in``.
STATE = f"""
echo "{PART} load"; cat /proc/loadavg
echo "{PART} mhz"
(cd /sys/devices/system/cpu && for file in cpu[0-9]*/cpufreq/scaling_cur_freq; do {_TREE}; done)
echo "{PART} zones"
for zone in /sys/class/thermal/thermal_zone*; do
  kind=; value=; read -r kind < $zone/type && read -r value < $zone/temp && echo "$kind=$value"
done
if command -v dumpsys > /dev/null; then
  echo "{PART} thermal"; dumpsys thermalservice
  echo "{PART} battery"; dumpsys battery
  power=$(dumpsys power | grep -E 'mWakefulness=|mLowPower|Display Power|[Ss]aver|Enabled=')
  echo "{PART} power"; echo "$power"
  case $power in
  *mLowPowerModeEnabled=*|*'attery saver state machine'*' Enabled='*) ;;
  *) echo "{PART} low_power"; settings get global low_power;;  # a Java program: half a second
  esac
fi
"""


def describe(transport: Transport) -> tuple[DeviceInfo, str]:
    """Return what the device is and the id of its boot, empty where it does not tell that.

    Raises ``DeviceError`` where it does not answer.
    """
    answer = _ask(transport, _FACTS + STATE)
    return device_of(parts_of(answer.text), transport.serial), answer.boot_id


def read_conditions(transport: Transport) -> Conditions:
    """Return the state it is in now. Raises ``DeviceError`` where it does not answer."""
    return conditions_of(parts_of(_ask(transport, STATE).text), _now())


def conditions_in(text: str) -> Conditions:
    """Return the conditions in what ``STATE`` printed just now."""
    return conditions_of(parts_of(text), _now())


def survey(transport: Transport) -> tuple[DeviceInfo, Conditions]:
    """Return both with one question. Raises ``DeviceError`` where it does not answer."""
    parts = parts_of(_ask(transport, _FACTS + STATE).text)
    return device_of(parts, transport.serial), conditions_of(parts, _now())


def _ask(transport: Transport, script: str) -> Completed:
    answer = transport.run(f"{{ {script} }} 2>/dev/null; true", ANSWER_S)
    if not answer.ended:
        raise answer.lost()
    return answer


def parts_of(text: str) -> Mapping[str, str]:
    """Return the parts of an answer by name."""
    pieces = re.split(rf"(?m)^{PART} (\w+)\r?\n", text)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
