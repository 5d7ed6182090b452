"""Latency over minutes: one model's processes back to back, until it settles or the time is over.

Each process is one window of the curve. Nothing cools down in between, and the curve is one piece:
where a device is lost, it starts anew, because what comes back has cooled meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edgezoo.devices.clock import Clock
from edgezoo.devices.course import RETRIES, Course, intact
from edgezoo.devices.curve import settling
from edgezoo.devices.outcome import Report, failed
from edgezoo.devices.stations.station import Station
from edgezoo.plan import Gate, Plan

WINDOWS = 40  # as many as fit into the time; starting a process takes a part of it
LONGEST_WINDOW_S = 10.0
# The device gets as warm as it gets, but it must still be there, awake and ours.
OPEN = Gate(thermal_status=None, battery_celsius=None, battery_percent=None, cooldown_s=0.0)


def window_plan(plan: Plan) -> Plan:
    """Return the plan of one window: ``min_seconds`` of runs, a fortieth of the time unless given."""
    seconds = plan.min_seconds or min(plan.sustained_s / WINDOWS, LONGEST_WINDOW_S)
    return replace(plan, runs=1, min_seconds=seconds)


def run_curve(
    station: Station, course: Course, clock: Clock, on_window: Callable[[int], None]
) -> Course:
    """Return ``course`` with one report per window; it ends after ``plan.sustained_s`` seconds, or
    once the latency has settled and half of that time is over.

    The gate holds before the first window alone. ``on_window`` gets the number of each, from 0.
    """
    subject = course.subject
    if not subject.sha256:
        return replace(course, reports=(failed("load_error", _unreadable(subject.unreadable)),))
    for attempt in range(RETRIES + 1):
        reports = _windows(station, course, clock, on_window)
        if reports[-1].samples is not None or attempt == RETRIES:
            break
        if not station.recover(reports[-1]):
            break
    return replace(course, reports=reports)


def _unreadable(reason: str | None) -> str:
    return f"it cannot be read: {reason}"


def _windows(
    station: Station, course: Course, clock: Clock, on_window: Callable[[int], None]
) -> tuple[Report, ...]:
    plan = window_plan(course.plan)
    reports: list[Report] = []
    started = 0.0
    while not reports or not _over(reports, clock.now() - started, plan.sustained_s):
        on_window(len(reports))
        gated = plan if not reports else replace(plan, gate=OPEN)
        report = station.wait_until_fit(gated)
        if not reports:
            started = clock.now()
        reports.append(intact(report or station.run(course.subject, plan, "time"), course.subject))
    return tuple(reports)


def _over(reports: list[Report], elapsed_s: float, sustained_s: float) -> bool:
    windows = [report.samples for report in reports if report.samples is not None]
    if len(windows) < len(reports) or elapsed_s >= sustained_s:
        return True
    if elapsed_s < sustained_s / 2:
        return False
    medians = [median for window in windows if (median := window.median_ms) is not None]
    starts_s = [window.started_at - windows[0].started_at for window in windows]
    return len(medians) == len(windows) and settling(medians, starts_s).yes
