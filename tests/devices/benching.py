"""What tests of measuring on simulated phones share: a run with events in its course, and its store."""

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgezoo import pipeline, results
from edgezoo.devices.failures import ADVICE, FailureClass
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.faults import ProgramFault
from edgezoo.devices.simphone.init import descendants
from edgezoo.measurement import Measurement
from edgezoo.plan import Gate, Plan

Event = Callable[[], object]
HANG = ProgramFault(ending="hang", lines=3)
PLAN: Mapping[str, Any] = {
    "processes": 3, "warmup": 1, "runs": 5, "timeout_s": 60.0, "gate": Gate(cooldown_s=0.0),
}  # fmt: skip


@dataclass
class Bench:
    """Runs ``pipeline.bench``; ``started`` are the steps of the last run, ``said`` all it reported."""

    device: str
    runner: Path
    store: Path
    said: list[str] = field(default_factory=list)

    def __call__(
        self, *files: Path, before: Mapping[int, Event] | None = None, **fields: Any
    ) -> tuple[Measurement, ...]:
        """``before`` are events right before the process of a number from 1; the rest is of the plan."""
        events = dict(before or {})
        self.said.clear()

        def progress(message: str) -> None:
            self.said.append(message)
            step = re.search(r"process (\d+) of", message)
            if step and int(step[1]) in events:
                events.pop(int(step[1]))()

        options = {name: fields.pop(name) for name in ("device", "servers") if name in fields}
        result = pipeline.bench(
            files,
            plan=Plan(**{**PLAN, **fields}),
            store=self.store,
            runner=self.runner,
            progress=progress,
            **{"device": self.device, **options},
        )
        assert not events, "a process with an event was never started"
        for event in (before or {}).values():
            assert not isinstance(event, InTheMiddle) or event.happened.is_set()
        return result.measurements

    @property
    def started(self) -> list[str]:
        """The processes that were started."""
        return [message for message in self.said if message.startswith("timing")]

    @property
    def stored(self) -> tuple[Measurement, ...]:
        return results.read(self.store).measurements


def only(measurements: Sequence[Measurement]) -> Measurement:
    """Return the one measurement that there must be."""
    (measurement,) = measurements
    return measurement


def refused(measurement: Measurement, kind: FailureClass, processes: int = 0) -> str:
    """Assert that this is a failure with a name, one sentence and no number; return the sentence."""
    assert measurement.failure_class == kind, measurement.message
    assert measurement.status == "failed"
    assert measurement.latency_ms is None
    assert len(measurement.processes) == processes
    assert measurement.message is not None
    assert ADVICE[kind] in measurement.message
    assert measurement.message.endswith(".")
    assert "\n" not in measurement.message
    return measurement.message


def measured(measurement: Measurement, **fields: Any) -> None:
    """Assert that this is a complete number of the plan that ``Bench`` has."""
    plan = Plan(**{**PLAN, **fields})
    assert measurement.status in ("ok", "unstable"), measurement.message
    assert measurement.failure_class is None
    assert len(measurement.processes) == plan.processes
    assert all(len(process.wall_ms) == plan.runs for process in measurement.processes)
    assert measurement.latency_ms is not None
    low, high = measurement.latency_ms.interval
    assert 0 < measurement.latency_ms.minimum <= low <= measurement.latency_ms.median <= high
    assert measurement.provenance == "simulated"
    assert measurement.runner_sha256


@dataclass
class InTheMiddle:
    """Lets the next program on a phone hang; ``event`` happens while it does."""

    phone: SimulatedPhone
    event: Event
    happened: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.phone.set(program=HANG)
        threading.Thread(target=self._happen, daemon=True).start()

    def _happen(self) -> None:
        while not hanging(self.phone):
            time.sleep(0.02)
        self.phone.set(program=None)
        self.happened.set()
        self.event()


def hanging(phone: SimulatedPhone) -> bool:
    """Tell whether a program hangs on this phone: simfault has become ``sleep 1000000``."""
    return any("sleep 1000000" in line for line in processes_of(phone))


def processes_of(phone: SimulatedPhone) -> list[str]:
    """Return the command lines of what runs on a phone, its first processes left out."""
    if phone.machine is None:
        return []
    lines = []
    for pid in descendants(phone.machine.outer_pid):
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if line and "simphone/init.py" not in line:
                lines.append(line)
    return lines


def running(words: str) -> list[str]:
    """Return the command lines on this machine that have ``words``, but this process's."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                if words.encode() in line:
                    found.append(line.decode(errors="replace"))
    return found


def left_on(phone: SimulatedPhone) -> list[str]:
    """Return what a run must not leave on a phone: locks, marks of commands, pieces of files."""
    folder = phone.tree.root / "data/local/tmp/edgezoo"
    names = [*folder.glob("lock"), *folder.glob("breaking*"), *folder.glob("run/*")]
    names += folder.glob("*/*.part")
    stay_on = phone.tree.root / "data/system/settings/global/stay_on_while_plugged_in"
    left = [str(name.relative_to(folder)) for name in names]
    return left + ([] if stay_on.read_text().strip() == "0" else ["the screen stays on"])
