"""What scripts may rely on: the JSON of every command."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edgezoo
from edgezoo import results
from edgezoo.artifacts import file_sha256
from edgezoo.measurement import DeviceInfo, Measurement, ProcessSamples
from edgezoo.plan import Plan
from tests.cli.command import SHAPE, Cli

COMPARISON = {"sqnr_db", "max_abs", "max_rel", "cosine", "top1_agreement", "samples"}
FAST = ("--processes", 2, "--runs", 3, "--warmup", 1, "--min-seconds", 0, "--spread", 0)


def check_artifacts(found: list[dict[str, Any]], recipe: str, formats: list[str]) -> None:
    assert [entry["format"] for entry in found] == formats
    for entry in found:
        path = Path(entry["path"])
        assert entry["recipe"] == recipe
        assert entry["sha256"] == file_sha256(path)
        assert entry["bytes"] == path.stat().st_size
        assert set(entry["comparison"]) >= COMPARISON
        assert Path(entry["manifest"]).is_file()


@pytest.mark.parametrize(
    "asked", [("--to", "tflite,onnx"), ("--to", "tflite", "--to", "onnx"), ("--to", "tflite, onnx")]
)
def test_convert(cli: Cli, module: str, asked: tuple[str, ...]) -> None:
    done = cli("convert", f"{module}:net", "--input", SHAPE, *asked, "--out", "made", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert set(result) == {"artifacts"}
    check_artifacts(result["artifacts"], "fp32", ["tflite", "onnx"])
    # Rounding of sums; the floor of the recipe is 80.
    assert all(entry["comparison"]["sqnr_db"] > 100 for entry in result["artifacts"])
    assert f"capturing {module}.net" in done.err


def test_quantize(cli: Cli, module: str, photos: Path) -> None:
    asked = ("--samples", photos, "--to", "tflite,onnx", "--recipe", "w8a8", "--out", "made")
    done = cli("quantize", f"{module}:net", "--input", SHAPE, *asked, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["artifacts"]
    check_artifacts(found, "w8a8", ["tflite", "onnx"])
    assert [entry["comparison"]["held_out"] for entry in found] == [True, True]


def test_quantize_for_a_grey_input_that_is_not_square(cli: Cli, module: str, photos: Path) -> None:
    asked = ("--input", "1x1x24x40", "--samples", photos, "--to", "tflite,onnx", "--out", "made")
    done = cli("quantize", f"{module}:wide_grey", *asked, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["artifacts"]
    check_artifacts(found, "w8a8", ["tflite", "onnx"])
    assert {entry["comparison"]["inputs"] for entry in found} == {"photos"}


def test_quantize_from_an_artifact_to_integer_inputs(cli: Cli, module: str, photos: Path) -> None:
    made = cli("convert", f"{module}:net", "--input", SHAPE, "--out", "made", "--json")
    path = json.loads(made.out)["artifacts"][0]["path"]
    asked = ("--samples", photos, "--io", "int8", "--out", "made", "--json")
    done = cli("quantize", path, *asked)
    assert done.code == 0, done.err
    (entry,) = json.loads(done.out)["artifacts"]
    assert entry["path"] == f"made/{module}.net_w8a8_int8io.tflite"
    assert entry["model"] == f"{module}:net"


def test_verify(cli: Cli, module: str, photos: Path) -> None:
    cli("convert", f"{module}:net", "--input", SHAPE, "--to", "tflite,onnx", "--out", "made")
    paths = sorted(Path("made").glob("*.[to][fn]*[ex]"))
    assert len(paths) == 2
    done = cli("verify", *paths, "--samples", photos, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert set(result) == {"artifacts"}
    assert [entry["path"] for entry in result["artifacts"]] == list(map(str, paths))
    assert {entry["comparison"]["inputs"] for entry in result["artifacts"]} == {"photos"}


def test_bench(cli: Cli, module: str) -> None:
    cli("convert", f"{module}:net", "--input", SHAPE, "--to", "tflite,onnx", "--out", "made")
    paths = sorted(Path("made").glob("*net_fp32.*x*")) + sorted(Path("made").glob("*.tflite"))
    paths = [path for path in paths if path.suffix in (".onnx", ".tflite")]
    asked = (
        "--threads",
        1,
        *FAST,
        "--timeout",
        60,
        "--seed",
        1,
        "--store",
        "results.jsonl",
    )
    done = cli("bench", *paths, *asked, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert set(result) == {"measurements"}
    assert [entry["artifact"] for entry in result["measurements"]] == [p.name for p in paths]
    for entry in result["measurements"]:
        assert entry["plan"]["threads"] == 1
        assert entry["latency_ms"]["median"] > 0
        assert len(entry["processes"]) == 2
        assert entry["provenance"] == "host"
    stored = [json.loads(line) for line in Path("results.jsonl").read_text().splitlines()]
    assert sorted(stored, key=str) == sorted(result["measurements"], key=str)


def test_bench_with_profiles(cli: Cli, module: str) -> None:
    cli("convert", f"{module}:net", "--input", SHAPE, "--to", "tflite,onnx", "--out", "made")
    paths = [f"made/{module}.net_fp32{suffix}" for suffix in (".onnx", ".tflite")]
    done = cli("bench", *paths, *FAST, "--profile", "--json")
    assert done.code == 0, done.err
    for entry in json.loads(done.out)["measurements"]:
        assert entry["plan"]["profile"]
        assert entry["profile"]["ops"][0].keys() >= {"name", "op", "ms", "where", "value", "macs"}
        assert any(op["macs"] for op in entry["profile"]["ops"])
    done = cli("bench", f"{module}:net", "--device", "torch-cpu", "--profile")
    assert done.code == 2
    assert "--profile is for model files" in done.err


def test_import(cli: Cli) -> None:
    samples = [4.0, 5.0, 4.5]
    Path("phone.json").write_text(json.dumps({"samples": samples, "model": "net.mlpackage"}))
    done = cli("import", "phone.json", "--device", "Phone X", "--store", "r.jsonl", "--json")
    assert done.code == 0, done.err
    (entry,) = json.loads(done.out)["measurements"]
    assert (entry["provenance"], entry["latency_ms"]["median"]) == ("imported", 4.5)
    (stored,) = results.read(Path("r.jsonl")).measurements
    assert (stored.artifact, stored.device.name) == ("net.mlpackage", "Phone X")
    Path("cut.json").write_text('{"samples": [4.0')
    done = cli("import", "cut.json", "phone.json", "--device", "Phone X", "--store", "r.jsonl")
    assert done.code == 2
    assert "cut.json (bad_output)" in done.err
    assert len(results.read(Path("r.jsonl")).measurements) == 1


def test_bench_of_a_network(cli: Cli, module: str) -> None:
    """The reference run's own path, on the processor."""
    asked = ("--input", SHAPE, "--execution", "eager", "--batch", "1,4", "--precision", "fp32")
    times = ("--processes", 1, "--warmup", 1, "--runs", 3)
    done = cli("bench", f"{module}:net", "--device", "torch-cpu", *asked, *times, "--json")
    assert done.code == 0, done.err
    entries = json.loads(done.out)["measurements"]
    assert [entry["plan"]["reference"]["batch"] for entry in entries] == [1, 4]
    assert {entry["provenance"] for entry in entries} == {"host"}
    assert all(entry["throughput"]["images_per_s"] > 0 for entry in entries)
    table = cli("bench", f"{module}:net", "--device", "torch-cpu", *asked, *times).out
    for part in ("eager, fp32, batch 4", " images/s", "1 processes x 3 runs", "not on a phone"):
        assert part in " ".join(table.split())


