"""The measuring protocol: rounds over all models in shuffled order, a fresh process for each.

A slow drift of the device (heat, a neighbour) then hits every model alike and shows up as
differences between processes, instead of passing for a difference between models.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from edgezoo.devices.clock import WallClock
from edgezoo.devices.course import Course, Progress, draft_of, run_once
from edgezoo.devices.curve import judge_curve
from edgezoo.devices.energy.run import SHORTEST_ENERGY_S, with_energy
from edgezoo.devices.journal import Journal, job_key
from edgezoo.devices.outcome import Report
from edgezoo.devices.profiles.take import with_profile
from edgezoo.devices.stations.host import HostStation
from edgezoo.devices.stations.station import Station
from edgezoo.devices.statistics import judge, summarize_throughput
from edgezoo.devices.stopping import pause
from edgezoo.devices.subjects import Subject, read_subjects
from edgezoo.devices.sustained import WINDOWS, run_curve
from edgezoo.errors import UsageError
from edgezoo.measurement import Measurement, ProcessSamples
from edgezoo.plan import Plan


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
    if plan.energy_s > 0:
        raise UsageError(
            "energy_s is read from a phone's own fuel gauge, which this machine has not; leave it out, "
            "or choose a phone with --device"
        )
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

    ``plans`` is one for all, or one for each subject, alike in processes and seed. A sustained plan
    takes one file after the other instead of rounds.
    """
    if isinstance(plans, Plan) and plans.sustained_s > 0:
        return measure_sustained_at(station, subjects, plans, journal, on_progress=on_progress)
    each = [plans] * len(subjects) if isinstance(plans, Plan) else plans
    courses = _begin(station, tuple(zip(subjects, each, strict=True)), journal)
    plan = each[0]
    found = {n: course.earlier for n, course in enumerate(courses) if course.earlier is not None}
    orders = round_orders(len(subjects), plan.processes, plan.seed)
    started, first = time.monotonic(), min((len(c.reports) for c in courses), default=0)
    for number, order in enumerate(orders):
        for place, index in enumerate(order):
            course = courses[index]
            if course.ended or len(course.reports) > number:
                continue
            _wait_for_round(number - first, plan, started)
            if on_progress is not None:
                done, total = number * len(order) + place, plan.processes * len(order)
                on_progress(Progress(done, total, number + 1, course.title, station.device.name))
            report = run_once(station, course.subject, course.plan)
            journal.add(course.key, report)
            courses[index] = replace(course, reports=(*course.reports, report))
            if courses[index].ended:
                found[index] = _finish(station, courses[index], journal)
    for index, course in enumerate(courses):
        if index not in found:  # killed after its last process, before it was stored
            found[index] = _finish(station, course, journal)
    return tuple(found[index] for index in range(len(courses)))


def _wait_for_round(number: int, plan: Plan, started: float) -> None:
    """Wait until a round may begin, so that all of them take ``plan.spread_s`` from first to last."""
    gap_s = plan.spread_s / max(plan.processes - 1, 1)
    pause(max(started + number * gap_s - time.monotonic(), 0.0))


def measure_sustained_at(
    station: Station,
    subjects: Sequence[Subject],
    plan: Plan,
    journal: Journal,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Measurement, ...]:
    """Draw the latency of ``subjects`` over time, one after the other; see ``sustained``.

    The processes of a measurement are the windows of its curve. A curve that was interrupted is
    drawn anew.
    """
    found: list[Measurement] = []
    for number, course in enumerate(_begin(station, [(s, plan) for s in subjects], journal)):
        if course.earlier is not None:
            found.append(course.earlier)
            continue

        def report_window(window: int, number: int = number, course: Course = course) -> None:
            if on_progress is not None:
                done = number * WINDOWS + min(window, WINDOWS - 1)
                total = len(subjects) * WINDOWS
                step = Progress(done, total, window + 1, course.title, station.device.name)
                on_progress(step)

        now = datetime.now(UTC).isoformat(timespec="seconds")
        fresh = replace(course, started_at=now, reports=())
        done = run_curve(station, fresh, WallClock(), report_window)
        found.append(_finish(station, done, journal))
    return tuple(found)


def _begin(
    station: Station, work: Sequence[tuple[Subject, Plan]], journal: Journal
) -> list[Course]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    courses: list[Course] = []
    for subject, plan in work:
        same = [c for c in courses if (c.subject.contents, c.plan) == (subject.contents, plan)]
        runner = station.runner(subject.format)
        key = job_key(subject, len(same), station.device, runner, plan)
        job = journal.begin(key, now)
        reports, earlier = tuple(job.reports[: plan.processes]), journal.measurement(job)
        courses.append(Course(subject, plan, key, job.started_at, reports, earlier))
    return courses


def _finish(station: Station, course: Course, journal: Journal) -> Measurement:
    measurement = _with_statistics(draft_of(course, station), course.reports)
    measurement = _with_memory(measurement, course, station)
    measurement = with_profile(measurement, station, course.subject, course.plan)
    measurement = with_energy(measurement, station, course.subject, course.plan)
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


def _with_statistics(draft: Measurement, reports: Sequence[Report]) -> Measurement:
    """Fill in what follows from the raw samples of a complete measurement; a failed one has none."""
    if draft.failure_class is not None:
        return draft
    plan, taken = draft.plan, [c for report in reports for c in report.conditions]
    if plan.sustained_s > 0:
        latency, judged = judge_curve(draft.processes, taken, seed=plan.seed)
    else:
        latency, judged = judge(
            draft.processes,
            taken,
            seed=plan.seed,
            warmest=plan.gate.thermal_status,
            cpu_bound=plan.reference is None and plan.accelerator == "cpu",
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
    lowest = {
        "threads": 1,
        "processes": 1,
        "warmup": 0,
        "runs": 1,
        "min_seconds": 0.0,
        "sustained_s": 0.0,
        "spread_s": 0.0,
    }
    wrong = [
        f"{name} must be at least {least:g}, not {getattr(plan, name)}"
        for name, least in lowest.items()
        if not getattr(plan, name) >= least
    ]
    if not plan.timeout_s > 0:
        wrong.append(f"timeout_s must be more than 0, not {plan.timeout_s}")
    if plan.energy_s != 0 and not plan.energy_s >= SHORTEST_ENERGY_S:
        wrong.append(f"energy_s must be 0 or at least {SHORTEST_ENERGY_S:g}, not {plan.energy_s}")
    if wrong:
        raise UsageError(f"This plan cannot be measured: {'; '.join(wrong)}.")
