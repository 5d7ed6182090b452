"""Where the time goes: sums, the section, the picture."""

import dataclasses
import math

import pytest

from edgezoo.measurement import OpTime, Profile
from edgezoo.report import ReportData
from edgezoo.report.icicle import icicle_plot
from edgezoo.report.markdown import markdown_page
from edgezoo.report.page import html_page
from edgezoo.report.profile import (
    UNJOINED,
    by_kind,
    by_place,
    coverage_sentence,
    longest,
    path_of,
    rate,
)

CONV = OpTime(
    "c:0", "Convolution (NHWC, F32) IGEMM", 6.0, 1, "XNNPACK", "blocks.0.conv/raw", 3_000_000
)
ADD = OpTime("a:1", "Add (ND)", 1.0, 1, "XNNPACK", "blocks.0/add", 0)
HEAD = OpTime("f:2", "FULLY_CONNECTED", 2.0, 1, "built-in kernels", "<head>", 1_000_000)
COPY = OpTime("r:3", "Copy (NC, X32)", 1.0, 1, "XNNPACK")
PROFILE = Profile((CONV, ADD, HEAD, COPY), 10, whole_ms=12.5)


def test_sums() -> None:
    assert [(s.name, s.ms, s.share, s.count) for s in by_kind(PROFILE)] == [
        ("Convolution", 6.0, 0.6, 1),
        ("FULLY_CONNECTED", 2.0, 0.2, 1),
        ("Add", 1.0, 0.1, 1),
        ("Copy", 1.0, 0.1, 1),
    ]
    assert [(s.name, s.share) for s in by_place(PROFILE)] == [
        ("XNNPACK", 0.8),
        ("built-in kernels", 0.2),
    ]
    assert longest(PROFILE, 2) == (CONV, HEAD)
    assert (PROFILE.coverage, PROFILE.joined) == (0.8, 0.9)


def test_rates() -> None:
    """Two operations per multiply-accumulate: 3 million of them in 6 ms are 1 GOP/s."""
    assert CONV.gflops == pytest.approx(1.0)
    assert rate(CONV) == "1.00 GOP/s"
    assert (rate(ADD), rate(COPY)) == ("", "")


def test_paths() -> None:
    assert [path_of(op) for op in PROFILE.ops] == [
        ("blocks", "0", "conv"),
        ("blocks", "0", "add"),
        ("<head>",),
        (UNJOINED, "Copy"),
    ]


def test_the_sentence_says_what_is_left_open() -> None:
    assert coverage_sentence(PROFILE) == (
        "4 operations take 10.0 ms (mean of 10 inferences); 80.0 % of the 12.5 ms of a whole "
        "inference in the same instrumented process; 10.0 % of it belongs to no node of the file."
    )
    bare = Profile((CONV,), 1)
    assert coverage_sentence(bare) == "1 operation takes 6.00 ms (of 1 inference)."


def test_tiles_add_up() -> None:
    plot = icicle_plot(PROFILE)
    assert plot is not None
    (trace,) = plot.figure["data"]
    rows = zip(trace["ids"], trace["parents"], trace["values"], strict=True)
    values = {identifier: value for identifier, _, value in rows}
    assert len(values) == len(trace["ids"])
    sums: dict[str, float] = {}
    for identifier, parent in zip(trace["ids"], trace["parents"], strict=True):
        sums[parent] = sums.get(parent, 0.0) + values[identifier]
    assert sums.pop("") == 10.0
    assert all(math.isclose(values[parent], total) for parent, total in sums.items())
    # A module with a single part is one tile with it; names are no markup.
    assert trace["labels"] == [
        "all operations", "blocks.0", "conv", "add", "&lt;head&gt;", f"{UNJOINED}.Copy",
    ]  # fmt: skip
    assert "blocks" in plot.alternative


def test_thin_neighbours_are_one_tile() -> None:
    thin = tuple(OpTime(f"t{i}", "Add (ND)", 0.001, value=f"m.{i}") for i in range(300))
    plot = icicle_plot(Profile((*thin, dataclasses.replace(CONV, value="m.conv")), 1))
    assert plot is not None
    (trace,) = plot.figure["data"]
    assert trace["labels"] == ["m", "conv", "300 more"]


def test_no_time_is_no_picture() -> None:
    assert icicle_plot(Profile((), 1)) is None
    assert icicle_plot(Profile((dataclasses.replace(CONV, ms=0.0),), 1)) is None


def test_the_pages_hold_the_profile(report_data: ReportData) -> None:
    first, *others = report_data.measurements
    assert "Where the time goes" not in html_page(report_data)
    profiled = dataclasses.replace(first, profile=PROFILE)
    data = dataclasses.replace(report_data, measurements=(profiled, *others))
    page, text = html_page(data), markdown_page(data)
    assert page.count('id="where-1"') == 1 and 'id="where-2"' not in page
    assert 'href="#where"' in page
    assert "blocks.0.conv" in text
    for shown in ("1.00 GOP/s", "60.0 %", "3,000,000"):
        assert shown in page and shown in text
    assert "<head>" not in page.split("</head>", 1)[1]


def test_the_command_line_shows_it(
    report_data: ReportData, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    from edgezoo.cli.profiles import with_profiles

    measurement = dataclasses.replace(report_data.measurements[0], profile=PROFILE)
    Console(width=120).print(with_profiles("above", [measurement, report_data.measurements[1]]))
    shown = capsys.readouterr().out
    assert shown.startswith("above")
    assert "executed by: XNNPACK 80.0 %, built-in kernels 20.0 %" in shown
    assert shown.count("where the time goes") == 1
