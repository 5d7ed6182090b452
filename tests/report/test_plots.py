"""The figures as data; test_browser.py draws them."""

import dataclasses
import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from edgezoo.measurement import Latency, Measurement
from edgezoo.report import ArtifactEntry, QuantizationFacts, ReportData
from edgezoo.report.grouping import Group, group_measurements
from edgezoo.report.markup import json_script
from edgezoo.report.page import html_page
from edgezoo.report.plot_layout import Plot
from edgezoo.report.plots import latency_plot, range_rule_plot, trade_off_plot
from edgezoo.report.style import COLOURS
from edgezoo.report.words import label_artifacts, label_timings


def drawn(
    data: ReportData, plot: Callable[[Group, dict[str, str]], Plot | None]
) -> tuple[Group, Plot | None]:
    (group,) = group_measurements(data).groups
    return group, plot(group, label_timings(group, label_artifacts(data.artifacts)))


def annotations(plot: Plot) -> list[str]:
    return [item["text"] for item in plot.figure["layout"]["annotations"]]


def test_latency_points_intervals_and_processes(report_data: ReportData) -> None:
    group, plot = drawn(report_data, latency_plot)
    assert plot is not None
    processes, *formats = plot.figure["data"]
    assert len(processes["x"]) == 4 * 5
    points = {
        (x, x + up, x - down)
        for trace in formats
        for x, up, down in zip(
            trace["x"], trace["error_x"]["array"], trace["error_x"]["arrayminus"], strict=True
        )
    }
    latencies = [t.trusted_latency_ms for t in group.timings if t.trusted_latency_ms]
    assert len(latencies) == 4
    wanted = {(latency.median, latency.interval[1], latency.interval[0]) for latency in latencies}
    # the interval's ends come back through one subtraction: equal within rounding
    assert {tuple(round(v, 9) for v in p) for p in points} == {
        tuple(round(v, 9) for v in p) for p in wanted
    }


def test_latency_rows_are_fastest_first_and_labelled(report_data: ReportData) -> None:
    _, plot = drawn(report_data, latency_plot)
    assert plot is not None
    names = [text.split(":")[0] for text in annotations(plot)]
    assert names == ["w8a8 TFLite", "w8a8 ONNX", "fp32 TFLite", "fp32 ONNX"]
    heights = [item["y"] for item in plot.figure["layout"]["annotations"]]
    assert heights == [3, 2, 1, 0]
    assert plot.alternative.startswith("Latency, fastest first: w8a8 TFLite: 5.59 ms")


def test_doubtful_rows_are_hollow_grey_and_last(
    report_data: ReportData, make_doubtful: Callable[..., Measurement]
) -> None:
    """Last although its 8.23 ms are less than fp32's, with its wide interval and its process dots."""
    doubtful = make_doubtful(report_data.artifacts[1])
    measurements = (report_data.measurements[0], doubtful, *report_data.measurements[2:])
    _, plot = drawn(dataclasses.replace(report_data, measurements=measurements), latency_plot)
    assert plot is not None
    assert annotations(plot)[-1] == "w8a8 TFLite: 8.23 ms (6.31–8.36), unstable"
    assert plot.alternative.endswith(
        " Latency, not ranked: w8a8 TFLite: 8.23 ms (6.31–8.36), unstable."
    )
    processes, *styles = plot.figure["data"]
    assert len(processes["x"]) == 4 * 5
    looks = {
        (style["marker"]["symbol"], style["marker"]["color"]): list(
            zip(style["x"], style["error_x"]["arrayminus"], style["y"], strict=True)
        )
        for style in styles
    }
    assert looks.keys() == {
        ("circle", "var(--series-1)"),
        ("diamond", "var(--series-2)"),
        ("circle-open", "var(--muted)"),
    }
    ((median, down, height),) = looks["circle-open", "var(--muted)"]
    assert (median, round(median - down, 9), height) == (8.234, 6.313, 0)


def test_doubtful_rows_are_hollow_in_the_trade_off(
    report_data: ReportData, make_doubtful: Callable[..., Measurement]
) -> None:
    doubtful = make_doubtful(report_data.artifacts[3])
    measurements = (*report_data.measurements[:3], doubtful)
    _, plot = drawn(dataclasses.replace(report_data, measurements=measurements), trade_off_plot)
    assert plot is not None
    (bubbles,) = plot.figure["data"]
    assert bubbles["marker"]["symbol"] == ["circle", "circle", "diamond", "diamond-open"]
    assert bubbles["marker"]["color"][3] == "var(--muted)"
    assert [round(v, 9) for v in bubbles["error_x"]["arrayminus"]][3] == round(8.234 - 6.313, 9)


def test_labels_of_neighbours_are_on_opposite_sides(report_data: ReportData) -> None:
    """The two fp32 files are close to each other, the two w8a8 files 2.7 ms apart."""
    _, plot = drawn(report_data, trade_off_plot)
    assert plot is not None
    assert plot.figure["data"][0]["textposition"] == [
        *("top left", "top center"),  # fp32 and w8a8 TFLite
        *("top right", "top center"),  # fp32 and w8a8 ONNX
    ]


