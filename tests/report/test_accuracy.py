"""Accuracy against latency: which accuracy is claimed, who is on the front, where names stand."""

import dataclasses
import json
import math
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgezoo.measurement import Latency
from edgezoo.report import ReportData
from edgezoo.report.accuracy import AccuracyPoint, accuracy_points, pareto_front
from edgezoo.report.accuracy_plot import accuracy_plot
from edgezoo.report.grouping import Group, group_measurements
from edgezoo.report.label_places import (
    CHARACTER_PX,
    LINE_PX,
    MARK_PX,
    Spot,
    place_labels,
)
from edgezoo.report.plot_layout import Plot
from edgezoo.report.words import label_artifacts, label_timings
from tests.report.fleet import NETWORKS, fleet


@cache
def lab() -> ReportData:
    return fleet()


def group_of(device: str, accelerator: str = "cpu", data: ReportData | None = None) -> Group:
    (group,) = (
        group
        for group in group_measurements(data or lab()).groups
        if (group.setting.device, group.setting.accelerator) == (device, accelerator)
    )
    return group


def points_of(device: str, data: ReportData | None = None) -> dict[str, AccuracyPoint]:
    points = accuracy_points(group_of(device, data=data), data or lab())
    return {point.timing.measurement.artifact: point for point in points}


def plot_of(group: Group, data: ReportData) -> Plot | None:
    return accuracy_plot(group, label_timings(group, label_artifacts(data.artifacts)), data)


# ---------------------------------------------------------------------- which accuracy


def test_a_float_file_has_the_published_top1() -> None:
    point = points_of("Pixel 7a")["efficientnet_lite0_fp32.tflite"]
    assert (point.top1_percent, point.own, point.lowest_percent) == (75.1, True, None)
    assert point.words == "top-1 75.1 % as published for the network"


def test_random_weights_do_not_have_it() -> None:
    first = lab().artifacts[0]
    assert first.origin is not None
    entry = dataclasses.replace(first, origin=dataclasses.replace(first.origin, weights="random"))
    data = dataclasses.replace(lab(), artifacts=(entry, *lab().artifacts[1:]))
    words = points_of("Pixel 7a", data)["efficientnet_lite0_fp32.tflite"].words
    assert words.endswith("not of this file: its weights are random")


def test_a_quantized_file_has_none_of_its_own() -> None:
    point = points_of("Pixel 7a")["efficientnet_lite0_w8a8.tflite"]
    assert not point.own
    assert point.lowest_percent == pytest.approx(75.1 - 6.7)  # 93.3 % agreement
    assert point.words == (
        "its own top-1 was not measured; float has 75.1 % (published) and it picks float's class on "
        "93.3 % of 60 held-out photos; the authors published 74.4 % for their own int8 network"
    )


def test_without_photos_nothing_bounds_the_loss() -> None:
    entries = tuple(
        dataclasses.replace(
            entry,
            artifact=dataclasses.replace(
                entry.artifact,
                comparison=dataclasses.replace(
                    entry.artifact.comparison, inputs="random", held_out=None
                ),
            ),
        )
        for entry in lab().artifacts
    )
    for data in (
        dataclasses.replace(lab(), artifacts=entries),
        dataclasses.replace(lab(), artifacts=()),
    ):
        point = points_of("Pixel 7a", data)["efficientnet_lite0_w8a8.tflite"]
        assert point.lowest_percent is None


def test_no_point_without_a_number_or_a_published_top1() -> None:
    assert "efficientnet_lite2_fp32.tflite" not in points_of("Galaxy A14")  # timed out
    unpublished = {
        name: facts for name, facts in lab().published.items() if name != "mnasnet_small"
    }
    data = dataclasses.replace(lab(), published=unpublished)
    assert not [name for name in points_of("Pixel 7a", data) if name.startswith("mnasnet_small")]


# --------------------------------------------------------------------------- the front


