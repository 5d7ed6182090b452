"""What several devices tell together: who stands beside whom, with a ratio or without."""

import dataclasses
import json
import re
from collections.abc import Callable
from functools import cache

import pytest

from edgezoo.measurement import Latency, Measurement
from edgezoo.plan import Plan, ReferenceSetting
from edgezoo.report import ReportData
from edgezoo.report.across import all_themes
from edgezoo.report.beside import beside_tables
from edgezoo.report.conditions import condition_tables
from edgezoo.report.failures import failure_tables
from edgezoo.report.grouping import Grouping, group_measurements
from edgezoo.report.json_page import json_page
from edgezoo.report.markdown import markdown_page
from edgezoo.report.page import html_page
from edgezoo.report.published_latency import published_latency_tables
from edgezoo.report.side_by_side import side_by_side_tables
from edgezoo.report.table import Cell, Table
from edgezoo.report.verdict import verdicts
from tests.report.fleet import fail, fleet, many_networks, many_phones


@cache
def lab() -> ReportData:
    return fleet()


@cache
def grouped() -> Grouping:
    return group_measurements(lab())


def bare() -> ReportData:
    """The same results from a lab that keeps no models."""
    return dataclasses.replace(lab(), artifacts=())


def row(table: Table, name: str) -> dict[str, Cell]:
    (cells,) = (cells for cells in table.rows if cells[0].text == name)
    return dict(zip((column.heading for column in table.columns), cells, strict=True))


def only(timings: tuple[Measurement, ...]) -> Grouping:
    return group_measurements(ReportData("x", (), timings))


# ------------------------------------------------------------------------ side by side


def test_phones_have_a_column_each_and_ways_a_table_each() -> None:
    cpu, gpu = side_by_side_tables(grouped(), "phone")
    headings = [column.heading for column in cpu.columns]
    assert headings == ["File", "Galaxy A14", "Pixel 4", "Pixel 7a"]
    assert cpu.title == "benchmark_model · CPU · 4 threads on big cores"
    assert gpu.title == "benchmark_model · GPU delegate"
    assert (len(cpu.rows), len(gpu.rows)) == (12, 6)


def test_cells_hold_the_number_its_doubt_or_the_failure() -> None:
    cpu, gpu = side_by_side_tables(grouped(), "phone")
    cells = row(cpu, "mnasnet_a1_x1_0_fp32.tflite")
    assert cells["Galaxy A14"].doubt == "throttled"
    assert re.fullmatch(r"[\d.]+ ms", cells["Pixel 7a"].text)
    assert re.fullmatch(r"[\d.]+–[\d.]+", cells["Pixel 7a"].note)
    failed = row(gpu, "efficientnet_b0_fp32.tflite")["Galaxy A14"]
    assert (failed.text, failed.tone) == ("failed", "bad")
    assert "delegate_fallback" in failed.hint and "sigmoid is not supported" in failed.hint


def test_what_a_phone_was_not_given_is_not_measured() -> None:
    measurements = [
        m for m in lab().measurements if m.device.name != "Pixel 4" or "b0" in m.artifact
    ]
    table, _ = side_by_side_tables(only(tuple(measurements)), "phone")
    assert row(table, "mnasnet_small_fp32.tflite")["Pixel 4"].text == "not measured"


@pytest.mark.parametrize(
    "change",
    [
        {"runner": "another"},
        {"plan": Plan(2, cores="big")},
        {"plan": Plan(4, cores="all")},
        {"plan": Plan(4, cores="big", xnnpack=False)},
        {"plan": Plan(4, cores="big", sustained_s=60.0)},
    ],
)
def test_other_ways_of_running_are_not_beside_each_other(change: dict[str, object]) -> None:
    names = ("Pixel 7a", "Pixel 4")
    two = [
        next(
            m
            for m in lab().measurements
            if m.device.name == name and m.artifact == "efficientnet_lite0_fp32.tflite"
        )
        for name in names
    ]
    assert len(side_by_side_tables(only(tuple(two)), "phone")) == 1
    other = dataclasses.replace(two[1], **change)  # type: ignore[arg-type]  # fields by name
    assert side_by_side_tables(only((two[0], other)), "phone") == ()


def test_two_phones_of_one_name_are_two_columns() -> None:
    first = lab().measurements[0]
    twin = dataclasses.replace(first.device, serial="other")
    grouping = only((first, dataclasses.replace(first, device=twin)))
    (table,) = side_by_side_tables(grouping, "phone")
    assert [c.heading for c in table.columns[1:]] == ["Pixel 7a 2A311FDH200Q7X", "Pixel 7a other"]


