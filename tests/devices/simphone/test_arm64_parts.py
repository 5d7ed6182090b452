"""The parts of Arm emulation that need none: what is missing, cpuinfo, the kernel's rule."""

import dataclasses
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgezoo.devices.runners.elf import parse_elf
from edgezoo.devices.simphone import PROFILES, Profile, SimulatedPhone, arm64, trees
from edgezoo.errors import UsageError

ARM = dataclasses.replace(PROFILES[0], abi=arm64.ABI)
emulates = pytest.mark.skipif(
    not arm64.emulated(arm64.ABI), reason="this machine executes arm64 itself"
)


@emulates
def test_names_what_is_not_installed(tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "edgezoo.cli", "simphone", "--abi", arm64.ABI),
        env={**os.environ, "PATH": str(tmp_path), "ANDROID_ADB_SERVER_PORT": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "run apt-get install qemu-user-static" in done.stderr
    without_zig = importlib.util.find_spec("ziglang") is None
    assert ("and pip install ziglang" in done.stderr) == without_zig


@emulates
def test_needs_namespaces() -> None:
    with pytest.raises(UsageError, match="executes arm64-v8a in namespaces only"):
        SimulatedPhone(ARM, isolated=False)


@pytest.mark.parametrize("abi", ["armeabi-v7a", PROFILES[0].abi])
def test_other_phones_emulate_nothing(abi: str) -> None:
    assert not arm64.emulated(abi)
    assert arm64.emulator_for(abi, isolated=False) is None


@emulates
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.model)
def test_cpuinfo(profile: Profile) -> None:
    text = trees.cpuinfo(dataclasses.replace(profile, abi=arm64.ABI))
    cores = [int(number) for number in re.findall(r"(?m)^processor\t: (\d+)$", text)]
    assert cores == list(range(profile.cores))
    parts = re.findall(r"(?m)^CPU part\t: (\w+)$", text)
    small = profile.cores - profile.clusters[-1].cores
    assert parts == [arm64.SMALL_CORE] * small + [arm64.LARGE_CORE] * (profile.cores - small)
    assert profile.soc in text.splitlines()[-1]


def test_the_rule_is_for_arm64_alone() -> None:
    """Against headers as System V's gABI and the supplements of Arm and x86 define them."""
    magic, mask = (unescaped(text) for text in arm64.BINFMT.split(":")[4:6])
    assert len(magic) == len(mask) == 20  # up to e_machine

    def fits(machine: int, kind: int, bits: int = 64) -> bool:
        head = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
        head += kind.to_bytes(2, "little") + machine.to_bytes(2, "little")
        assert (parse_elf(head + bytes(44)).abi == arm64.ABI) == (machine == 183 and bits == 64)
        return all(a & m == b & m for a, b, m in zip(head, magic, mask, strict=True))

    assert fits(183, 2) and fits(183, 3)  # executable, position-independent
    assert not any(fits(machine, 3) for machine in (62, 3, 40, 243))
    assert not fits(183, 1) and not fits(183, 3, bits=32)


def unescaped(text: str) -> bytes:
    return text.encode().decode("unicode_escape").encode("latin-1")