def invented(numbers: list[tuple[float, float, bool, str]]) -> list[AccuracyPoint]:
    """Points of latency, top-1, own, status."""
    timing = group_of("Pixel 7a").timings[0]
    return [
        AccuracyPoint(
            dataclasses.replace(
                timing,
                measurement=dataclasses.replace(timing.measurement, status=status),  # type: ignore[arg-type]  # drawn from the statuses
            ),
            Latency(ms, None, (ms, ms), ms),
            top1,
            own,
            None,
            "",
        )
        for ms, top1, own, status in numbers
    ]


NUMBERS = st.lists(
    st.tuples(
        st.integers(1, 20).map(float),
        st.integers(60, 70).map(float),
        st.booleans(),
        st.sampled_from(["ok", "ok", "unstable", "throttled"]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(NUMBERS)
def test_the_front_is_what_no_other_beats(numbers: list[tuple[float, float, bool, str]]) -> None:
    """By the definition, in numbers: nothing sound is as fast and as good, and better in one."""
    sound = {(ms, top1) for ms, top1, own, status in numbers if own and status == "ok"}
    best = {
        (ms, top1)
        for ms, top1 in sound
        if not any(
            other_ms <= ms and other >= top1 and (other_ms, other) != (ms, top1)
            for other_ms, other in sound
        )
    }
    front = pareto_front(invented(numbers))
    assert [(p.latency_ms.median, p.top1_percent) for p in front] == sorted(best)


# ------------------------------------------------------------------------- the picture


@cache
def picture() -> dict[str, Any]:
    plot = plot_of(group_of("Pixel 7a"), lab())
    assert plot is not None
    return json.loads(json.dumps(plot.figure, allow_nan=False))  # type: ignore[no-any-return]  # plotly's JSON


def marks() -> dict[str, tuple[str, str, float]]:
    """Artifact to colour within, colour of the line and length of the line below."""
    found = {}
    for trace in picture()["data"]:
        for text, down in zip(
            trace.get("hovertext", ()), trace.get("error_y", {}).get("arrayminus", ()), strict=True
        ):
            marker = trace["marker"]
            found[text.split(":")[0]] = (marker["color"], marker["line"]["color"], down)
    return found


def test_filled_float_hollow_quantized_grey_doubtful() -> None:
    found = marks()
    assert len(found) == 12
    assert found["efficientnet_lite0_fp32.tflite"] == ("var(--series-1)", "var(--series-1)", 0.0)
    within, line, down = found["efficientnet_lite0_w8a8.tflite"]
    assert (within, line) == ("var(--card)", "var(--series-1)")
    assert down == pytest.approx(6.7)
    assert found["efficientnet_b0_w8a8.tflite"][:2] == ("var(--card)", "var(--muted)")  # unstable


def test_the_front_is_drawn_in_steps_through_float_files() -> None:
    (front,) = (t for t in picture()["data"] if t.get("line", {}).get("shape") == "hv")
    published = {facts["top1"] for _, facts in NETWORKS.values()}
    assert set(front["y"]) <= published
    assert front["y"] == sorted(front["y"]) and front["x"] == sorted(front["x"])
    assert front["y"][-1] == 77.6, "the most accurate network is always on it"


def test_a_wide_span_is_logarithmic_with_plain_ticks() -> None:
    layout = picture()["layout"]
    assert layout["xaxis"]["type"] == "log"
    assert set(layout["xaxis"]["ticktext"]) <= {"0.5", "1", "2", "5", "10", "20", "50"}
    data = dataclasses.replace(
        lab(),
        measurements=tuple(m for m in lab().measurements if "efficientnet_lite" in m.artifact),
    )
    narrow = plot_of(group_of("Pixel 7a", data=data), data)
    assert narrow is not None
    assert "type" not in narrow.figure["layout"]["xaxis"]


def test_names_are_fewer_on_a_narrow_page() -> None:
    names = picture()["data"][-1]
    narrow = names["meta"]["narrow"]
    assert set(narrow["text"]) <= set(names["text"]) <= set(NETWORKS)
    assert len(narrow["text"]) >= 3
    assert len(narrow["x"]) == len(narrow["textposition"]) == len(narrow["text"])


def test_intervals_are_error_bars() -> None:
    (trace,) = (
        t for t in picture()["data"] if any("lite0_fp32" in text for text in t.get("hovertext", ()))
    )
    place = next(i for i, text in enumerate(trace["hovertext"]) if "lite0_fp32" in text)
    latency = points_of("Pixel 7a")["efficientnet_lite0_fp32.tflite"].latency_ms
    low = trace["x"][place] - trace["error_x"]["arrayminus"][place]
    high = trace["x"][place] + trace["error_x"]["array"][place]
    assert (low, high) == pytest.approx(latency.interval)


def test_one_network_gives_no_picture(report_data: ReportData) -> None:
    (group,) = group_measurements(report_data).groups
    assert plot_of(group, report_data) is None


def test_the_sentence_names_the_front() -> None:
    plot = plot_of(group_of("Pixel 7a"), lab())
    assert plot is not None
    assert "Not beaten by any other float file, fastest first: mnasnet_small" in plot.alternative


# --------------------------------------------------------------------------- the names

SPOTS = st.lists(
    st.builds(
        Spot,
        st.floats(0, 300),
        st.floats(0, 300),
        st.text("abcdefgh", max_size=12),
    ),
    max_size=12,
)


def box(spot: Spot, place: str) -> tuple[float, float, float, float]:
    """Where plotly writes the name, by its own words: left, top, right, bottom."""
    vertical, horizontal = place.split()
    width = CHARACTER_PX * len(spot.text)
    left = {"left": -width, "center": -width / 2, "right": 0.0}[horizontal]
    top = {"top": -MARK_PX - LINE_PX, "middle": -LINE_PX / 2, "bottom": MARK_PX}[vertical]
    return spot.x + left, spot.y + top, spot.x + left + width, spot.y + top + LINE_PX


@settings(max_examples=100, deadline=None)
@given(SPOTS)
def test_no_name_lies_on_another_or_leaves_the_plot(spots: list[Spot]) -> None:
    places = place_labels(spots, 300, 300)
    boxes = [box(s, p) for s, p in zip(spots, places, strict=True) if p is not None]
    slack = MARK_PX  # names keep half a mark's distance to the side
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert -slack <= left and right <= 300 + 2 * slack
        assert top >= -8 and bottom <= 300
        for other in boxes[:index]:
            across = min(right, other[2]) - max(left, other[0])
            down = min(bottom, other[3]) - max(top, other[1])
            assert across <= slack or down <= 1e-9


def test_a_lonely_name_stands_above_on_the_free_side() -> None:
    assert place_labels([Spot(150, 150, "net")], 300, 300) == ("top left",)
    assert place_labels([Spot(5, 150, "net")], 300, 300) == ("top right",)
    assert place_labels([Spot(150, 150, "")], 300, 300) == (None,)


def test_a_name_makes_way_for_a_line_but_not_at_all_costs() -> None:
    above = (0.0, 137.0, 300.0, 137.0)
    assert place_labels([Spot(150, 150, "net")], 300, 300, [above]) == ("bottom right",)
    grid = [(0.0, float(y), 300.0, float(y)) for y in range(0, 300, 5)]
    assert place_labels([Spot(150, 150, "net")], 300, 300, grid) == ("top left",)


def test_the_first_of_two_in_one_place_is_named() -> None:
    wide = "n" * math.floor(280 / CHARACTER_PX)
    spots = [Spot(150, y, wide) for y in (148, 150, 152)]
    assert place_labels(spots, 300, 300)[0] is not None
    assert None in place_labels(spots, 300, 300)