def test_imports_without_a_file_keep_their_rows() -> None:
    """Two files whose hashes nobody knows are two rows, each on both devices."""
    basis = lab().measurements[0]
    taken = tuple(
        dataclasses.replace(
            basis,
            artifact=f"{name}.tflite",
            artifact_sha256="",
            model=name,
            device=dataclasses.replace(basis.device, name=device),
            provenance="imported",
        )
        for name in ("a", "b")
        for device in ("Phone X", "Phone Y")
    )
    (table,) = side_by_side_tables(only(taken), "imported")
    assert [cells[0].text for cells in table.rows] == ["a.tflite", "b.tflite"]
    assert all(cell.text.endswith(" ms") for cells in table.rows for cell in cells[1:])


def test_a_file_of_another_content_is_never_beside_it() -> None:
    first, second = (
        next(m for m in lab().measurements if m.device.name == name)
        for name in ("Pixel 7a", "Pixel 4")
    )
    newer = dataclasses.replace(second, artifact_sha256="0" * 64, measured_at="2026-01-01")
    grouping = only((first, newer))
    assert side_by_side_tables(grouping, "phone") == ()
    assert grouping.foreign == (first,), "the newest content counts"


# ---------------------------------------------------------------- provenances stay apart


@pytest.mark.parametrize("data", [lab, bare])
def test_no_table_has_two_provenances_in_a_column(data: Callable[[], ReportData]) -> None:
    grouping = group_measurements(data())
    by_mark = {timing.mark: timing.measurement.provenance for timing in grouping.timings}
    seen = 0
    for theme in all_themes(data(), grouping):
        for table in theme.tables:
            for cells in zip(*table.rows, strict=True):
                found = {by_mark[mark] for cell in cells for mark in cell.marks}
                assert len(found) <= 1, (table.caption, found)
                seen += len(found)
    assert seen > 20


@pytest.mark.parametrize("data", [lab, bare])
def test_simulated_is_written_wherever_a_simulated_number_stands(
    data: Callable[[], ReportData],
) -> None:
    grouping = group_measurements(data())
    simulated = {t.mark for t in grouping.timings if t.measurement.provenance == "simulated"}
    for theme in all_themes(data(), grouping):
        for table in theme.tables:
            for column, cells in zip(table.columns, zip(*table.rows, strict=True), strict=True):
                if simulated & {mark for cell in cells for mark in cell.marks}:
                    assert "imulated" in f"{column.heading} {table.caption}"
    for group in grouping.of("simulated"):
        assert group.setting.place.endswith("(simulated)")
    page = html_page(data())
    for section in re.findall(
        r'<section class="of-(?:[a-z-]+-)?simulated">.*?</section>', page, re.S
    ):
        for figure in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', section):
            texts = [item["text"] for item in json.loads(figure)["layout"]["annotations"]]
            assert "simulated" in texts


# -------------------------------------------------------------- computer, GPU, published


def times_in(cell: Cell) -> float | None:
    found = re.search(r"([\d.]+)×", cell.note)
    return float(found[1]) if found else None


def latency(device: str, artifact: str, accelerator: str = "cpu") -> float:
    (found,) = (
        m.latency_ms.median
        for m in lab().measurements
        if (m.device.name, m.artifact, m.plan.accelerator) == (device, artifact, accelerator)
        and m.latency_ms
    )
    return found


def test_a_ratio_to_the_computer_is_of_the_same_file() -> None:
    host, *_ = beside_tables(grouped(), "phone")
    assert host.columns[1].heading == "bench-box (computer)"
    name = "efficientnet_lite0_w8a8.tflite"
    wanted = latency("Galaxy A14", name) / latency("bench-box", name)
    # three digits are printed
    assert times_in(row(host, name)["Galaxy A14"]) == pytest.approx(wanted, rel=5e-3)


def test_no_ratio_with_a_number_in_doubt() -> None:
    host, *_ = beside_tables(grouped(), "phone")
    assert times_in(row(host, "mnasnet_a1_x1_0_fp32.tflite")["Galaxy A14"]) is None
    assert row(host, "efficientnet_lite2_fp32.tflite")["Galaxy A14"].text == "failed"


def test_no_table_beside_a_computer_with_other_threads() -> None:
    other = tuple(
        dataclasses.replace(m, plan=Plan(1)) if m.provenance == "host" else m
        for m in lab().measurements
    )
    captions = [table.caption for table in beside_tables(only(other), "phone")]
    assert captions and not any("computer" in caption for caption in captions)


