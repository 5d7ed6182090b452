"""Drawing a curve: when it ends, what is gated, what happens to a device that is lost on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from edgezoo import results
from edgezoo.devices.course import Course, Progress
from edgezoo.devices.outcome import Report, failed
from edgezoo.devices.protocol import measure
from edgezoo.devices.regression import compare
from edgezoo.devices.stations.station import Purpose, RunnerFacts
from edgezoo.devices.subjects import Subject, read_subjects
from edgezoo.devices.sustained import run_curve, window_plan
from edgezoo.errors import UsageError
from edgezoo.measurement import DeviceInfo, MeasuredFormat, ProcessSamples
from edgezoo.plan import Plan

LONG = Plan(sustained_s=200.0)


@dataclass
class Oven:
    """A station and its clock: latency is a function of the time it has worked; waiting costs none."""

    latency_ms: Callable[[float], float]
    lost_at: tuple[int, ...] = ()
    seconds: float = 0.0
    plans: list[Plan] = field(default_factory=list)
    gates: list[Plan] = field(default_factory=list)

    device = DeviceInfo("oven", "phone", "cpu", 1, 1024, "none")

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def check(self, subjects: Sequence[Subject], plan: Plan) -> None: ...

    def runner(self, format_: MeasuredFormat) -> RunnerFacts:
        return RunnerFacts("oven", "1")

    def command(self, subject: Subject, plan: Plan) -> tuple[str, ...]:
        return ()

    def wait_until_fit(self, plan: Plan) -> Report | None:
        self.gates.append(plan)
        return None

    def run(self, subject: Subject, plan: Plan, purpose: Purpose) -> Report:
        self.plans.append(plan)
        if len(self.plans) - 1 in self.lost_at:
            return failed("link_lost", "the link was lost", device_failed=True)
        start, latency = self.seconds, self.latency_ms(self.seconds)
        self.seconds += plan.min_seconds + 0.5
        samples = ProcessSamples((latency,), (latency,), 1, latency, None, None, start)
        return Report(samples, {})

    def recover(self, report: Report) -> bool:
        return report.device_failed


def course_of(path: Path, plan: Plan = LONG) -> Course:
    (subject,) = read_subjects([path])
    return Course(subject, plan, "key", "2026-01-01T00:00:00+00:00")


def draw(oven: Oven, course: Course) -> Course:
    return run_curve(oven, course, oven, lambda window: None)


def test_it_ends_at_half_time_where_it_has_settled(build_tflite: Any) -> None:
    oven = Oven(lambda seconds: 10.0)
    done = draw(oven, course_of(build_tflite()))
    assert 100 <= oven.seconds < 106  # one window more than half
    assert len(done.reports) == 19  # of 5 s and a half


def test_it_goes_on_while_it_moves(build_tflite: Any) -> None:
    oven = Oven(lambda seconds: 10 + seconds / 50)
    draw(oven, course_of(build_tflite()))
    assert 200 <= oven.seconds < 206


def test_only_the_first_window_is_gated(build_tflite: Any) -> None:
    oven = Oven(lambda seconds: 10.0)
    draw(oven, course_of(build_tflite()))
    first, *others = (plan.gate for plan in oven.gates)
    assert first == LONG.gate
    assert {(g.thermal_status, g.battery_celsius, g.battery_percent) for g in others} == {
        (None, None, None)
    }


@pytest.mark.parametrize(
    ("plan", "seconds"),
    [(LONG, 5.0), (replace(LONG, sustained_s=3600), 10.0), (replace(LONG, min_seconds=2.0), 2.0)],
)
def test_windows(plan: Plan, seconds: float) -> None:
    window = window_plan(plan)
    assert (window.min_seconds, window.runs) == (seconds, 1)


def test_a_lost_device_starts_anew(build_tflite: Any) -> None:
    """What it comes back with has cooled: the first four windows are not part of the curve."""
    oven = Oven(lambda seconds: 10.0, lost_at=(4,))
    done = draw(oven, course_of(build_tflite()))
    assert len(done.reports) == 19
    assert len(oven.plans) == 5 + 19
    assert [plan.gate == LONG.gate for plan in oven.gates].count(True) == 2


def test_a_device_that_is_lost_again_and_again_fails(build_tflite: Any) -> None:
    done = draw(Oven(lambda seconds: 10.0, lost_at=(1, 3, 5)), course_of(build_tflite()))
    assert done.failed
    assert done.reports[-1].failure_class == "link_lost"


def test_a_file_that_changes_fails(build_tflite: Any) -> None:
    path = build_tflite()
    course = course_of(path)
    path.write_bytes(b"other")
    done = draw(Oven(lambda seconds: 10.0), course)
    assert [report.failure_class for report in done.reports] == ["artifact_changed"]


def test_on_this_machine(build_model: Any, tmp_path: Path) -> None:
    """Real processes; how long they take is the machine's affair, so only the shape is looked at."""
    plan = Plan(warmup=0, sustained_s=4.0, min_seconds=0.01)
    paths = [build_model("a.tflite"), build_model("b.onnx")]
    steps: list[Progress] = []
    store = tmp_path / "s.jsonl"
    found = measure(paths, plan, store=store, on_progress=steps.append)
    assert [m.artifact for m in found] == ["a.tflite", "b.onnx"]
    for m in found:
        assert m.latency_ms is not None
        assert len(m.processes) > 1
        starts = [p.started_at for p in m.processes]
        assert starts == sorted(starts)
        assert f"({len(m.processes)} windows in " in str(m.message)
        assert m.peak_memory_mib is not None
        assert len(m.conditions) == 2
    names = [step.artifact for step in steps]
    assert names == sorted(names)  # one after the other
    assert results.read(store).measurements == found
    assert not store.with_name("s.jsonl.run").exists()


def test_a_failure_names_the_window(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    (found,) = measure([bad], Plan(sustained_s=1.0))
    assert (found.status, found.failure_class) == ("failed", "load_error")
    assert str(found.message).startswith("bad.onnx failed in window 1: ")


def test_negative_seconds_are_refused(build_tflite: Any) -> None:
    with pytest.raises(UsageError, match="sustained_s must be at least 0, not -1"):
        measure([build_tflite()], Plan(sustained_s=-1))


def test_only_settled_windows_are_compared(build_tflite: Any) -> None:
    (base,) = measure([build_tflite()], Plan(warmup=0, processes=1, runs=1))

    def curve(first: float, last: float, plan: Plan = LONG) -> Any:
        medians = [first] * 20 + [last] * 10
        windows = tuple(
            ProcessSamples((m,), (m,), 1, m, None, None, 5.0 * n) for n, m in enumerate(medians)
        )
        return replace(base, processes=windows, plan=plan, status="ok")

    (change,) = compare([curve(10, 10)], [curve(10, 12)], 0.05)
    assert change.verdict == "regression"
    assert change.ratio == pytest.approx(1.2)
    short = compare([curve(10, 10, Plan())], [curve(10, 12)], 0.05)
    assert [c.verdict for c in short] == ["missing", "missing"]
