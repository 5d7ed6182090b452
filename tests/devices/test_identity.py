"""What a phone is, from the texts of many makers."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.devices.describe import describe_host
from edgezoo.devices.identity import device_of, parse_properties
from edgezoo.devices.survey import describe, parts_of, survey
from edgezoo.devices.transports.local import LocalTransport
from tests.devices.phone_texts import DUMPS

PROPERTIES = DUMPS["Google, Android 14"].properties


@pytest.mark.parametrize("kind", DUMPS)
def test_a_phone(kind: str) -> None:
    dump = DUMPS[kind]
    device = device_of(dump.parts, "R58N")
    assert (device.name, device.cpu, device.os) == (dump.name, dump.cpu, dump.os)
    assert (device.abis, device.clusters) == (dump.abis, dump.clusters)
    assert device.cores == sum(len(cluster.cores) for cluster in dump.clusters)
    assert device.memory_mib == dump.memory_kb // 1024
    assert (device.kind, device.serial) == ("phone", "R58N")
    assert (device.governor, device.load_1min) == ("schedutil", 3.25)


def test_values_of_several_lines() -> None:
    assert parse_properties(PROPERTIES)["persist.sys.note"] == "two\nlines"


@pytest.mark.parametrize(
    "line",
    [
        "[ro.edgezoo.simulated]: [1]",
        "[ro.kernel.qemu]: [1]",
        "[ro.hardware]: [ranchu]",
        "[ro.hardware]: [vbox86]",
        "[ro.hardware]: [windows_x86_64]",
    ],
)
def test_no_phone_at_all(line: str) -> None:
    """A number taken on an emulator must never stand among those of phones."""
    device = device_of({"properties": f"{PROPERTIES}{line}\n"}, "x")
    assert device.kind == "simulated"
    assert device.emulator is ("edgezoo" not in line)


def test_room_for_more_cores_than_there_are() -> None:
    parts = {"cores": "possible=0-15\npresent=0-7\n"}
    assert device_of(parts, "x").cores == 8


def test_a_board() -> None:
    parts = {
        "system": "Linux 6.6.31 aarch64\n\n",
        "release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "board": "Raspberry Pi 5 Model B Rev 1.0\n",
        "host": "pi\n",
        "cpuinfo": "processor\t: 0\nprocessor\t: 1\nprocessor\t: 2\nprocessor\t: 3\n",
    }
    device = device_of(parts, "me@pi")
    assert (device.name, device.kind, device.serial) == ("pi", "host", "me@pi")
    assert (device.cpu, device.cores) == ("Raspberry Pi 5 Model B Rev 1.0", 4)
    assert device.os == "Debian GNU/Linux 12 (bookworm), Linux 6.6.31 aarch64"
    assert device.abis == ("aarch64",)


def test_this_machine_as_a_device(tmp_path: object) -> None:
    """The script that phones get tells of this machine what Python tells of it."""
    host = describe_host()
    device, conditions = survey(LocalTransport(f"{tmp_path}/edgezoo"))
    assert (device.kind, device.name, device.memory_mib) == ("host", host.name, host.memory_mib)
    assert device.cpu == host.cpu
    assert conditions.load_1min is not None
    assert conditions.battery_percent is None


def test_a_device_that_tells_nothing() -> None:
    device = device_of({}, "R58N")
    assert (device.name, device.cpu, device.cores, device.memory_mib) == ("R58N", "unknown", 1, 0)
    assert (device.clusters, device.governor, device.fingerprint) == ((), None, None)


@given(st.dictionaries(st.sampled_from(sorted(DUMPS["Exynos, Android 9"].parts)), st.text()))
def test_garbled_parts(parts: dict[str, str]) -> None:
    assert device_of(parts, "x").cores >= 1


@given(st.data())
def test_damaged_answers(data: st.DataObject) -> None:
    """Cut anywhere and with a piece overwritten, an answer still describes some device."""
    dump = data.draw(st.sampled_from(list(DUMPS.values())))
    text = "".join(f"EZ_PART {name}\n{part}\n" for name, part in dump.parts.items())
    start = data.draw(st.integers(0, len(text)))
    damaged = text[:start] + data.draw(st.text(max_size=8)) + text[start + 3 :]
    device = device_of(parts_of(damaged[: data.draw(st.integers(0, len(damaged)))]), "x")
    assert device.cores >= 1


def test_describe_is_part_of_survey(tmp_path: object) -> None:
    transport = LocalTransport(f"{tmp_path}/edgezoo")
    device, boot_id = describe(transport)
    assert boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    told = replace(device, load_1min=None)
    assert told == replace(survey(transport)[0], load_1min=None)