def test_the_gpu_reference_is_the_fastest_of_fp32_and_one_image() -> None:
    _, cpu, gpu = beside_tables(grouped(), "phone")
    assert all(
        cells[0].text.endswith("fp32.tflite") for table in (cpu, gpu) for cells in table.rows
    )
    name = "efficientnet_lite0_fp32.tflite"
    reference = row(cpu, name)["NVIDIA H100 80GB HBM3 (GPU)"]
    assert reference.text == "0.900 ms" and reference.note.endswith("cuda-graph")
    assert times_in(row(cpu, name)["Pixel 7a"]) == pytest.approx(
        latency("Pixel 7a", name) / 0.9, rel=5e-3
    )
    assert times_in(row(gpu, name)["Pixel 7a"]) is None, "a delegate may compute in fp16"
    assert "may round to fp16" in gpu.words


def test_a_file_in_fewer_bits_is_no_reference_in_fp32() -> None:
    """An ONNX file in fp16 runs in the setting fp32, which keeps the file's own types."""
    name = "efficientnet_lite0"
    setting = ReferenceSetting("onnxruntime")
    fastest = Latency(0.1, 0.11, (0.099, 0.101), 0.098)
    reference = next(m for m in lab().measurements if m.provenance == "gpu" and m.model == name)
    half = dataclasses.replace(
        reference,
        artifact=f"{name}_fp16.onnx",
        artifact_sha256="16" * 32,
        format="onnx",
        recipe="fp16",
        plan=dataclasses.replace(reference.plan, reference=setting),
        latency_ms=fastest,
    )
    for recipe, text in (("fp16", "0.900 ms"), ("fp32", "0.100 ms")):
        measurements = (*lab().measurements, dataclasses.replace(half, recipe=recipe))
        data = dataclasses.replace(lab(), measurements=measurements)
        _, cpu, _ = beside_tables(group_measurements(data), "phone")
        shown = row(cpu, f"{name}_fp32.tflite")["NVIDIA H100 80GB HBM3 (GPU)"]
        assert shown.text == text


def test_a_simulated_phone_has_no_ratio() -> None:
    tables = beside_tables(grouped(), "simulated")
    assert len(tables) == 3
    assert all(times_in(cell) is None for t in tables for cells in t.rows for cell in cells)
    assert all("a simulated phone has no speed of its own" in table.words for table in tables)


def test_published_latencies_stand_beside_those_run_alike() -> None:
    (table,) = published_latency_tables(lab(), grouped(), "phone")
    headings = [column.heading for column in table.columns]
    assert headings == [
        "Network",
        "Published for",
        "Published",
        "Galaxy A14",
        "Pixel 4",
        "Pixel 7a",
    ]
    cells = {cells[1].text: cells for cells in table.rows if cells[0].text == "efficientnet_lite0"}
    by_mark = {timing.mark: timing.measurement for timing in grouped().timings}
    for published, ms, recipe, accelerator in (
        ("Pixel 4 CPU, 4 threads", "12.0 ms", "fp32", "cpu"),
        ("Pixel 4 GPU", "9.0 ms", "fp32", "gpu"),
        ("Pixel 4 CPU, 4 threads, int8", "6.5 ms", "w8a8", "cpu"),
    ):
        assert cells[published][2].text == ms
        (mark,) = cells[published][5].marks
        found = by_mark[mark]
        assert (found.recipe, found.plan.accelerator, found.device.name) == (
            recipe,
            accelerator,
            "Pixel 7a",
        )


def test_nothing_stands_beside_a_published_latency_that_was_run_otherwise() -> None:
    """The paper's number is of one big core or one thread, the lab's are of four threads."""
    (table,) = published_latency_tables(lab(), grouped(), "phone")
    for cells in table.rows:
        if "1 thread" in cells[1].text or "big core" in cells[1].text:
            assert {cell.text for cell in cells[3:]} == {"–"}


# ------------------------------------------------------------- conditions and failures


