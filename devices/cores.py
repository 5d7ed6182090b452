"""Clusters of cores, and the mask of those on which a process shall run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from edgezoo.devices.failures import DeviceError, Failure
from edgezoo.errors import UsageError
from edgezoo.measurement import Cluster
from edgezoo.plan import CORE_CHOICES

HIGHEST_CORE = 1023  # Linux on Arm has no more; a garbled number must not become a huge mask


def parse_cores(text: str) -> tuple[int, ...]:
    """Return the core numbers of a kernel list such as ``0-3,7`` or ``0 1 2 3``."""
    cores: list[int] = []
    for first, last in re.findall(r"\b(\d{1,4})(?:-(\d{1,4}))?\b", text):
        cores += range(int(first), min(int(last or first), HIGHEST_CORE) + 1)
    return tuple(core for core in cores if core <= HIGHEST_CORE)


def clusters_of(tree: Mapping[str, str]) -> tuple[Cluster, ...]:
    """Return the clusters, slowest first, of a tree of /sys/devices/system/cpu (path: content).

    Cores with the same highest frequency are one cluster. The policies are asked first, because a
    core that is offline has no ``cpufreq`` folder of its own. Without frequencies there are none.
    """
    khz: dict[int, int] = {}
    for path, value in tree.items():
        policy = re.fullmatch(r"cpufreq/policy\d+/related_cpus", path)
        highest = frequency_khz(tree.get(path.replace("related_cpus", "cpuinfo_max_freq"), ""))
        if policy and highest:
            khz |= dict.fromkeys(parse_cores(value), highest)
    for path, value in tree.items():
        core = re.fullmatch(r"cpu(\d{1,3})/cpufreq/cpuinfo_max_freq", path)
        highest = frequency_khz(value)
        if core and highest:
            khz.setdefault(int(core[1]), highest)
    return tuple(
        Cluster(tuple(sorted(core for core in khz if khz[core] == speed)), round(speed / 1000))
        for speed in sorted(set(khz.values()))
    )


def frequency_khz(text: str) -> int | None:
    """Return a frequency as the kernel writes it, or ``None`` for anything else."""
    return int(text) if re.fullmatch(r"\d{1,9}", text) else None


def core_mask(choice: str, clusters: Sequence[Cluster], cores: int) -> int | None:
    """Return the mask that ``--cores`` asks for, bit 0 for core 0, or ``None`` for ``none``.

    ``big`` is the fastest cluster, ``fast`` all but the slowest, ``all`` every core by mask, and a
    hexadecimal number the mask itself. With one cluster the first three are the same.

    Raises:
        UsageError: neither a choice nor a mask of cores that exist.
        DeviceError: ``big`` or ``fast`` where the device does not tell its frequencies.
    """
    if choice == "none":
        return None
    if choice == "all":
        return (1 << cores) - 1
    if choice in CORE_CHOICES:
        if not clusters:
            message = (
                f"the device does not tell how fast its cores are, so --cores {choice} is open"
            )
            raise DeviceError(Failure("cores_unavailable", message))
        chosen = clusters[-1:] if choice == "big" else clusters[1:] or clusters
        return sum(1 << core for cluster in chosen for core in cluster.cores)
    if not re.fullmatch(r"(?:0[xX])?[0-9a-fA-F]+", choice):
        options = ", ".join(CORE_CHOICES)
        raise UsageError(
            f"--cores {choice!r} is neither one of {options} nor a hexadecimal mask such as f0"
        )
    mask = int(choice, 16)
    if not 0 < mask < 1 << cores:
        raise UsageError(
            f"the mask {choice} names no or more than the {cores} cores of the device; "
            f"the mask of all is {(1 << cores) - 1:x}"
        )
    return mask


def refuse_hidden(choice: str, clusters: Sequence[Cluster], cores: int) -> None:
    """Raise ``DeviceError`` where ``big`` or ``fast`` is open because cores hide their frequency.

    Kernels before 4.4 take the frequencies of a core away with the core when it goes offline.
    """
    told = {core for cluster in clusters for core in cluster.cores}
    hidden = sorted(set(range(cores)) - told)
    if choice in ("big", "fast") and told and hidden:
        message = (
            f"cores {', '.join(map(str, hidden))} are offline and do not tell how fast they are, "
            f"so --cores {choice} is open"
        )
        raise DeviceError(Failure("cores_unavailable", message))


def affinity(mask: int | None) -> tuple[str, ...]:
    """Return the words before a command that bind it to ``mask``; none without one."""
    return () if mask is None else ("taskset", f"{mask:x}")


# The kernel leaves out of a mask, without a word, what is offline or barred to the process.
_TELL = 'taskset -p $$ || exit; exec "$@"'
_IN_FORCE = re.compile(rb"(?m)^pid \d+'s current affinity mask: (?:0x)?([0-9a-fA-F]{1,256})\r?\n")
_REFUSALS: tuple[tuple[bytes, str], ...] = (
    (rb"(?:failed to|can't) set .*affinity", "none of the cores of the mask {mask:x} is online"),
    (rb"taskset: (?:inaccessible or )?not found", "the device has no taskset to bind it to cores"),
)


def telling(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command that ``affinity`` binds so that the mask in force is printed before it runs."""
    return (*command[:2], "sh", "-c", _TELL, "sh", *command[2:])


def unbound(output: bytes, complaints: bytes, mask: int) -> tuple[bytes, Failure | None]:
    """Return what a command of ``telling`` printed itself, and why it was not bound to ``mask``.

    ``complaints`` is its standard error, which old devices put among the output.
    """
    told = _IN_FORCE.search(output)
    if told is None:
        for pattern, meaning in _REFUSALS:
            if re.search(pattern, complaints + output):
                return output, Failure("cores_unavailable", meaning.format(mask=mask))
        return output, None  # it did not come to that; what it printed says why
    rest = output[: told.start()] + output[told.end() :]
    in_force = int(told[1], 16)
    if in_force == mask:
        return rest, None
    message = f"of the cores of the mask {mask:x} the device gave those of {in_force:x}"
    return rest, Failure("cores_unavailable", message)
