"""The description of this machine against what its own tools say."""

import os
import platform
import subprocess
from pathlib import Path

import pytest

from edgezoo.devices.describe import available_cores, describe_host, host_conditions
from edgezoo.measurement import Cluster

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


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def test_clusters_and_system(tmp_path: Path) -> None:
    """A board with two clusters; its fingerprint is distribution and kernel."""
    cpus = "sys/devices/system/cpu/cpufreq"
    write(
        tmp_path,
        {
            f"{cpus}/policy0/related_cpus": "0 1 2 3",
            f"{cpus}/policy0/cpuinfo_max_freq": "1800000",
            f"{cpus}/policy4/related_cpus": "4 5",
            f"{cpus}/policy4/cpuinfo_max_freq": "2400000",
            "etc/os-release": 'NAME="x"\nPRETTY_NAME="Some Linux 12"',
        },
    )
    device = describe_host(tmp_path)
    assert device.clusters == (Cluster((0, 1, 2, 3), 1800), Cluster((4, 5), 2400))
    assert device.abis == (platform.machine(),)
    assert str(device.fingerprint).startswith(f"Some Linux 12, {platform.system()} ")
    assert platform.version() in str(device.fingerprint)


def test_conditions_of_a_tree(tmp_path: Path) -> None:
    cpus, zones = "sys/devices/system/cpu", "sys/class/thermal"
    write(
        tmp_path,
        {
            f"{cpus}/cpu0/cpufreq/scaling_cur_freq": "1200000",
            f"{cpus}/cpu10/cpufreq/scaling_cur_freq": "1500000",
            f"{cpus}/cpu2/cpufreq/scaling_cur_freq": "1300000",
            f"{zones}/thermal_zone0/type": "acpitz",
            f"{zones}/thermal_zone0/temp": "99000",
            f"{zones}/thermal_zone1/type": "x86_pkg_temp",
            f"{zones}/thermal_zone1/temp": "61000",
            f"{zones}/thermal_zone2/type": "x86_pkg_temp",  # a second socket
            f"{zones}/thermal_zone2/temp": "55000",
            f"{zones}/thermal_zone3/type": "cpu-thermal",
            f"{zones}/thermal_zone3/temp": "<invalid>",
        },
    )
    found = host_conditions(tmp_path)
    assert found.mhz == (1200, 1300, 1500)
    assert (found.hottest_sensor, found.hottest_celsius) == ("x86_pkg_temp", 61.0)
    assert found.taken_at.endswith("+00:00")


def test_conditions_of_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = host_conditions(tmp_path)
    assert (found.mhz, found.hottest_celsius, found.battery_percent) == ((), None, None)