def test_conditions_before_and_after_and_what_really_ran() -> None:
    tables = {table.title: table for table in condition_tables(grouped())}
    assert list(tables) == [
        *("Galaxy A14", "Pixel 4", "Pixel 7a"),
        *("simphone-1 (simulated)", "simphone-2 (simulated)"),
    ]
    first = dict(
        zip(
            (c.heading for c in tables["Pixel 7a"].columns), tables["Pixel 7a"].rows[0], strict=True
        )
    )
    assert first["Asked for → used"].text == "xnnpack"
    assert first["Asked for → used"].note == "64 of 64 nodes · 4 threads on big cores"
    assert first["Thermal status"].text == "none"
    assert re.fullmatch(r"[\d.]+ °C → [\d.]+ °C", first["Hottest sensor"].text)
    assert re.fullmatch(r"\d+ % → \d+ %", first["Battery"].text)
    assert first["Battery"].note == "29.5 °C → 31.0 °C, discharging"
    assert first["Frequency"].text == "1803/2253/2850"
    assert first["Screen"].text == "on"
    assert first["Cold start"].text.startswith("load ")
    assert first["Runner"].hint == f"sha256 {'ab12' * 16}"
    assert "governor schedutil" in tables["Pixel 7a"].words
    assert "4 × 1803 MHz + 2 × 2253 MHz + 2 × 2850 MHz" in tables["Pixel 7a"].words


def test_a_warm_phone_and_a_changed_state_are_seen() -> None:
    measurement = lab().measurements[0]
    before, after = measurement.conditions
    after = dataclasses.replace(after, thermal_status=2, screen_on=False, charging=True)
    changed = dataclasses.replace(measurement, conditions=(before, after))
    (table,) = condition_tables(only((changed,)))
    cells = dict(zip((c.heading for c in table.columns), table.rows[0], strict=True))
    assert (cells["Thermal status"].text, cells["Thermal status"].tone) == (
        "none → moderate",
        "warn",
    )
    assert cells["Screen"].text == "on → off"
    assert cells["Battery"].note.endswith("plugged in or out meanwhile")


def test_logs_and_runner_are_among_the_sources() -> None:
    page = html_page(lab())
    measurement = lab().measurements[0]
    for process in measurement.processes:
        assert process.log_sha256 and process.log_sha256 in page
    assert measurement.runner_sha256 and measurement.runner_sha256 in page


def test_a_fallback_that_the_store_calls_ok_is_a_failure() -> None:
    measurement = next(m for m in lab().measurements if m.plan.accelerator == "gpu")
    delegate = {"requested": "gpu", "used": "xnnpack", "delegated_ops": 64, "total_ops": 64}
    fallen = dataclasses.replace(measurement, delegate=delegate)
    data = ReportData("x", (), (fallen,), advice=lab().advice)
    grouping = group_measurements(data)
    assert grouping.timings[0].shown_latency_ms is None
    (table,) = failure_tables(data, grouping)
    _, how, failure_class, happened, step = table.rows[0]
    assert how.text == "benchmark_model · GPU delegate"
    assert failure_class.text == "delegate_fallback"
    assert happened.text == "Gpu was asked for, but it ran on xnnpack."
    assert step.text.startswith("Measure on the CPU")
    assert measurement.latency_ms is not None
    for text in (html_page(data), markdown_page(data), json_page(data)):
        assert f"{measurement.latency_ms.median:.2f}" not in text
        assert repr(measurement.latency_ms.median) not in text


def test_failures_by_device_with_class_sentence_and_next_step() -> None:
    tables = {table.title: table for table in failure_tables(lab(), grouped())}
    assert list(tables) == ["Galaxy A14", "Pixel 4", "Pixel 7a", "simphone-2 (simulated)"]
    assert tables["Galaxy A14"].words == "2 of 18 measurements: 1 timeout, 1 delegate_fallback."
    timeout = next(cells for cells in tables["Galaxy A14"].rows if cells[2].text == "timeout")
    assert [cell.text for cell in timeout] == [
        "efficientnet_lite2_fp32.tflite",
        "benchmark_model · CPU · 4 threads on big cores",
        "timeout",
        "Failed in process 2 of 5: it did not end within 60 s and was stopped.",
        "Raise --timeout, or ask for fewer runs.",
    ]


def test_an_unplugged_phone_is_one_row() -> None:
    pixel4 = next(t for t in failure_tables(lab(), grouped()) if t.title == "Pixel 4")
    lost = pixel4.rows[0]
    assert (lost[2].text, lost[2].note) == ("link_lost", "4 jobs")
    assert len(lost[0].marks) == 4
    everything = tuple(
        fail(m, "device_gone", "it left") for m in lab().measurements if m.device.name == "Pixel 4"
    )
    (table,) = failure_tables(lab(), only(everything))
    assert len(table.rows) == 1
    assert table.rows[0][0].note.endswith("and 14 more")
    assert all(m.artifact in table.rows[0][0].hint for m in everything)


