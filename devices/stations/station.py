"""The seam between the measuring protocol and a place that runs model files.

The protocol decides what runs when; a station knows how to run one process there. A new kind of
place is one class with these six members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from edgezoo.devices.outcome import Report
from edgezoo.devices.subjects import Subject
from edgezoo.measurement import DeviceInfo, MeasuredFormat
from edgezoo.plan import Plan

# Memory, energy and per-operation profiles come from separate processes, since taking them disturbs
# the timing on some runners.
Purpose = Literal["time", "memory", "profile", "energy"]


@dataclass(frozen=True, slots=True)
class RunnerFacts:
    """The runtime behind the numbers of one format; ``sha256`` of its binary where it is one."""

    name: str
    version: str
    versions: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None


class Station(Protocol):
    """A place where processes run, one at a time."""

    @property
    def device(self) -> DeviceInfo:
        """What the place is."""

    def check(self, subjects: Sequence[Subject], plan: Plan) -> None:
        """Raise ``UsageError`` or ``BenchmarkError`` for what cannot be measured here at all."""

    def runner(self, format_: MeasuredFormat) -> RunnerFacts:
        """Return the runtime that runs files of ``format_`` here."""

    def command(self, subject: Subject, plan: Plan) -> tuple[str, ...]:
        """Return the argument list of a timing process, as it is stored with the number."""

    def wait_until_fit(self, plan: Plan) -> Report | None:
        """Wait for the conditions that ``plan.gate`` asks for; a failed report if they never come."""

    def run(self, subject: Subject, plan: Plan, purpose: Purpose) -> Report:
        """Run one fresh process; failures come back as reports, none is raised."""

    def recover(self, report: Report) -> bool:
        """Return whether the place works again after the failure in ``report`` was its own.

        ``False`` says that the model failed, or that the place is gone for good.
        """