def test_a_failed_measurement_is_listed_and_ends_with_2(cli: Cli, module: str) -> None:
    cli("convert", f"{module}:net", "--input", SHAPE, "--out", "made")
    Path("broken.tflite").write_bytes(b"no model")
    done = cli("bench", f"made/{module}.net_fp32.tflite", "broken.tflite", *FAST, "--json")
    assert done.code == 2
    statuses = [entry["status"] for entry in json.loads(done.out)["measurements"]]
    assert statuses[1] == "failed"
    assert statuses[0] != "failed"
    assert "error: 1 of 2 measurements failed: broken.tflite failed" in done.err


def test_run_then_report(cli: Cli, module: str, photos: Path) -> None:
    asked = ("--input", SHAPE, "--samples", photos, "--out", "made", *FAST)
    done = cli("run", f"{module}:net", *asked, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert set(result) == {"artifacts", "measurements", "report"}
    check_artifacts(result["artifacts"][:2], "fp32", ["tflite", "onnx"])
    check_artifacts(result["artifacts"][2:], "w8a8", ["tflite", "onnx"])
    assert len(result["measurements"]) == 4
    again = cli("report", "made", "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out) == result["report"]
    assert set(result["report"]) == {"html", "markdown", "json"}
    assert module in Path(result["report"]["html"]).read_text()


def test_info(cli: Cli, module: str) -> None:
    result = json.loads(cli("info", "efficientnet_lite0", "--json").out)
    assert set(result) >= {"name", "family", "params", "macs", "input", "published"}
    assert (result["name"], result["params"]) == ("efficientnet_lite0", 4_652_008)
    assert result["input"] == [1, 3, 224, 224]
    assert result["published"]["top1"] == 75.1
    smaller = json.loads(cli("info", "shufflenet_v1", "--input", "1x3x112x112", "--json").out)
    assert smaller["macs"] < 137_460_672 / 3.5
    options = ("--option", "num_classes=10", "--option", "shuffle=megvii")
    fewer = json.loads(cli("info", "shufflenet_v1", *options, "--json").out)
    assert fewer["params"] == 1_864_728 - 990 * 960
    assert fewer["options"].items() >= {"num_classes": 10, "shuffle": "megvii"}.items()
    user = json.loads(cli("info", f"{module}:net", "--input", SHAPE, "--json").out)
    assert user["params"] == 3 * 8 * 9 + 8 + 8 * 16 * 9 + 16 + 170


def test_list(cli: Cli) -> None:
    everything = json.loads(cli("list", "--json").out)
    assert len(everything) == len(edgezoo.list_models())
    one = json.loads(cli("list", "--family", "mnasnet", "--json").out)
    assert {entry["family"] for entry in one} == {"mnasnet"}
    assert one == [entry for entry in everything if entry["family"] == "mnasnet"]


def test_json_is_all_of_standard_output(
    module: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A network that prints in every way a process can."""
    arguments = ("convert", f"{module}:loud", "--input", SHAPE, "--out", "made", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "edgezoo.cli", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"artifacts"}
    for line in ("printed by Python", "written to descriptor 1", "printed by C"):
        assert line in done.stderr.splitlines()


def test_options_reach_the_manifest_and_come_back(cli: Cli) -> None:
    asked = ("--weights", "random", "--input", "1x3x64x64", "--option", "shuffle=megvii")
    done = cli("convert", "shufflenet_v1_g3_x0_25", *asked, "--out", "made", "--json")
    assert done.code == 0, done.err
    path = json.loads(done.out)["artifacts"][0]["path"]
    manifest = json.loads(Path(f"{path}.json").read_text())
    assert manifest["origin"]["options"] == {"shuffle": "megvii"}
    assert manifest["preprocessing"]["channel_order"] == "bgr"
    assert cli("verify", path).code == 0
    assert json.loads(cli("info", path, "--json").out)["options"]["shuffle"] == "megvii"


@pytest.mark.parametrize(
    ("factor", "code", "verdict"),
    [(1.2, 1, "regression"), (1.0, 0, "same"), (0.8, 0, "improvement")],
)
def test_compare(factor: float, code: int, verdict: str, cli: Cli, tmp_path: Path) -> None:
    """Exit code 1 says that a slow-down is proven, and nothing else does."""
    for name, latency in (("a", 10.0), ("b", 10.0 * factor)):
        store(tmp_path / f"{name}.jsonl", latency)
    asked = ("compare", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--junit", tmp_path / "j.xml")
    done = cli(*asked, "--json")
    assert done.code == code, done.err
    (change,) = json.loads(done.out)["changes"]
    assert (change["verdict"], change["artifact"]) == (verdict, "net.tflite")
    assert change["ratio"] == pytest.approx(factor)
    assert "<testsuite" in (tmp_path / "j.xml").read_text()
    assert verdict in cli(*asked).out


def store(path: Path, latency_ms: float) -> None:
    """A results store with one measurement of five steady processes."""
    samples = tuple(ProcessSamples((latency_ms,), (latency_ms,), 1, 1, 1, 0, 0) for _ in range(5))
    measurement = Measurement(
        artifact="net.tflite",
        artifact_sha256="0" * 64,
        model="net",
        format="tflite",
        recipe="fp32",
        device=DeviceInfo("host", "host", "cpu", 1, 1, "Linux"),
        provenance="host",
        status="ok",
        failure_class=None,
        message=None,
        latency_ms=None,
        peak_memory_mib=None,
        runner="litert",
        runner_version="1",
        delegate={},
        plan=Plan(),
        processes=samples,
        versions={},
        measured_at="2026-01-01T00:00:00+00:00",
    )
    results.append(path, [measurement])
