"""Which numbers may stand side by side, and what is said about them."""

import dataclasses
from collections.abc import Callable
from typing import Any, get_args

import pytest

from edgezoo.measurement import Energy, Latency, Measurement, Provenance
from edgezoo.plan import Plan
from edgezoo.report import ArtifactEntry, ReportData
from edgezoo.report.grouping import PROVENANCES, group_measurements
from edgezoo.report.json_page import json_page
from edgezoo.report.markdown import markdown_page
from edgezoo.report.page import html_page
from edgezoo.report.table import Cell
from edgezoo.report.tables import group_table, result_tables
from edgezoo.report.verdict import verdicts
from edgezoo.report.words import (
    PROVENANCE_HEADINGS,
    PROVENANCE_NAMES,
    PROVENANCE_WORDS,
    describe_inputs,
    label_artifacts,
    speed_ratio,
)
from edgezoo.types import Comparison

Entries = tuple[ArtifactEntry, ...]


def headline(data: ReportData) -> str:
    return verdicts(data, group_measurements(data))[0].text


@pytest.mark.parametrize(
    "table", [PROVENANCES, PROVENANCE_HEADINGS, PROVENANCE_NAMES, PROVENANCE_WORDS]
)
def test_every_provenance_has_words(table: tuple[Provenance, ...]) -> None:
    assert set(table) == set(get_args(Provenance))


def test_provenances_devices_and_threads_are_never_mixed(
    report_data: ReportData, measurements: tuple[Measurement, ...]
) -> None:
    phone = dataclasses.replace(measurements[0].device, name="Pixel 7a", kind="phone")
    other = dataclasses.replace(phone, name="Galaxy A14")
    variants: tuple[dict[str, Any], ...] = (
        {},
        {"provenance": "phone", "device": phone},
        {"provenance": "phone", "device": other},
        {"provenance": "phone", "device": phone, "plan": Plan(threads=4)},
        {"provenance": "simulated", "device": phone},
    )
    all_of_them = [dataclasses.replace(m, **variant) for m in measurements for variant in variants]
    grouping = group_measurements(dataclasses.replace(report_data, measurements=(*all_of_them,)))
    assert [group.setting.provenance for group in grouping.groups] == [
        *["phone"] * 3,
        "host",
        "simulated",
    ]
    for group in grouping.groups:
        assert len(group.timings) == 4
        seen = {
            (t.measurement.provenance, t.measurement.device.name, t.measurement.plan.threads)
            for t in group.timings
        }
        assert len(seen) == 1
    marks = [timing.mark for timing in grouping.timings]
    assert marks == [f"m{number}" for number in range(1, 21)]


def test_the_newest_measurement_counts(
    report_data: ReportData, measurements: tuple[Measurement, ...]
) -> None:
    later = dataclasses.replace(
        measurements[0], latency_ms=Latency(7.0, 8.0, (6.9, 7.1), 6.8), measured_at="2025-12-01"
    )
    data = dataclasses.replace(report_data, measurements=(later, *measurements))
    (group,) = group_measurements(data).groups
    assert group.timings[0].measurement == later
    assert (group.older, len(group.timings)) == (1, 4)


def test_runners_of_one_artifact_are_rows_of_their_own(
    report_data: ReportData, measurements: tuple[Measurement, ...]
) -> None:
    other = dataclasses.replace(measurements[0], runner="benchmark_model")
    data = dataclasses.replace(report_data, measurements=(*measurements, other))
    (group,) = group_measurements(data).groups
    assert [t.measurement.runner for t in group.timings if t.entry == data.artifacts[0]] == [
        "benchmark_model",
        "litert",
    ]


def test_measurements_of_other_files_are_left_out(
    report_data: ReportData, make_measurement: Callable[..., Measurement]
) -> None:
    stale = make_measurement(report_data.artifacts[0], 3.0, artifact_sha256="00" * 32)
    grouping = group_measurements(dataclasses.replace(report_data, measurements=(stale,)))
    assert (grouping.groups, grouping.foreign) == ((), (stale,))


def test_imports_without_a_file_are_rows_of_their_own(
    report_data: ReportData, make_measurement: Callable[..., Measurement]
) -> None:
    """Their logs name a file and no hash, which is not the same as the same file."""
    basis = make_measurement(report_data.artifacts[0], artifact_sha256="", provenance="imported")
    taken = tuple(
        dataclasses.replace(basis, artifact=f"{name}.tflite", model=name) for name in "ab"
    )
    data = ReportData("x", (), taken)
    grouping = group_measurements(data)
    (group,) = grouping.groups
    assert (group.older, grouping.foreign) == (0, ())
    rows = group_table(group, grouping, data).rows
    assert [cells[0].text for cells in rows] == ["a.tflite", "b.tflite"]


