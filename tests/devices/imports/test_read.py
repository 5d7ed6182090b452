"""Result files of other tools: genuine logs, and JSON in the shape of coremltools' source."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.devices.failures import Failure
from edgezoo.devices.imports.benchmark_tool import read_benchmark_log
from edgezoo.devices.imports.coreml import read_coreml_json
from edgezoo.devices.imports.read import import_results
from edgezoo.errors import ArtifactError, BenchmarkError, UsageError

LOGS = Path(__file__).parents[1] / "runners" / "logs"
OK = (LOGS / "ok.txt").read_bytes()
SAMPLES = [4.0, 5.0, 4.5, 4.25]
COREML: dict[str, Any] = {
    "samples": SAMPLES,
    "statistics": {"minimum": 4.0, "maximum": 5.0, "average": 4.4375, "std_dev": 0.37, "median": 4.375},
}  # fmt: skip


def _import(path: Path, content: bytes, **more: Any) -> Any:
    path.write_bytes(content)
    (measurement,) = import_results([path], "Phone X", **more)
    return measurement


def test_a_log_of_android(tmp_path: Path) -> None:
    found = _import(tmp_path / "pixel.log", OK)
    assert (found.provenance, found.device.kind, found.device.name) == (
        "imported",
        "imported",
        "Phone X",
    )
    assert (found.artifact, found.runner, found.delegate["used"]) == (
        "dummy_cv_model.tflite", "benchmark_model", "xnnpack"
    )  # fmt: skip
    assert (found.plan.threads, found.plan.runs, found.plan.processes) == (1, 3, 1)
    (process,) = found.processes
    assert found.latency_ms.median == process.aggregates.median
    assert "edgezoo did not take this number" in found.message
    assert found.artifact_sha256 == "" and found.conditions == ()


def test_the_artifact_joins_hash_and_model(tmp_path: Path, build_model: Any) -> None:
    path = build_model("net.tflite")
    path.with_name("net.tflite.json").write_text(json.dumps({"model": "mine", "recipe": "w8a8"}))
    found = _import(tmp_path / "pixel.log", OK, artifact=path)
    assert (found.artifact, found.model, found.recipe) == ("net.tflite", "mine", "w8a8")
    assert len(found.artifact_sha256) == 64


@pytest.mark.parametrize("app", [b"TFLiteBenchmark", b"TFLite Benchmark"])
def test_a_log_of_the_ios_app(app: bytes, tmp_path: Path) -> None:
    """Lines of the runtime as NSLog prints them (tensorflow issue 44369), numbers as everywhere."""
    prefix = b"2020-10-28 14:21:10.624179+0800 " + app + b"[3858:924590] "
    lines = OK.splitlines(keepends=True)
    runtime = (b"INFO: Initialized TensorFlow", b"INFO: Created TensorFlow", b"VERBOSE: Replacing")
    content = b"".join(prefix + line if line.startswith(runtime) else line for line in lines)
    assert content.count(prefix) == 3
    found = _import(tmp_path / "iphone.log", content)
    assert found.delegate["used"] == "xnnpack"
    assert "untested" in found.message


def test_a_log_that_ended_after_its_seconds(tmp_path: Path) -> None:
    """``max_secs`` ends the tool before ``num_runs``; an import has asked for neither."""
    found = _import(tmp_path / "slow.log", OK.replace(b"Min num runs: [3]", b"Min num runs: [50]"))
    assert (found.plan.runs, found.processes[0].runs) == (3, 3)


@pytest.mark.parametrize("setting", [b"[-1]", b"[0]", None])
def test_threads_that_the_tool_chose_itself(setting: bytes | None, tmp_path: Path) -> None:
    line = b"INFO: Num threads: [1]\n"
    found = _import(
        tmp_path / "default.log",
        OK.replace(line, line.replace(b"[1]", setting) if setting else b""),
    )
    assert found.plan.threads == 1
    assert "does not tell the number of threads" in found.message
    assert "number of threads" not in _import(tmp_path / "one.log", OK).message


def test_threads_that_were_set(tmp_path: Path) -> None:
    found = _import(tmp_path / "four.log", OK.replace(b"Num threads: [1]", b"Num threads: [4]"))
    assert found.plan.threads == 4


REFUSED = {
    "tf2_3_android.txt": "invalid_numbers",
    "dry_run.txt": "invalid_numbers",
    "gpu_refused.txt": "delegate_error",
    "nnapi.txt": "delegate_fallback",
    "missing_model.txt": "load_error",
    "repeated_flag.txt": "flag_refused",
    "usage.txt": "flag_refused",
}


@pytest.mark.parametrize(("name", "failure_class"), REFUSED.items())
def test_logs_without_a_number(name: str, failure_class: str) -> None:
    with pytest.raises(
        BenchmarkError, match=rf"nothing was imported: .*{name} \({failure_class}\)"
    ):
        import_results([LOGS / name], "Phone X")


def test_every_prefix_of_a_log_is_refused() -> None:
    """Up to the summary line, without which nothing proves that the run ended."""
    end = OK.index(b"INFO: Inference timings in us")
    for length in range(0, end, 7):
        assert isinstance(read_benchmark_log(OK[:length]), Failure), OK[:length][-60:]


def test_one_bad_file_stops_all(tmp_path: Path) -> None:
    (tmp_path / "cut.log").write_bytes(OK[:700])
    with pytest.raises(BenchmarkError, match=r"cut\.log \(incomplete_log\)"):
        import_results([LOGS / "ok.txt", tmp_path / "cut.log"], "Phone X")


def test_coreml_json(tmp_path: Path) -> None:
    more = {"model": "net.mlpackage", "compute_units": "ALL", "load": {"samples": [120.0]}}
    found = _import(tmp_path / "iphone.json", json.dumps({**COREML, **more}).encode())
    assert (found.format, found.runner, found.artifact) == ("coreml", "Core ML", "net.mlpackage")
    assert found.latency_ms.median == 4.375
    assert found.processes[0].load_ms == 120.0
    assert found.processes[0].wall_ms == tuple(SAMPLES)
    assert "untested" in found.message


def _changed(**changes: Any) -> bytes:
    return json.dumps({**COREML, **changes}).encode()


BAD_JSON = {
    "no samples": (_changed(samples=[]), "incomplete_log"),
    "zero": (_changed(samples=[0.0, 1.0]), "invalid_numbers"),
    "seconds for a year": (_changed(samples=[1e12]), "invalid_numbers"),
    "statistics of others": (_changed(samples=[1.0, 2.0]), "bad_output"),
    "words": (_changed(samples=["4"]), "bad_output"),
    "NaN": (b'{"samples": [NaN]}', "bad_output"),
    "cut": (_changed()[:-4], "bad_output"),
    "deep": (b'{"samples": ' + b"[" * 100_000, "bad_output"),
}


@pytest.mark.parametrize(("content", "failure_class"), BAD_JSON.values(), ids=BAD_JSON)
def test_json_without_a_number(content: bytes, failure_class: str) -> None:
    found = read_coreml_json(content)
    assert isinstance(found, Failure) and found.failure_class == failure_class


@given(st.binary(max_size=300))
def test_any_bytes_are_no_number(content: bytes) -> None:
    for read in (read_benchmark_log, read_coreml_json):
        assert isinstance(read(content), Failure)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"net\.mlperf cannot be read.*MLModelBenchmarker"):
        import_results([tmp_path / "net.mlperf"], "Phone X")
    with pytest.raises(UsageError, match="no result file"):
        import_results([], "Phone X")
    with pytest.raises(UsageError, match="no name"):
        import_results([LOGS / "ok.txt"], " ")
    with pytest.raises(ArtifactError, match=r"absent\.log cannot be read \(No such file"):
        import_results([tmp_path / "absent.log"], "Phone X")
