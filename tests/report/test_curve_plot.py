"""The picture of latency over time."""

import dataclasses
from typing import Any

import pytest

from edgezoo.measurement import Aggregates, Measurement, ProcessSamples
from edgezoo.plan import Plan
from edgezoo.report.curve_plot import curve_of, curve_plot
from edgezoo.report.grouping import Group, Setting, Timing

HOST = Setting("host", "bench-box", "AMD EPYC", 1)


def curve(measurement: Measurement, medians: list[float], **changes: Any) -> Timing:
    windows = tuple(
        ProcessSamples((m, m), (m, m), 1, m, None, None, 1e9 + 5.0 * n)
        for n, m in enumerate(medians)
    )
    plan = Plan(sustained_s=60)
    changed = dataclasses.replace(measurement, plan=plan, processes=windows)
    return Timing(dataclasses.replace(changed, **changes), mark="m1")


@pytest.fixture
def measurement(measurements: tuple[Measurement, ...]) -> Measurement:
    return measurements[0]


def test_windows_over_seconds(measurement: Measurement) -> None:
    timing = curve(measurement, [10.0, 11.0, 13.0, 13.0])
    plot = curve_plot(Group(HOST, (timing,), 0), {"m1": "net <b>.tflite"})
    assert plot is not None
    (line,) = plot.figure["data"]
    assert (line["x"], line["y"]) == ([0.0, 5.0, 10.0, 15.0], [10.0, 11.0, 13.0, 13.0])
    assert "<" not in line["name"].replace("&lt;", "")
    assert plot.figure["layout"]["showlegend"] is False
    assert "10 ms at first, 13 ms after 15 s" in plot.alternative.replace(".0 ms", " ms")


def test_nothing_to_draw(measurement: Measurement) -> None:
    ordinary = Timing(measurement, mark="m1")
    failed = curve(measurement, [10.0, 11.0], status="failed", latency_ms=None)
    single = curve(measurement, [10.0])
    for timing in (ordinary, failed, single):
        assert curve_plot(Group(HOST, (timing,), 0), {"m1": "x"}) is None


def test_runner_without_samples(measurement: Measurement) -> None:
    taken = [Aggregates(9, m, m, m, 0, m) for m in (10.0, 12.0)]
    windows = tuple(
        ProcessSamples((), (), 1, 1, None, None, 9.0 * n, None, a) for n, a in enumerate(taken)
    )
    assert curve_of(curve(measurement, [], processes=windows)) == [(0.0, 10.0), (9.0, 12.0)]


def test_simulated_says_so_and_several_have_a_legend(measurement: Measurement) -> None:
    timings = tuple(curve(measurement, [10.0 + n, 11.0]) for n in range(4))
    group = Group(dataclasses.replace(HOST, provenance="simulated"), timings, 0)
    plot = curve_plot(group, {"m1": "x"})
    assert plot is not None
    assert plot.figure["layout"]["showlegend"] is True
    assert [note["text"] for note in plot.figure["layout"]["annotations"]] == ["simulated"]
    lines = [(trace["line"]["color"], trace["line"]["dash"]) for trace in plot.figure["data"]]
    assert len(set(lines)) == 4
