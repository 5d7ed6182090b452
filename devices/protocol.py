"""The measuring protocol: rounds over all models in shuffled order, a fresh process for each.

A slow drift of the machine (heat, a neighbour) then hits every model alike and shows up as
differences between processes, instead of passing for a difference between models.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from statistics import median

from edgezoo.devices.describe import describe_host
from edgezoo.devices.processes import command, run_process
from edgezoo.devices.runners.child import Report, Request
from edgezoo.devices.runners.session import Runner
from edgezoo.devices.runners.table import RUNNERS
from edgezoo.devices.statistics import summarize, verdict
from edgezoo.devices.subjects import Subject, fingerprint, read_subjects
from edgezoo.errors import BenchmarkError, UsageError
from edgezoo.measurement import DeviceInfo, Measurement, Plan, ProcessSamples


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a measurement stands: ``done`` of ``total`` processes, about to run ``artifact``."""

    done: int
    total: int
    round: int
    artifact: str


@dataclass(frozen=True, slots=True)
class Course:
    """How one model fared so far: the reports of its processes, the last one perhaps a failure."""

    subject: Subject
    started_at: str
    reports: tuple[Report, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the last process gave no samples, which ends the course."""
        return bool(self.reports) and self.reports[-1].samples is None


def measure(
    paths: Sequence[Path], plan: Plan, *, on_progress: Callable[[Progress], None] | None = None
) -> tuple[Measurement, ...]:
    """Time model files on this machine and return one measurement per path, in their order.

    A model whose process crashes, hangs or reports nonsense gets the status ``failed`` and is not
    tried again; the others go on. A path given twice is measured twice, which shows the noise.
    ``on_progress`` is called before every process. Raises ``UsageError`` for a plan or file name
    that makes no sense, ``ArtifactError`` for a missing file or a damaged manifest, and
    ``BenchmarkError`` for a runtime that is not installed; nothing has been measured then.
    """
    _check_plan(plan)
    subjects = read_subjects(paths)
    _check_runtimes({subject.format for subject in subjects})
    device = describe_host()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    courses = [Course(subject, now) for subject in subjects]
    orders = round_orders(len(subjects), plan.processes, plan.seed)
    for number, order in enumerate(orders):
        for place, index in enumerate(order):
            if courses[index].failed:
                continue
            if on_progress is not None:
                done, total = number * len(order) + place, plan.processes * len(order)
                on_progress(Progress(done, total, number + 1, subjects[index].path.name))
            report = _run_once(subjects[index], plan)
            courses[index] = replace(courses[index], reports=(*courses[index].reports, report))
    return tuple(_measurement(course, plan, device) for course in courses)


def round_orders(models: int, processes: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """Return ``processes`` rounds, each a seeded permutation of ``range(models)``."""
    generator = random.Random(seed)
    return tuple(tuple(generator.sample(range(models), models)) for _ in range(processes))


def _run_once(subject: Subject, plan: Plan) -> Report:
    """Run one process; its samples count only if the file is still the one that was hashed."""
    if not subject.sha256:
        return Report(None, {}, "load_error", f"it cannot be read: {subject.unreadable}")
    report = run_process(Request(subject.path.absolute(), subject.format, plan))
    try:
        unchanged = fingerprint(subject.path) == subject.sha256
    except OSError:
        unchanged = False
    if unchanged:
        return report
    return Report(None, {}, "artifact_changed", "the file changed while it was measured")


def _measurement(course: Course, plan: Plan, device: DeviceInfo) -> Measurement:
    subject, last = course.subject, course.reports[-1]
    runner = RUNNERS[subject.format]
    request = Request(subject.path.absolute(), subject.format, plan)
    processes = tuple(report.samples for report in course.reports if report.samples is not None)
    draft = Measurement(
        artifact=subject.path.name,
        artifact_sha256=subject.sha256,
        model=subject.model,
        format=subject.format,
        recipe=subject.recipe,
        device=device,
        provenance=device.kind,
        status="failed",
        failure_class=last.failure_class,
        message=None,
        latency_ms=None,
        peak_memory_mib=None,
        runner=runner.name,
        runner_version=_version(runner.distribution),
        delegate=next((r.delegate for r in course.reports if r.samples is not None), {}),
        plan=plan,
        processes=processes,
        versions=_versions(runner),
        measured_at=course.started_at,
        command=command(request),
    )
    return _with_failure(draft, course) if course.failed else _with_statistics(draft)


def _with_failure(draft: Measurement, course: Course) -> Measurement:
    number, last = len(course.reports), course.reports[-1]
    message = (
        f"{draft.artifact} failed in process {number} of {draft.plan.processes}: {last.message}."
    )
    return replace(draft, message=message)


def _with_statistics(draft: Measurement) -> Measurement:
    """Fill in what follows from the raw samples of a complete measurement."""
    samples = [process.wall_ms for process in draft.processes]
    latency = summarize(samples, draft.plan.seed)
    switches = sum(process.involuntary_switches or 0 for process in draft.processes)
    judged = verdict(samples, latency, switches)
    return replace(
        draft,
        status=judged.status,
        message=judged.evidence,
        latency_ms=latency,
        peak_memory_mib=_peak_memory_mib(draft.processes),
    )


def _peak_memory_mib(processes: Sequence[ProcessSamples]) -> float | None:
    known = [p.peak_memory_mib for p in processes if p.peak_memory_mib is not None]
    return median(known) if known else None


def _check_plan(plan: Plan) -> None:
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


def _check_runtimes(formats: set[str]) -> None:
    missing = [
        runner
        for runner in RUNNERS.values()
        if runner.format in formats and not importlib.util.find_spec(runner.module.split(".")[0])
    ]
    if missing:
        names = ", ".join(f".{runner.format}" for runner in missing)
        wanted = " ".join(runner.distribution for runner in missing)
        raise BenchmarkError(f"No runtime for {names} is installed: run pip install {wanted}.")


def _versions(runner: Runner) -> Mapping[str, str]:
    """Return what the number depends on, as installed for this Python."""
    names = ("edgezoo", "numpy", runner.distribution)
    return {"python": python_version(), **{name: _version(name) for name in names}}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # run from a source tree, or built by hand
        return "unknown"
