"""Reference runs in the report: beside the files, never among them."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from edgezoo.measurement import DeviceInfo, Measurement, Throughput
from edgezoo.plan import Execution, Plan, Precision, ReferenceSetting
from edgezoo.report import ReportData
from edgezoo.report.grouping import group_measurements
from edgezoo.report.markdown import markdown_page
from edgezoo.report.page import html_page
from edgezoo.report.tables import FULL_COLUMNS, reference_table, result_tables
from edgezoo.report.verdict import verdicts

GPU = DeviceInfo("NVIDIA H100 80GB HBM3", "gpu", "AMD EPYC", 16, 81559, "Linux", serial="cuda:0")
WEIGHTS = "9f" * 32  # of the artifacts' origin
Reference = Callable[..., Measurement]


@pytest.fixture
def reference(measurements: tuple[Measurement, ...]) -> Reference:
    """Build the measurement of the network itself in a setting."""

    def build(
        execution: Execution = "eager",
        precision: Precision = "fp32",
        batch: int = 1,
        **changes: Any,  # Any: fields of the measurement
    ) -> Measurement:
        plan = Plan(reference=ReferenceSetting(execution, precision, batch))
        basis = dataclasses.replace(
            measurements[0],
            artifact="efficientnet_lite0",
            artifact_sha256=WEIGHTS,
            format="pytorch",
            provenance="gpu",
            device=GPU,
            runner="pytorch",
            delegate={"requested": "x", "sqnr_db": 121.5},
            plan=plan,
            throughput=Throughput(1234.5 * batch, (1200.0, 1300.0)),
        )
        return dataclasses.replace(basis, **changes)

    return build


def with_references(data: ReportData, *references: Measurement) -> ReportData:
    return dataclasses.replace(data, measurements=(*data.measurements, *references))


def test_rows_by_execution_precision_and_batch(
    report_data: ReportData, reference: Reference
) -> None:
    settings: tuple[tuple[Execution, Precision, int], ...] = (
        *(("eager", "fp32", 1), ("eager", "fp32", 8), ("eager", "fp32", 128)),
        *(("eager", "fp16", 1), ("compile", "fp32", 1)),
    )
    taken = [reference(*setting) for setting in settings]
    data = with_references(report_data, *taken, reference("eager", "fp32", 8))
    grouping = group_measurements(data)
    assert len(grouping.groups) == 1, "the files' own group is untouched"
    (group,) = grouping.references
    assert group.older == 1
    rows = [cells[1].text for cells in reference_table(group, data).rows]
    assert rows == [
        "compile, fp32, batch 1",
        "eager, fp16, batch 1",
        "eager, fp32, batch 1",
        "eager, fp32, batch 8",
        "eager, fp32, batch 128",
    ]


def test_latency_throughput_and_exactness_apart(
    report_data: ReportData, reference: Reference
) -> None:
    data = with_references(report_data, reference(batch=8))
    (row,) = reference_table(group_measurements(data).references[0], data).rows
    texts = [cell.text for cell in row]
    assert texts[0] == "efficientnet_lite0"
    assert "9,876 images/s" in texts and "121.5 dB" in texts
    assert row[0].hint == f"weights sha256 {WEIGHTS}"


def test_files_and_verdict_are_as_without(report_data: ReportData, reference: Reference) -> None:
    data = with_references(report_data, reference(latency_ms=None, status="failed"))
    plain, mixed = group_measurements(report_data), group_measurements(data)
    assert result_tables(data, mixed)[0].columns == FULL_COLUMNS
    assert result_tables(data, mixed)[0] == result_tables(report_data, plain)[0]
    assert verdicts(data, mixed)[0] == verdicts(report_data, plain)[0]
    assert "efficientnet_lite0, eager, fp32, batch 1 (failed)" in verdicts(data, mixed)[-1].text


def test_processor_and_gpu_have_tables_of_their_own(
    report_data: ReportData, reference: Reference
) -> None:
    host = report_data.measurements[0].device
    data = with_references(
        report_data, reference(), reference(provenance="host", device=host, plan=reference().plan)
    )
    captions = [table.caption for table in result_tables(data, group_measurements(data))]
    assert captions[1].startswith("PyTorch reference on a computer: bench-box")
    assert captions[2] == "GPU reference: NVIDIA H100 80GB HBM3 · AMD EPYC"


def test_networks_of_other_weights_are_left_out(
    report_data: ReportData, reference: Reference
) -> None:
    data = with_references(report_data, reference(artifact_sha256="00" * 32))
    grouping = group_measurements(data)
    assert not grouping.references
    assert [m.artifact for m in grouping.foreign] == ["efficientnet_lite0"]


def test_both_pages_show_them(report_data: ReportData, reference: Reference) -> None:
    data = with_references(
        report_data, reference(), reference(precision="fp16", status="throttled", message="hot")
    )
    page, text = html_page(data), markdown_page(data)
    for words in ("GPU reference", "eager, fp16, batch 1", "says nothing about phones"):
        assert words in page
    assert "## GPU reference: NVIDIA H100 80GB HBM3" in text
    assert "efficientnet\\_lite0, eager, fp16, batch 1: throttled: hot" in text
    assert "m6** efficientnet\\_lite0, eager, fp32, batch 1 on NVIDIA H100" in text
