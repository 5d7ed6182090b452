"""From a phone's core tree to the mask that taskset gets."""

import subprocess
from collections.abc import Sequence

import pytest

from edgezoo.devices.cores import affinity, clusters_of, core_mask, parse_cores
from edgezoo.devices.failures import DeviceError
from edgezoo.errors import UsageError
from edgezoo.measurement import CORE_CHOICES, Cluster

BIG_LITTLE = (Cluster((0, 1, 2, 3), 1800), Cluster((4, 5, 6), 2400), Cluster((7,), 2850))
EQUAL = (Cluster((0, 1, 2, 3), 2000),)


@pytest.mark.parametrize(
    ("choice", "clusters", "mask"),
    [
        ("big", BIG_LITTLE, 0x80),
        ("fast", BIG_LITTLE, 0xF0),
        ("all", BIG_LITTLE, 0xFF),
        ("none", BIG_LITTLE, None),
        ("f0", BIG_LITTLE, 0xF0),
        ("0x0F", BIG_LITTLE, 0x0F),
        ("big", EQUAL, 0x0F),
        ("fast", EQUAL, 0x0F),
        ("all", (), 0xFF),
        ("none", (), None),
    ],
)
def test_mask(choice: str, clusters: Sequence[Cluster], mask: int | None) -> None:
    cores = 4 if clusters == EQUAL else 8
    assert core_mask(choice, clusters, cores) == mask


def test_the_choices_are_the_plans() -> None:
    assert all(core_mask(choice, EQUAL, 4) in (None, 0xF) for choice in CORE_CHOICES)


@pytest.mark.parametrize("choice", ["large", "", "g0", "0", "100", "-1", "0x", "1ff"])
def test_no_mask(choice: str) -> None:
    with pytest.raises(UsageError, match=r"mask"):
        core_mask(choice, BIG_LITTLE, 8)


@pytest.mark.parametrize("choice", ["big", "fast"])
def test_unknown_clusters(choice: str) -> None:
    with pytest.raises(DeviceError, match="does not tell how fast its cores are"):
        core_mask(choice, (), 8)


def test_policies_count_before_cores() -> None:
    """Core 7 is offline: it has no folder of its own, but its policy names it."""
    tree = {
        "cpufreq/policy0/related_cpus": "0 1 2 3",
        "cpufreq/policy0/cpuinfo_max_freq": "1800000",
        "cpufreq/policy4/related_cpus": "4-7",
        "cpufreq/policy4/cpuinfo_max_freq": "2400000",
        "cpu4/cpufreq/cpuinfo_max_freq": "999",
    }
    assert clusters_of(tree) == (Cluster((0, 1, 2, 3), 1800), Cluster((4, 5, 6, 7), 2400))


def test_cores_where_there_are_no_policies() -> None:
    tree = {f"cpu{core}/cpufreq/cpuinfo_max_freq": "1500000" for core in (1, 0)}
    tree["cpu2/cpufreq/cpuinfo_max_freq"] = "<unknown>"
    assert clusters_of(tree) == (Cluster((0, 1), 1500),)


@pytest.mark.parametrize(
    ("text", "cores"),
    [("0-3,7", (0, 1, 2, 3, 7)), ("4 5\n", (4, 5)), ("", ()), ("99999999999", ()), ("7-3", ())],
)
def test_kernel_lists(text: str, cores: tuple[int, ...]) -> None:
    assert parse_cores(text) == cores


def test_a_huge_list_is_cut() -> None:
    assert len(parse_cores("0-9999")) == 1024


def test_taskset_takes_it() -> None:
    command = (*affinity(core_mask("1", (), 2)), "sh", "-c", "taskset -p $$")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(": 1\n")
    assert affinity(None) == ()
