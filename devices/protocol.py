"""The measuring protocol: rounds over all models in shuffled order, a fresh process for each.

A slow drift of the device (heat, a neighbour) then hits every model alike and shows up as
differences between processes, instead of passing for a difference between models.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from edgezoo.devices.journal import Journal, job_key
from edgezoo.devices.outcome import Report, failed
from edgezoo.devices.profiles.take import with_profile
from edgezoo.devices.stations.host import HostStation
from edgezoo.devices.stations.station import Station
from edgezoo.devices.statistics import judge, summarize_throughput
from edgezoo.devices.subjects import Subject, is_intact, read_subjects
from edgezoo.errors import UsageError
from edgezoo.measurement import Conditions, Measurement, Plan, ProcessSamples

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


def measure(
    paths: Sequence[Path],
    plan: Plan,
    *,
    store: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Measurement, ...]:
    """Time model files on this machine and return one measurement per path, in their order.

    A model whose process crashes, hangs or reports nonsense gets the status ``failed`` and is not
    tried again; the others go on. A path given twice is measured twice, which shows the noise.
    ``on_progress`` is called before every process. Measurements are appended to ``store`` as they
    are finished; the same call continues a run that was killed. Raises ``UsageError`` for a plan or
    file name that makes no sense, ``ArtifactError`` for a missing file or a damaged manifest, and
    ``BenchmarkError`` for a runtime that is not installed; nothing has been measured then.
    """
    check_plan(plan)
    station, subjects = HostStation(), read_subjects(paths)
    station.check(subjects, plan)
    with Journal(store) as journal:
        return measure_at(station, subjects, plan, journal, on_progress=on_progress)


def measure_at(
    station: Station,
    subjects: Sequence[Subject],
    plans: Plan | Sequence[Plan],
    journal: Journal,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Measurement, ...]:
    """Time ``subjects`` at ``station``, as ``measure`` does; everything was checked before.

    ``plans`` is one for all, or one for each subject, alike in processes and seed.
    """
    each = [plans] * len(subjects) if isinstance(plans, Plan) else plans
    courses = _begin(station, tuple(zip(subjects, each, strict=True)), journal)
    plan = each[0]
    found = {n: course.earlier for n, course in enumerate(courses) if course.earlier is not None}
    orders = round_orders(len(subjects), plan.processes, plan.seed)
    for number, order in enumerate(orders):
        for place, index in enumerate(order):
            course = courses[index]
            if course.ended or len(course.reports) > number:
                continue
            if on_progress is not None:
                done, total = number * len(order) + place, plan.processes * len(order)
                on_progress(Progress(done, total, number + 1, course.title, station.device.name))
            report = _run_once(station, course.subject, course.plan)
            journal.add(course.key, report)
            courses[index] = replace(course, reports=(*course.reports, report))
            if courses[index].ended:
                found[index] = _finish(station, courses[index], journal)
    for index, course in enumerate(courses):
        if index not in found:  # killed after its last process, before it was stored
            found[index] = _finish(station, course, journal)
    return tuple(found[index] for index in range(len(courses)))


def _begin(
    station: Station, work: Sequence[tuple[Subject, Plan]], journal: Journal
) -> list[Course]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    courses: list[Course] = []
    for subject, plan in work:
        same = [c for c in courses if (c.subject.sha256, c.plan) == (subject.sha256, plan)]
        runner = station.runner(subject.format)
        key = job_key(subject, len(same), station.device, runner, plan)
        job = journal.begin(key, now)
        reports, earlier = tuple(job.reports[: plan.processes]), journal.measurement(job)
        courses.append(Course(subject, plan, key, job.started_at, reports, earlier))
    return courses


def _finish(station: Station, course: Course, journal: Journal) -> Measurement:
    measurement = _with_memory(_measurement(course, station), course, station)
    measurement = with_profile(measurement, station, course.subject, course.plan)
    journal.finish(course.key, measurement, again=course.reports[-1].device_failed)
    return measurement


def _with_memory(measurement: Measurement, course: Course, station: Station) -> Measurement:
    """Add the peak memory from a process of its own, where the timing ones did not tell it."""
    known = measurement.peak_memory_mib is not None
    if measurement.status == "failed" or known or not course.plan.memory:
        return measurement
    report = station.run(course.subject, course.plan, "memory")
    samples = report.samples
    memory_mib = None if samples is None else samples.peak_memory_mib
    return replace(measurement, peak_memory_mib=memory_mib)


def round_orders(models: int, processes: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """Return ``processes`` rounds, each a seeded permutation of ``range(models)``."""
    generator = random.Random(seed)
    return tuple(tuple(generator.sample(range(models), models)) for _ in range(processes))


def _run_once(station: Station, subject: Subject, plan: Plan) -> Report:
    """Run one process; its samples count only if the file is still the one that was hashed."""
    if not subject.sha256:
        return failed("load_error", f"it cannot be read: {subject.unreadable}")
    report = _run_with_retries(station, subject, plan)
    if is_intact(subject):
        return report
    return failed("artifact_changed", "the file changed while it was measured")


def _run_with_retries(station: Station, subject: Subject, plan: Plan) -> Report:
    for attempt in range(RETRIES + 1):
        report = station.wait_until_fit(plan) or station.run(subject, plan, "time")
        if report.samples is not None or attempt == RETRIES or not station.recover(report):
            break
    return report


def _measurement(course: Course, station: Station) -> Measurement:
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
    if course.failed:
        return _with_failure(draft, course)
    return _with_statistics(draft, course.reports)


def _ends(reports: Sequence[Report]) -> tuple[Conditions, ...]:
    """Return the first and the last conditions that were taken."""
    taken = [conditions for report in reports for conditions in report.conditions]
    return (taken[0], taken[-1]) if len(taken) > 1 else tuple(taken)


def _with_failure(draft: Measurement, course: Course) -> Measurement:
    number, last = len(course.reports), course.reports[-1]
    message = f"{draft.title} failed in process {number} of {draft.plan.processes}: {last.message}."
    return replace(draft, message=message)


def _with_statistics(draft: Measurement, reports: Sequence[Report]) -> Measurement:
    """Fill in what follows from the raw samples of a complete measurement."""
    plan, taken = draft.plan, [c for report in reports for c in report.conditions]
    latency, judged = judge(
        draft.processes, taken, seed=plan.seed, warmest=plan.gate.thermal_status
    )
    return replace(
        draft,
        status=judged.status,
        message=judged.evidence,
        latency_ms=latency,
        peak_memory_mib=_peak_memory_mib(draft.processes),
        throughput=summarize_throughput(draft.processes, plan.seed),
    )


def _peak_memory_mib(processes: Sequence[ProcessSamples]) -> float | None:
    known = [p.peak_memory_mib for p in processes if p.peak_memory_mib is not None]
    return median(known) if known else None


def check_plan(plan: Plan) -> None:
    """Raise ``UsageError`` that names everything in ``plan`` that makes no sense."""
    lowest = {"threads": 1, "processes": 1, "warmup": 0, "runs": 1, "min_seconds": 0.0}
    wrong = [
        f"{name} must be at least {least:g}, not {getattr(plan, name)}"
        for name, least in lowest.items()
        if not getattr(plan, name) >= least
    ]
    if not plan.timeout_s > 0:
        wrong.append(f"timeout_s must be more than 0, not {plan.timeout_s}")
    if wrong:
        raise UsageError(f"This plan cannot be measured: {'; '.join(wrong)}.")