def row_of(data: ReportData, index: int) -> dict[str, Cell]:
    grouping = group_measurements(data)
    (group,) = grouping.groups
    table = group_table(group, grouping, data)
    return dict(zip((c.heading for c in table.columns), table.rows[index], strict=True))


def with_w8a8_tflite(data: ReportData, measurement: Measurement) -> ReportData:
    float_tflite, _, *onnx = data.measurements
    return dataclasses.replace(data, measurements=(float_tflite, measurement, *onnx))


def test_no_number_where_it_failed(report_data: ReportData) -> None:
    failed = dataclasses.replace(report_data.measurements[1], status="failed")
    assert failed.latency_ms is not None
    row = row_of(with_w8a8_tflite(report_data, failed), 1)
    assert row["Latency, median"].text == row["Status"].text == "failed"
    for heading in ("Against fp32", "Latency, p90", "Peak memory"):
        assert row[heading].text == "–"


@pytest.mark.parametrize("status", ["unstable", "throttled"])
def test_doubtful_numbers_are_shown_as_such(
    report_data: ReportData, make_doubtful: Callable[..., Measurement], status: str
) -> None:
    doubtful = make_doubtful(report_data.artifacts[1], status=status)
    row = row_of(with_w8a8_tflite(report_data, doubtful), 1)
    numbers = ("Latency, median", "Latency, p90", "Peak memory")
    assert [row[heading].text for heading in numbers] == ["8.23 ms", "8.46 ms", "77.2 MiB"]
    assert {(row[heading].doubt, row[heading].tone) for heading in numbers} == {(status, "muted")}
    assert row["Latency, median"].note == "6.31–8.36"
    assert row["Status"].text == status


def test_the_high_percentile_of_a_runner_without_samples(report_data: ReportData) -> None:
    latency = dataclasses.replace(Latency(10.0, None, (9.5, 10.5), 9.0), p95=12.34)
    aggregated = dataclasses.replace(report_data.measurements[1], latency_ms=latency)
    cell = row_of(with_w8a8_tflite(report_data, aggregated), 1)["Latency, p90"]
    assert (cell.text, cell.note) == ("12.3 ms", "p95")
    none = dataclasses.replace(aggregated, latency_ms=dataclasses.replace(latency, p95=None))
    assert row_of(with_w8a8_tflite(report_data, none), 1)["Latency, p90"].text == "–"


ENERGY = Energy(12.345, (11.02, 13.61), 812.4, 3456.7, 236, 59.0)


def test_energy_has_a_column_where_it_was_measured(report_data: ReportData) -> None:
    assert "Energy" not in row_of(report_data, 0)
    measured = dataclasses.replace(report_data.measurements[1], energy=ENERGY)
    data = with_w8a8_tflite(report_data, measured)
    headings = list(row_of(data, 1))
    assert headings.index("Energy") == headings.index("Peak memory") + 1
    cell = row_of(data, 1)["Energy"]
    assert (cell.text, cell.note, cell.doubt) == ("12.3 mJ", "11.0–13.6", "")
    for words in ("3,457 mW under load", "812 mW idle", "236 readings"):
        assert words in cell.hint
    assert row_of(data, 0)["Energy"].text == "–"
    for page in (html_page(data), markdown_page(data)):
        assert "12.3 mJ" in page and "11.0–13.6" in page
    assert '"12.3 mJ"' in json_page(data) and repr(ENERGY.millijoules) in json_page(data)


def test_energy_of_numbers_in_doubt_and_of_none(report_data: ReportData) -> None:
    basis = dataclasses.replace(report_data.measurements[1], energy=ENERGY)
    unstable = dataclasses.replace(basis, status="unstable", message="it wavers")
    assert row_of(with_w8a8_tflite(report_data, unstable), 1)["Energy"].doubt == "unstable"
    failed = dataclasses.replace(basis, status="failed")
    assert row_of(with_w8a8_tflite(report_data, failed), 1)["Energy"].text == "–"


def test_energy_of_one_group_of_several(report_data: ReportData) -> None:
    """Only the group that has any gets the column."""
    measured = dataclasses.replace(report_data.measurements[1], energy=ENERGY, plan=Plan(threads=4))
    data = dataclasses.replace(report_data, measurements=(*report_data.measurements, measured))
    _, one, four = result_tables(data, group_measurements(data))
    found = ["Energy" in [column.heading for column in table.columns] for table in (one, four)]
    assert found == [False, True]


def test_trusted_numbers_carry_no_doubt(report_data: ReportData) -> None:
    cells = [cell for index in range(4) for cell in row_of(report_data, index).values()]
    assert {cell.doubt for cell in cells} == {""}


