"""Which numbers may stand side by side, and what is said about them."""

import dataclasses
from collections.abc import Callable
from typing import Any, get_args

import pytest

from edgezoo.report import ArtifactEntry, ReportData
from edgezoo.report.grouping import PROVENANCES, group_measurements
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
from edgezoo.types import Comparison, Latency, Measurement, Plan, Provenance

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
    other = dataclasses.replace(measurements[2], runner="benchmark_model")
    data = dataclasses.replace(report_data, measurements=(*measurements, other))
    (group,) = group_measurements(data).groups
    assert [t.measurement.runner for t in group.timings if t.entry == data.artifacts[2]] == [
        "benchmark_model",
        "litert",
    ]


def test_measurements_of_other_files_are_left_out(
    report_data: ReportData, make_measurement: Callable[..., Measurement]
) -> None:
    stale = make_measurement(report_data.artifacts[0], 3.0, artifact_sha256="00" * 32)
    grouping = group_measurements(dataclasses.replace(report_data, measurements=(stale,)))
    assert (grouping.groups, grouping.foreign) == ((), (stale,))


@pytest.mark.parametrize("status", ["failed", "unstable", "throttled"])
def test_no_number_without_ok(report_data: ReportData, status: str) -> None:
    doubtful = dataclasses.replace(report_data.measurements[3], status=status)  # type: ignore[arg-type]
    data = dataclasses.replace(report_data, measurements=(*report_data.measurements[:3], doubtful))
    grouping = group_measurements(data)
    (group,) = grouping.groups
    table = group_table(group, grouping, data)
    row = dict(zip((c.heading for c in table.columns), table.rows[3], strict=True))
    assert row["Latency, median"].text == row["Status"].text == status
    for heading in ("Against fp32", "Latency, p90", "Peak memory"):
        assert row[heading].text == "–"


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
    *others, w8a8 = report_data.measurements
    w8a8 = dataclasses.replace(w8a8, latency_ms=Latency(5.5, 6.0, interval, 5.3))
    assert words in headline(dataclasses.replace(report_data, measurements=(*others, w8a8)))


def test_slower_is_said(report_data: ReportData) -> None:
    w8a8 = dataclasses.replace(
        report_data.measurements[3], latency_ms=Latency(25.0, 26.0, (24.8, 25.3), 24.0)
    )
    data = dataclasses.replace(report_data, measurements=(report_data.measurements[2], w8a8))
    assert "w8a8 TFLite is 2.0× slower than fp32" in headline(data)


def test_speed_is_not_compared_across_groups(
    report_data: ReportData, measurements: tuple[Measurement, ...]
) -> None:
    elsewhere = dataclasses.replace(measurements[3], plan=Plan(threads=4))
    data = dataclasses.replace(report_data, measurements=(measurements[2], elsewhere))
    for group in group_measurements(data).groups:
        assert [speed_ratio(timing, group) for timing in group.timings] == [None]


def test_a_phone_leads_the_headline(
    report_data: ReportData, measurements: tuple[Measurement, ...]
) -> None:
    device = dataclasses.replace(measurements[1].device, name="Pixel 7a", kind="phone")
    slow = Latency(90.0, 95.0, (89.0, 91.0), 88.0)
    phone = dataclasses.replace(measurements[1], provenance="phone", device=device, latency_ms=slow)
    data = dataclasses.replace(report_data, measurements=(*measurements, phone))
    assert headline(data).startswith("w8a8 ONNX takes 90.0 ms on a phone (1 thread), is 3.7×")


@pytest.mark.parametrize(
    ("artifacts", "words"),
    [
        (slice(0, 0), "There is no artifact"),
        (slice(0, 1), "fp32 ONNX differs from PyTorch by at most 1.9e-6 of the largest logit"),
        (slice(0, 2), "w8a8 ONNX is 3.7× smaller and picks PyTorch's first class on 93.3 % of 15"),
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
    assert last.text == "1 of 2 measurements gave no number: w8a8 ONNX (failed)."
    assert last.marks == ("m2",)
    assert "could not be timed reliably" in headline(data)


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
    assert labels[entries[1].name] == "w8a8 ONNX"
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
