"""One model on its way through a measurement, and what is recorded of it in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgezoo.devices.failures import ADVICE, FailureClass
from edgezoo.devices.outcome import Report, failed
from edgezoo.devices.stations.station import Station
from edgezoo.devices.subjects import Subject, is_intact
from edgezoo.measurement import Conditions, Measurement
from edgezoo.plan import Plan

# A process is started again after its device came back, this often.
RETRIES = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a measurement stands: ``done`` of ``total`` processes, about to run ``artifact``."""

    done: int
    total: int
    round: int
    artifact: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """How one model fared so far: the reports of its processes, the last one perhaps a failure.

    ``key`` names the job in the journal; ``earlier`` is its measurement where an interrupted run
    had already finished it.
    """

    subject: Subject
    plan: Plan
    key: str
    started_at: str
    reports: tuple[Report, ...] = ()
    earlier: Measurement | None = None

    @property
    def title(self) -> str:
        """The file's or network's name, with the setting of a reference run."""
        setting = self.plan.reference
        name = self.subject.path.name
        return name if setting is None else f"{name}, {setting.label}"

    @property
    def failed(self) -> bool:
        """Whether the last process gave no samples, which ends the course."""
        return bool(self.reports) and self.reports[-1].samples is None

    @property
    def ended(self) -> bool:
        """Whether no process is left to run."""
        done = len(self.reports) >= self.plan.processes
        return self.failed or self.earlier is not None or done


def run_once(station: Station, subject: Subject, plan: Plan) -> Report:
    """Run one process; its samples count only if the file is still the one that was hashed."""
    if not subject.sha256:
        return _unusable("load_error", f"it cannot be read: {subject.unreadable}")
    return intact(_run_with_retries(station, subject, plan), subject)


def intact(report: Report, subject: Subject) -> Report:
    """Return ``report``, or a failure where the file is no longer the one that was hashed."""
    if is_intact(subject):
        return report
    return _unusable("artifact_changed", "the file changed while it was measured")


def _unusable(failure_class: FailureClass, message: str) -> Report:
    return failed(failure_class, f"{message}; {ADVICE[failure_class]}")


def _run_with_retries(station: Station, subject: Subject, plan: Plan) -> Report:
    for attempt in range(RETRIES + 1):
        report = station.wait_until_fit(plan) or station.run(subject, plan, "time")
        if report.samples is not None or attempt == RETRIES or not station.recover(report):
            break
    return report


def draft_of(course: Course, station: Station) -> Measurement:
    """Return the record of a course that ended, without statistics; complete where it failed."""
    subject, plan, last = course.subject, course.plan, course.reports[-1]
    runner = station.runner(subject.format)
    processes = tuple(report.samples for report in course.reports if report.samples is not None)
    draft = Measurement(
        artifact=subject.path.name,
        artifact_sha256=subject.sha256,
        model=subject.model,
        format=subject.format,
        recipe=subject.recipe,
        device=station.device,
        provenance=station.device.kind,
        status="failed",
        failure_class=last.failure_class,
        message=None,
        latency_ms=None,
        peak_memory_mib=None,
        runner=runner.name,
        runner_version=runner.version,
        delegate=next((r.delegate for r in course.reports if r.samples is not None), {}),
        plan=plan,
        processes=processes,
        versions=runner.versions,
        measured_at=course.started_at,
        command=station.command(subject, plan),
        conditions=_ends(course.reports),
        runner_sha256=runner.sha256,
    )
    return _with_failure(draft, course) if course.failed else draft


def _ends(reports: Sequence[Report]) -> tuple[Conditions, ...]:
    """Return the first and the last conditions that were taken."""
    taken = [conditions for report in reports for conditions in report.conditions]
    return (taken[0], taken[-1]) if len(taken) > 1 else tuple(taken)


def _with_failure(draft: Measurement, course: Course) -> Measurement:
    number, last = len(course.reports), course.reports[-1]
    sustained = draft.plan.sustained_s > 0
    place = f"window {number}" if sustained else f"process {number} of {draft.plan.processes}"
    message = f"{draft.title} failed in {place}: {last.message}."
    return replace(draft, message=message)