# ----------------------------------------------------------------------------- the whole


def test_a_later_number_replaces_a_failure_of_the_same_way() -> None:
    """A failure has no delegate, so what was asked for is in the plan alone."""
    measurement = next(m for m in lab().measurements if m.plan.accelerator == "gpu")
    failed = dataclasses.replace(fail(measurement, "crash", "it ended"), measured_at="2025-01-01")
    (group,) = only((failed, measurement)).groups
    assert [timing.status for timing in group.timings] == ["ok"]
    assert group.older == 1


def test_the_headline_spans_the_phones() -> None:
    first, *others = verdicts(lab(), grouped())
    assert re.match(
        r"mnasnet_small_w8a8.tflite is [\d.]+× to [\d.]+× faster than fp32 on 2 phones "
        r"\(4 threads on big cores\), is 3.7× smaller",
        first.text,
    )
    texts = [verdict.text for verdict in others]
    assert "120 measurements on 3 phones, 1 computer, 1 GPU and 2 simulated phones." in texts
    assert any(text.startswith("9 of 120 measurements gave no number") for text in texts)


def test_without_files_the_measurements_speak() -> None:
    first, *_ = verdicts(bare(), group_measurements(bare()))
    assert re.match(r"mnasnet_small_w8a8.tflite is [\d.]+× to [\d.]+× faster than fp32", first.text)
    assert "smaller" not in first.text and "first class" not in first.text
    page = html_page(bare())
    assert "only measurements tell of them" in page
    assert 'class="of-files"' not in page


def test_a_lab_of_eight_phones_and_twenty_networks_stays_readable() -> None:
    data = fleet(many_phones(8), many_networks(20))
    assert len(data.measurements) == 580
    page, text = html_page(data), markdown_page(data)
    # plotly is 4.8 MB of it; 8 kB are left for each measurement
    assert len(page) < 4_900_000 + 8_500 * 580
    assert len(text) < 400_000
    opened = re.sub(r"<details.*?</details>", "", page, flags=re.S)
    assert opened.count("<tr") < 320, "what is long opens on a click"
    (table, _) = side_by_side_tables(group_measurements(data), "phone")
    assert (len(table.rows), len(table.columns)) == (40, 9)


def test_a_computer_alone_has_nothing_beside_it(report_data: ReportData) -> None:
    assert all_themes(report_data, group_measurements(report_data)) == ()


def test_json_holds_tables_and_numbers_under_the_same_marks() -> None:
    page = json.loads(json_page(lab()))
    assert page["schema"] == 1
    by_mark = {measurement["mark"]: measurement for measurement in page["measurements"]}
    assert len(by_mark) == 120
    (table,) = (t for t in page["tables"] if t["section"] == "published-latency-phone")
    cell = table["rows"][0][table["columns"].index("Pixel 7a")]
    found = by_mark[cell["marks"][0]]
    assert found["device"] == "Pixel 7a" and found["provenance"] == "phone"
    assert cell["text"] == f"{found['latency_ms']['median']:.2f} ms"
    failed = [m for m in page["measurements"] if m["status"] == "failed"]
    assert len(failed) == 9
    assert all(m["latency_ms"] is None and m["failure_class"] and m["message"] for m in failed)
    timeout = next(m for m in failed if m["failure_class"] == "timeout")
    assert timeout["next_step"] == "raise --timeout, or ask for fewer runs"
    assert {t["section"] for t in page["tables"]} >= {
        *("results", "side-by-side-phone", "side-by-side-simulated", "beside-phone"),
        *("failures", "conditions"),
    }
    assert "wall_ms" not in json_page(lab()), "raw samples stay in the results file"


def test_json_has_no_infinity(report_data: ReportData) -> None:
    first = report_data.artifacts[0]
    exact = dataclasses.replace(first.artifact.comparison, sqnr_db=float("inf"))
    entry = dataclasses.replace(
        first, artifact=dataclasses.replace(first.artifact, comparison=exact)
    )
    data = dataclasses.replace(report_data, artifacts=(entry, *report_data.artifacts[1:]))
    (artifact, *_) = json.loads(json_page(data))["artifacts"]
    assert artifact["comparison"]["sqnr_db"] is None


def test_pages_of_a_lab_are_the_same_for_the_same_data() -> None:
    assert html_page(lab()) == html_page(fleet())
    assert json_page(lab()) == json_page(fleet())
