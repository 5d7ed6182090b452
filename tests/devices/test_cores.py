"""From a phone's core tree to the mask that taskset gets."""

import re
import subprocess
from collections.abc import Sequence

import pytest

from edgezoo.devices.cores import (
    affinity,
    clusters_of,
    core_mask,
    parse_cores,
    refuse_hidden,
    telling,
    unbound,
)
from edgezoo.devices.failures import DeviceError
from edgezoo.errors import UsageError
from edgezoo.measurement import Cluster
from edgezoo.plan import CORE_CHOICES

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


def test_cores_that_were_offline_when_it_was_asked() -> None:
    """An old kernel hides the big cluster that sleeps: the little one is not the big one."""
    tree = {f"cpu{core}/cpufreq/cpuinfo_max_freq": "1500000" for core in range(4)}
    for choice in ("big", "fast"):
        with pytest.raises(DeviceError, match="cores 4, 5, 6, 7 are offline") as caught:
            refuse_hidden(choice, clusters_of(tree), 8)
        assert caught.value.failure.failure_class == "cores_unavailable"
    for choice in ("all", "none", "f"):
        refuse_hidden(choice, clusters_of(tree), 8)
    refuse_hidden("big", BIG_LITTLE, 8)


@pytest.mark.parametrize(
    ("output", "complaints", "rest", "words"),
    [
        (b"pid 12's current affinity mask: f0\nSTARTING!\n", b"", b"STARTING!\n", None),
        (b"pid 12's current affinity mask: f0\r\nSTARTING!\r\n", b"", b"STARTING!\r\n", None),
        (b"WARNING: x\npid 1's current affinity mask: 0xf0\n", b"", b"WARNING: x\n", None),
        (b"pid 12's current affinity mask: 30\n", b"", b"", "of the cores of the mask f0 .* of 30"),
        (
            b"",
            b"taskset: failed to set pid 0's affinity: Invalid argument\n",
            b"",
            "none of the cores",
        ),
        (b"", b"taskset: can't set pid 9's affinity: Invalid argument\n", b"", "none of the cores"),
        (b"", b"/system/bin/sh: taskset: inaccessible or not found\n", b"", "has no taskset"),
        (
            b"/system/bin/sh: taskset: not found\n",
            b"",
            b"/system/bin/sh: taskset: not found\n",
            "has no",
        ),
        (b"", b"sh: ./run: Permission denied\n", b"", None),
    ],
)
def test_the_mask_in_force(
    output: bytes, complaints: bytes, rest: bytes, words: str | None
) -> None:
    printed, failure = unbound(output, complaints, 0xF0)
    assert printed == rest
    if words is None:
        assert failure is None
    else:
        assert failure is not None
        assert failure.failure_class == "cores_unavailable"
        assert re.search(words, failure.message)


def test_taskset_tells_it() -> None:
    command = telling((*affinity(1), "sh", "-c", "echo $1; exit 5", "sh", "word"))
    done = subprocess.run(command, capture_output=True, check=False)
    assert unbound(done.stdout, done.stderr, 1) == (b"word\n", None)
    assert done.returncode == 5
