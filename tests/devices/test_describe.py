"""The description of this machine against what its own tools say."""

import os
import platform
import subprocess
from pathlib import Path

import pytest

from edgezoo.devices.describe import available_cores, describe_host

BARE = {"PATH": os.environ["PATH"]}  # nproc obeys OMP_NUM_THREADS

CPUINFO = {
    "x86": (
        "processor : 0\nmodel name\t: Some CPU @ 2.0 GHz\n\nmodel name\t: Some CPU @ 2.0 GHz\n"
    ),
    "board": (
        "processor\t: 0\nBogoMIPS\t: 108.00\n\nHardware\t: BCM2835\nModel\t: Some CPU @ 2.0 GHz"
    ),
}


def test_this_machine() -> None:
    device = describe_host()
    assert device.kind == "host"
    assert device.name == platform.node()
    assert device.cores == int(subprocess.run(["nproc"], capture_output=True, env=BARE).stdout)
    assert device.load_1min is not None


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="the comparison needs Linux")
def test_memory_is_the_kernels() -> None:
    (total,) = (li for li in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in li)
    assert describe_host().memory_mib == int(total.split()[1]) // 1024


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_only_allowed_cores_count() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_without_proc(tmp_path: Path) -> None:
    device = describe_host(tmp_path)
    assert device.cpu == (platform.processor() or platform.machine())
    assert device.governor is None


@pytest.mark.parametrize("kind", CPUINFO)
def test_cpu_model(kind: str, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(CPUINFO[kind])
    assert describe_host(tmp_path).cpu == "Some CPU @ 2.0 GHz"


def test_governors_that_differ(tmp_path: Path) -> None:
    for core, governor in enumerate(("schedutil", "performance", "schedutil")):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(governor + "\n")
    assert describe_host(tmp_path).governor == "performance+schedutil"