@pytest.mark.parametrize(
    ("doubted", "hint"),
    [
        ((1,), "w8a8 is unstable"),
        ((0,), "fp32 is unstable"),
        ((0, 1), "w8a8 is unstable and fp32 is"),
    ],
)
def test_no_ratio_with_a_doubtful_side(
    report_data: ReportData,
    make_doubtful: Callable[..., Measurement],
    doubted: tuple[int, ...],
    hint: str,
) -> None:
    measurements = list(report_data.measurements)
    for index in doubted:
        measurements[index] = make_doubtful(report_data.artifacts[index])
    data = dataclasses.replace(report_data, measurements=tuple(measurements))
    assert row_of(report_data, 1)["Against fp32"].text == "2.23×"
    assert row_of(data, 1)["Against fp32"].text == "–"
    assert f"not compared: {hint}" in row_of(data, 1)["Against fp32"].hint
    assert row_of(data, 3) == row_of(report_data, 3)  # the ONNX pair is not touched
    assert "faster" not in headline(data)
    assert "slower" not in headline(data)


@pytest.mark.parametrize(
    ("interval", "quoted"), [((6.313, 8.364), "6.3–8.4"), ((8.234, 8.234), "no interval")]
)
def test_headline_quotes_a_doubtful_number_as_such(
    report_data: ReportData,
    make_doubtful: Callable[..., Measurement],
    interval: tuple[float, float],
    quoted: str,
) -> None:
    latency = Latency(8.234, 8.457, interval, 4.174)
    doubtful = make_doubtful(report_data.artifacts[1], latency_ms=latency)
    data = with_w8a8_tflite(report_data, doubtful)
    assert headline(data) == (
        f"w8a8 TFLite: 8.2 ms, unstable ({quoted}), on a computer (1 thread); it is 3.7× smaller "
        "than fp32 and picks PyTorch's first class on 93.3 % of 15 held-out photos (SQNR 18.0 dB)."
    )
    last = verdicts(data, group_measurements(data))[-1]
    assert last.text == "1 of 4 measurements carries no claim: w8a8 TFLite (unstable)."
    assert last.marks == ("m2",)


def test_a_doubtful_float_is_named_where_no_ratio_can_be(
    report_data: ReportData, make_doubtful: Callable[..., Measurement]
) -> None:
    doubtful = make_doubtful(report_data.artifacts[0])
    data = dataclasses.replace(report_data, measurements=(doubtful, *report_data.measurements[1:]))
    words = "w8a8 TFLite takes 5.59 ms on a computer (1 thread; fp32 is unstable), is 3.7× smaller"
    assert headline(data).startswith(words)


def test_a_trusted_number_is_quoted_before_a_doubtful_one(
    report_data: ReportData, make_doubtful: Callable[..., Measurement]
) -> None:
    """Even where the doubtful one is the phone's."""
    device = dataclasses.replace(report_data.measurements[1].device, name="Pixel 7a", kind="phone")
    doubtful = make_doubtful(report_data.artifacts[1], provenance="phone", device=device)
    data = dataclasses.replace(report_data, measurements=(*report_data.measurements, doubtful))
    assert headline(data).startswith("w8a8 TFLite is 2.2× faster than fp32 on a computer")


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((5.4, 5.6), "is 2.3× faster than fp32 on a computer (1 thread)"),
        ((5.4, 12.6), "is not measurably faster or slower than fp32"),
        ((5.5, 5.5), "without an interval to judge the difference by"),
    ],
)
def test_faster_needs_intervals_that_do_not_overlap(
    report_data: ReportData, interval: tuple[float, float], words: str
) -> None:
    latency = Latency(5.5, 6.0, interval, 5.3)
    w8a8 = dataclasses.replace(report_data.measurements[1], latency_ms=latency)
    assert words in headline(with_w8a8_tflite(report_data, w8a8))


def test_slower_is_said(report_data: ReportData) -> None:
    w8a8 = dataclasses.replace(
        report_data.measurements[1], latency_ms=Latency(25.0, 26.0, (24.8, 25.3), 24.0)
    )
    data = dataclasses.replace(report_data, measurements=(report_data.measurements[0], w8a8))
    assert "w8a8 TFLite is 2.0× slower than fp32" in headline(data)


def test_speed_is_not_compared_across_groups(
    report_data: ReportData, measurements: tuple[Measurement, ...]
) -> None:
    elsewhere = dataclasses.replace(measurements[1], plan=Plan(threads=4))
    data = dataclasses.replace(report_data, measurements=(measurements[0], elsewhere))
    for group in group_measurements(data).groups:
        assert [speed_ratio(timing, group) for timing in group.timings] == [None]