def test_what_has_no_number_is_not_drawn(
    report_data: ReportData, make_failed: Callable[..., Measurement]
) -> None:
    infinite = Latency(math.inf, math.inf, (1.0, math.inf), 1.0)
    measurements = (
        *report_data.measurements[:2],
        make_failed(report_data.artifacts[2]),
        dataclasses.replace(report_data.measurements[3], latency_ms=infinite, status="unstable"),
    )
    data = dataclasses.replace(report_data, measurements=measurements)
    _, plot = drawn(data, latency_plot)
    assert plot is not None
    assert len(annotations(plot)) == 2
    assert len(plot.figure["data"][0]["x"]) == 10
    json_script("figure", plot.figure)  # raises on infinity


def test_no_plot_without_numbers(
    report_data: ReportData, make_failed: Callable[..., Measurement]
) -> None:
    failed = (make_failed(report_data.artifacts[0]),)
    data = dataclasses.replace(report_data, measurements=failed)
    assert drawn(data, latency_plot)[1] is None
    assert drawn(data, trade_off_plot)[1] is None


@pytest.mark.parametrize(("rows", "is_drawn"), [(2, False), (3, True), (4, True)])
def test_trade_off_needs_three_rows(report_data: ReportData, rows: int, is_drawn: bool) -> None:
    data = dataclasses.replace(report_data, measurements=report_data.measurements[:rows])
    _, plot = drawn(data, trade_off_plot)
    assert (plot is not None) == is_drawn
    if plot:
        assert plot.figure["data"][0]["text"] == [f"m{n}" for n in range(1, rows + 1)]


def test_identical_outputs_have_no_place_on_the_sqnr_axis(report_data: ReportData) -> None:
    def exact(entry: ArtifactEntry) -> ArtifactEntry:
        comparison = dataclasses.replace(entry.artifact.comparison, sqnr_db=math.inf)
        artifact = dataclasses.replace(entry.artifact, comparison=comparison)
        return dataclasses.replace(entry, artifact=artifact)

    entries = (exact(report_data.artifacts[0]), *report_data.artifacts[1:])
    data = dataclasses.replace(report_data, artifacts=entries)
    _, plot = drawn(data, trade_off_plot)
    assert plot is not None
    assert len(plot.figure["data"][0]["x"]) == 3
    assert "∞ dB" in html_page(data)


def test_range_rules_best_first_and_the_chosen_one_in_colour() -> None:
    facts = QuantizationFacts("mse", {"min_max": 16.9, "mse": 18.0, "entropy": math.nan})
    plot = range_rule_plot(facts)
    assert plot is not None
    assert annotations(plot) == ["mse: 18.0 dB (chosen)", "min_max: 16.9 dB"]
    assert plot.figure["data"][0]["marker"]["color"] == ["var(--series-1)", "var(--faint)"]
    assert range_rule_plot(QuantizationFacts("mse")) is None


def test_names_are_no_markup_in_plots(
    report_data: ReportData, make_measurement: Callable[..., Measurement]
) -> None:
    entry = report_data.artifacts[0]
    artifact = dataclasses.replace(entry.artifact, recipe="<b>w8</b>")
    entry = dataclasses.replace(entry, artifact=artifact)
    data = ReportData("net", (entry,), (make_measurement(entry),))
    _, plot = drawn(data, latency_plot)
    assert plot is not None
    (text,) = annotations(plot)
    assert text.startswith("&lt;b&gt;w8&lt;/b&gt; TFLite: ")


def figures(page: str) -> list[Any]:
    found = re.findall(r'<script type="application/json" id="[^"]+">(.*?)</script>', page)
    return [json.loads(text) for text in found]


def test_every_colour_is_defined_in_both_schemes(report_data: ReportData) -> None:
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", json.dumps(figures(html_page(report_data)))))
    assert used
    for name in used:
        assert COLOURS.count(f"{name}:") == 2, name


def test_sections_hold_one_provenance_each(report_data: ReportData) -> None:
    """Every phone latency is ten times the computer's: none may be in the other's figure."""

    def slower(m: Measurement) -> Measurement:
        assert m.latency_ms is not None
        low, high = m.latency_ms.interval
        latency = Latency(m.latency_ms.median * 10, 200.0, (low * 10, high * 10), 50.0)
        device = dataclasses.replace(m.device, name="Pixel 7a", kind="phone")
        return dataclasses.replace(
            m, latency_ms=latency, provenance="phone", device=device, processes=()
        )

    both = (*report_data.measurements, *map(slower, report_data.measurements))
    page = html_page(dataclasses.replace(report_data, measurements=both))
    for provenance, least, most in (("phone", 50, 200), ("host", 5, 15)):
        (section,) = re.findall(rf'<section class="of-{provenance}">(.*?)</section>', page, re.S)
        values = [x for f in figures(section) for trace in f["data"] for x in trace["x"]]
        cells = re.findall(r'Latency, (?:median|p90)"><span[^>]*>([\d.]+) ms', section)
        assert len(values) >= 8
        assert len(cells) == 8
        assert all(least <= float(value) <= most for value in (*values, *cells))
