"""What a simulated phone is (``Profile``) and the state it is in (``Conditions``).

The frequencies and temperatures are plausible, not measured; they exist so that code which reads
them can be tested. Only ``Conditions.speed`` makes anything really slower.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

# The property by which everyone can tell that this is no phone; numbers taken on it are labelled.
SIMULATED = "ro.edgezoo.simulated"
HOST_ABI = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64-v8a", "arm64": "arm64-v8a"}


def host_abi() -> str:
    """Return Android's name for what this machine executes, as ``ro.product.cpu.abi`` has it."""
    machine = platform.machine()
    return HOST_ABI.get(machine, machine)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Cores that share a clock, slowest first in a profile; frequencies in kHz."""

    cores: int
    lowest_khz: int
    highest_khz: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Profile:
    """The unchanging facts of a phone: what ``getprop`` and the core tree tell."""

    model: str
    manufacturer: str
    soc: str
    clusters: tuple[Cluster, ...]
    memory_mib: int = 5632
    android: str = "14"
    sdk: int = 34
    abi: str = field(default_factory=host_abi)
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """Return the number of cores, which need not be the host's."""
        return sum(cluster.cores for cluster in self.clusters)


PROFILES: tuple[Profile, ...] = (
    Profile(
        "Sim Flagship",
        "edgezoo",
        "SIM8900",
        (
            Cluster(4, 300_000, 1_800_000, 250),
            Cluster(3, 400_000, 2_400_000, 760),
            Cluster(1, 500_000, 2_850_000, 1024),
        ),
        memory_mib=11264,
    ),
    Profile(
        "Sim Midrange",
        "edgezoo",
        "SIM6700",
        (Cluster(6, 300_000, 1_950_000, 380), Cluster(2, 500_000, 2_200_000, 1024)),
        android="13",
        sdk=33,
    ),
    Profile(
        "Sim Budget",
        "edgezoo",
        "SIM4500",
        (Cluster(4, 400_000, 1_500_000, 640), Cluster(4, 400_000, 2_000_000, 1024)),
        memory_mib=2816,
        android="11",
        sdk=30,
    ),
)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The state of a phone, each field changeable while it runs.

    ``thermal_status`` is Android's 0 (none) to 6 (shutdown). ``clock`` is the share of the highest
    frequency that the core tree shows; ``speed`` the share of the time in which programs really
    run, so ``speed=0.9`` makes them about 1/0.9 slower. ``load`` is the phone's 1-minute load,
    ``offline_cores`` are those on which nothing runs. ``guarded`` phones refuse keys and settings to
    the shell, as those of Xiaomi do.
    """

    thermal_status: int = 0
    skin_celsius: float = 33.4
    cpu_celsius: float = 38.2
    battery_level: int = 87
    battery_celsius: float = 29.1
    battery_ua: int = 412_000
    charging: bool = True
    screen_on: bool = True
    low_power_mode: bool = False
    governor: str = "schedutil"
    clock: float = 1.0
    speed: float = 1.0
    load: float = 0.42
    offline_cores: tuple[int, ...] = ()
    guarded: bool = False

    def __post_init__(self) -> None:
        ranges = (
            ("thermal_status", 0, 6),
            ("battery_level", 0, 100),
            ("clock", 0.05, 1.0),
            ("speed", 0.05, 1.0),
        )
        for name, lowest, highest in ranges:
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise ValueError(f"{name} is {value}; it goes from {lowest} to {highest}")