def test_tflite_leads_the_headline_then_onnx(report_data: ReportData) -> None:
    """Even where the ONNX file is the faster one."""
    fast = Latency(1.0, 1.1, (0.9, 1.1), 0.9)
    onnx = dataclasses.replace(report_data.measurements[3], latency_ms=fast)
    data = dataclasses.replace(report_data, measurements=(*report_data.measurements[:3], onnx))
    first, second = (verdict.text for verdict in verdicts(data, group_measurements(data)))
    assert first == (
        "w8a8 TFLite is 2.2× faster than fp32 on a computer (1 thread), is 3.7× smaller and picks "
        "PyTorch's first class on 93.3 % of 15 held-out photos (SQNR 18.0 dB)."
    )
    assert second.startswith("w8a8 ONNX is 14× faster than fp32")


def test_w8a8_leads_other_recipes(
    report_data: ReportData, make_entry: Callable[..., ArtifactEntry]
) -> None:
    data = dataclasses.replace(
        report_data, artifacts=(make_entry("tflite", "w8"), *report_data.artifacts)
    )
    texts = [verdict.text for verdict in verdicts(data, group_measurements(data))]
    assert [text.split(" is ")[0] for text in texts] == ["w8a8 TFLite", "w8a8 ONNX", "w8 TFLite"]


def test_a_phone_leads_the_sentence(
    report_data: ReportData, measurements: tuple[Measurement, ...]
) -> None:
    device = dataclasses.replace(measurements[1].device, name="Pixel 7a", kind="phone")
    slow = Latency(90.0, 95.0, (89.0, 91.0), 88.0)
    phone = dataclasses.replace(measurements[1], provenance="phone", device=device, latency_ms=slow)
    data = dataclasses.replace(report_data, measurements=(*measurements, phone))
    words = "w8a8 TFLite takes 90.0 ms on a phone (1 thread), is 3.7× smaller than fp32"
    assert headline(data).startswith(words)


@pytest.mark.parametrize(
    ("artifacts", "words"),
    [
        (slice(0, 0), "There is no artifact"),
        (slice(0, 1), "fp32 TFLite differs from PyTorch by at most 1.9e-6 of the largest logit"),
        (slice(0, 2), "w8a8 TFLite is 3.7× smaller than fp32 and picks PyTorch's first class on"),
        (slice(2, 4), "w8a8 ONNX is 3.7× smaller than fp32 and picks PyTorch's first class on"),
    ],
)
def test_headline_without_measurements(
    report_data: ReportData, artifacts: slice, words: str
) -> None:
    data = ReportData("net", report_data.artifacts[artifacts])
    assert headline(data).startswith(words)
    assert ("it has not been timed" in headline(data)) == bool(data.artifacts)


def test_failures_are_counted_on_top(
    report_data: ReportData, make_failed: Callable[..., Measurement]
) -> None:
    failed = make_failed(report_data.artifacts[1])
    data = dataclasses.replace(report_data, measurements=(report_data.measurements[0], failed))
    last = verdicts(data, group_measurements(data))[-1]
    assert last.text == "1 of 2 measurements gave no number: w8a8 TFLite (failed)."
    assert last.marks == ("m2",)
    assert headline(data).endswith("; it could not be timed.")


@pytest.mark.parametrize(
    ("inputs", "held_out", "text"),
    [
        ("random", None, "15 random inputs"),
        ("photos", True, "15 held-out photos"),
        ("photos", False, "15 photos also used for calibration"),
    ],
)
def test_inputs_are_named(inputs: str, held_out: bool | None, text: str) -> None:
    comparison = Comparison(18.0, 1.0, 0.1, 0.99, 1.0, 15, inputs, held_out)
    assert describe_inputs(comparison) == text


def test_labels_are_unique(entries: Entries, make_entry: Callable[..., ArtifactEntry]) -> None:
    twin = make_entry("onnx", "fp32", model="mnasnet_a1")
    labels = label_artifacts((*entries, twin))
    assert labels[entries[3].name] == "w8a8 ONNX"
    assert labels[twin.name] == "mnasnet_a1-fp32.onnx"
    assert len(set(labels.values())) == 5


def test_one_table_for_one_group_else_the_files_first(report_data: ReportData) -> None:
    def headings(data: ReportData) -> list[set[str]]:
        tables = result_tables(data, group_measurements(data))
        return [{column.heading for column in table.columns} for table in tables]

    (only,) = headings(report_data)
    assert {"SQNR", "Latency, median"} <= only
    (files,) = headings(dataclasses.replace(report_data, measurements=()))
    assert "SQNR" in files
    assert "Latency, median" not in files
    more = dataclasses.replace(report_data.measurements[0], plan=Plan(threads=2))
    several = dataclasses.replace(report_data, measurements=(*report_data.measurements, more))
    assert [("SQNR" in names, "Latency, median" in names) for names in headings(several)] == [
        (True, False),
        (False, True),
        (False, True),
    ]
