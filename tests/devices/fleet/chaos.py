"""Faults at random, seeded, on many phones while they are measured; and what may come of it."""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgezoo.devices.failures import FAILURE_CLASSES
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.faults import SITUATIONS, ProgramFault
from edgezoo.errors import BenchmarkError
from edgezoo.measurement import Measurement
from edgezoo.plan import Plan

# What is set for a moment and taken back; None stands for an action of the phone.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    **{
        name: SITUATIONS[name][1]
        for name in (
            "exec_denied", "not_found", "link_error", "segfault", "illegal_instruction", "abort",
            "out_of_memory", "truncated_log", "not_utf8", "unknown_flag", "disk_full", "read_only",
            "unauthorized", "offline", "authorizing", "no_shell", "throttled", "hot_battery",
            "low_power_mode", "link_frozen", "slow_link",
        )
    },
    "link_lost": {"drop_after_bytes": 1000},
    "link_lost_in_push": {"drop_after_bytes": 300_000},
    "answer_lost": {"drop_after_sent_bytes": 800},
    "exits": {"program": ProgramFault(ending="exit", lines=4, exit_code=1)},
}  # fmt: skip
ACTIONS = ("drop", "reboot", "replug", "forget_keys", "unplugged")
LONGEST_S = 0.4


@dataclass
class Chaos:
    """Befalls ``phones`` with faults until it is stopped; use it with ``with``.

    The same seed gives the same faults in the same order; when they hit is the machine's matter.
    """

    phones: Sequence[SimulatedPhone]
    seed: int
    most: int
    happened: Counter[str] = field(default_factory=Counter)
    _off: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Chaos":
        for number, phone in enumerate(self.phones):
            generator = random.Random(self.seed + number)
            thread = threading.Thread(target=self._befall, args=(phone, generator))
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._off.set()
        for thread in self._threads:
            thread.join()

    @property
    def enough(self) -> bool:
        return sum(self.happened.values()) >= self.most

    def _befall(self, phone: SimulatedPhone, generator: random.Random) -> None:
        try:
            while not self._off.wait(generator.uniform(0, 2 * LONGEST_S)) and not self.enough:
                name = generator.choice((*SETTINGS, *ACTIONS))
                self._befall_once(phone, name, generator.uniform(0, LONGEST_S))
                self.happened[name] += 1
        finally:
            heal(phone)

    def _befall_once(self, phone: SimulatedPhone, name: str, seconds: float) -> None:
        try:
            if name in SETTINGS:
                phone.set(**SETTINGS[name])
                self._off.wait(seconds)
            elif name == "unplugged":
                phone.unplug()
                self._off.wait(seconds)
                phone.replug()
            else:
                getattr(phone, name)()
        except BenchmarkError:  # the phone is not back in the state that was waited for
            pass
        finally:
            heal(phone)


def heal(phone: SimulatedPhone) -> None:
    """Take everything back, and give the phone to its server again."""
    while True:
        try:
            phone.heal()
            return phone.replug()
        except BenchmarkError:
            time.sleep(0.1)


def check(measurement: Measurement, plan: Plan, sha256s: Mapping[str, str]) -> str:
    """Assert that this is a right number or a failure with a name; return which."""
    assert measurement.artifact_sha256 == sha256s[measurement.artifact]
    assert measurement.provenance == "simulated"
    for process in measurement.processes:
        assert len(process.wall_ms) == plan.runs
        assert all(0 < sample < 60_000 for sample in process.wall_ms)
        assert process.log_sha256
    if measurement.status == "failed":
        assert measurement.failure_class in FAILURE_CLASSES
        assert measurement.latency_ms is None
        assert measurement.message
        assert "; " in measurement.message
        assert "\n" not in measurement.message
        return measurement.failure_class or ""
    assert measurement.failure_class is None
    assert measurement.latency_ms is not None
    assert len(measurement.processes) == plan.processes
    assert measurement.latency_ms.minimum <= measurement.latency_ms.median < 60_000
    assert measurement.delegate["used"] == "xnnpack"
    return measurement.status
