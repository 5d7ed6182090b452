"""Whole measurements on real files: what is recorded, in which order, and what goes wrong."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.decode import from_json
from edgezoo.devices.course import Progress
from edgezoo.devices.protocol import measure, round_orders
from edgezoo.devices.statistics import summarize
from edgezoo.errors import ArtifactError, EdgezooError, UsageError
from edgezoo.measurement import Measurement
from edgezoo.plan import Plan
from edgezoo.types import to_json

QUICK = Plan(warmup=1, processes=3, runs=6)
ONE = replace(QUICK, processes=1)
ROOT = Path(__file__).parents[2]


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 99))
def test_every_round_has_every_model(models: int, processes: int, seed: int) -> None:
    orders = round_orders(models, processes, seed)
    assert len(orders) == processes
    assert all(sorted(order) == list(range(models)) for order in orders)
    assert orders == round_orders(models, processes, seed)


def test_orders_are_shuffled() -> None:
    """No model is always first, and none always follows the same other one."""
    orders = round_orders(3, 200, seed=0)
    firsts = np.bincount([order[0] for order in orders])
    # 200 draws with p = 1/3: mean 66.7, standard deviation 6.7; four of those.
    assert np.all(np.abs(firsts - 200 / 3) < 4 * 6.7)
    assert {pair for order in orders for pair in pairwise(order)} == {
        (a, b) for a in range(3) for b in range(3) if a != b
    }
    assert round_orders(3, 200, seed=1) != orders


def test_models_alternate_in_time(build_tflite: Any, build_onnx: Any) -> None:
    paths = [build_tflite(), build_onnx(), build_tflite("int8.tflite", int8=True)]
    steps: list[Progress] = []
    found = measure(paths, QUICK, on_progress=steps.append)
    assert [m.artifact for m in found] == [path.name for path in paths]
    assert [step.done for step in steps] == list(range(9))
    starts = sorted((p.started_at, m.artifact) for m in found for p in m.processes)
    names = [name for _, name in starts]
    assert names == [step.artifact for step in steps]
    for begin in (0, 3, 6):
        assert set(names[begin : begin + 3]) == {path.name for path in paths}


@pytest.mark.parametrize("name", ["m.tflite", "m.onnx"])
def test_everything_is_recorded(name: str, build_model: Any) -> None:
    path = build_model(name)
    (found,) = measure([path], QUICK)
    assert found.status in ("ok", "unstable"), found.message
    assert found.failure_class is None
    assert found.message
    assert found.artifact_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.model, found.recipe, found.plan) == ("m", "unknown", QUICK)
    assert (found.provenance, found.device.kind) == ("host", "host")
    assert [len(p.wall_ms) for p in found.processes] == [6, 6, 6]
    assert set(found.versions) > {"python", "numpy", "edgezoo"}
    assert found.runner_version in found.versions.values()
    assert found.measured_at.endswith("+00:00")
    assert found.peak_memory_mib == sorted(p.peak_memory_mib or 0.0 for p in found.processes)[1]
    # The number can be taken again from what is stored, also after a trip through JSON.
    again = from_json(Measurement, json.loads(json.dumps(to_json(found))))
    assert again == found
    assert summarize([p.wall_ms for p in again.processes], again.plan.seed) == found.latency_ms


def test_manifest_names_model_and_recipe(build_tflite: Any) -> None:
    path = build_tflite()
    manifest = {"model": "pkg.nets:tiny", "recipe": "w8a8", "format": "tflite", "more": [1]}
    path.with_name("small.tflite.json").write_text(json.dumps(manifest))
    (found,) = measure([path], ONE)
    assert (found.model, found.recipe) == ("pkg.nets:tiny", "w8a8")


def broken_files(folder: Path, build_model: Any) -> dict[str, Path]:
    cut_tflite = build_model("cut.tflite", channels=64)
    cut_tflite.write_bytes(cut_tflite.read_bytes()[:5000])
    random_onnx = folder / "random.onnx"
    random_onnx.write_bytes(np.random.default_rng(0).bytes(9999))
    unreadable = folder / "unreadable.onnx"
    unreadable.symlink_to("/proc/self/mem")  # opens, but its first page cannot be read
    return {"cut": cut_tflite, "random": random_onnx, "unreadable": unreadable}


def test_broken_files_fail_alone(tmp_path: Path, build_model: Any) -> None:
    bad = broken_files(tmp_path, build_model)
    good = [build_model("a.tflite"), build_model("b.onnx")]
    nan = build_model("inf.onnx", bias=np.inf)
    found = {m.artifact: m for m in measure([good[0], *bad.values(), nan, good[1]], QUICK)}
    for path in good:
        assert len(found[path.name].processes) == 3
        assert found[path.name].latency_ms is not None
    for name in ("cut.tflite", "random.onnx", "unreadable.onnx"):
        assert found[name].failure_class == "load_error", found[name]
    assert found["inf.onnx"].failure_class == "non_finite_output"
    for name in ("cut.tflite", "random.onnx", "unreadable.onnx", "inf.onnx"):
        assert (found[name].status, found[name].latency_ms) == ("failed", None)
        assert str(found[name].message).startswith(f"{name} failed in process 1 of 3: ")
        json.dumps(to_json(found[name]), allow_nan=False)
    assert found["unreadable.onnx"].artifact_sha256 == ""


@pytest.mark.parametrize("length", [7, 500, 20_000, 36_000])
def test_truncated_tflite_is_never_a_number(length: int, build_tflite: Any) -> None:
    """Cut inside the weights, LiteRT may refuse the file or die of it; either is named."""
    path = build_tflite("cut.tflite", channels=512)
    content = path.read_bytes()
    assert len(content) > length
    path.write_bytes(content[:length])
    (found,) = measure([path], ONE)
    assert (found.status, found.latency_ms) == ("failed", None)
    assert found.failure_class in ("load_error", "crash")


def test_timeout_is_a_failure_of_one(build_tflite: Any) -> None:
    """No Python starts within a millisecond."""
    (found,) = measure([build_tflite()], replace(QUICK, timeout_s=0.001))
    assert (found.status, found.failure_class) == ("failed", "timeout")


def test_file_that_changes_meanwhile(build_onnx: Any) -> None:
    path, other = build_onnx("a.onnx"), build_onnx("b.onnx")

    def rewrite(step: Progress) -> None:
        if step.round == 2 and step.artifact == "a.onnx":
            path.write_bytes(path.read_bytes() + other.read_bytes())

    found = measure([path, other], QUICK, on_progress=rewrite)
    assert [m.failure_class for m in found] == ["artifact_changed", None]
    assert len(found[0].processes) == 1, "what was measured before is kept, raw"
    assert "process 2 of 3" in str(found[0].message)


def test_same_path_twice_is_measured_twice(build_tflite: Any) -> None:
    path = build_tflite()
    first, second = measure([path, path], ONE)
    assert first.artifact_sha256 == second.artifact_sha256
    assert first.processes != second.processes


def test_stray_modules_do_not_shadow(
    build_onnx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder a user works in may hold a json.py."""
    (tmp_path / "json.py").write_text("raise SystemExit('wrong json')")
    path = build_onnx()
    monkeypatch.chdir(tmp_path)
    (found,) = measure([Path(path.name)], ONE)
    assert found.failure_class is None, found.message


def refuse(paths: Sequence[Path], plan: Plan = QUICK) -> EdgezooError:
    """Return the error with which nothing at all is measured."""
    steps: list[Progress] = []
    with pytest.raises(EdgezooError) as caught:
        measure(paths, plan, on_progress=steps.append)
    assert not steps
    return caught.value


@pytest.mark.parametrize("name", ["model.pt", "model", "model.tflite.json"])
def test_unknown_format(name: str, tmp_path: Path, build_onnx: Any) -> None:
    error = refuse([build_onnx(), tmp_path / name])
    assert isinstance(error, UsageError)
    assert str(error).endswith("its name must end in one of .tflite, .onnx.")


def test_missing_files_are_all_named(tmp_path: Path, build_onnx: Any) -> None:
    error = refuse([tmp_path / "a.onnx", build_onnx(), tmp_path / "b.tflite"])
    assert isinstance(error, ArtifactError)
    assert (
        str(error)
        == f"No such file: {tmp_path / 'a.onnx'}, {tmp_path / 'b.tflite'}; check the path."
    )


def test_no_files() -> None:
    assert isinstance(refuse([]), UsageError)


@pytest.mark.parametrize(
    "content", ['{"model": "m"', "[]", '{"model": 3}', '{"sha256": "0000"}', "\xff"]
)
def test_wrong_manifest(content: str, build_onnx: Any) -> None:
    path = build_onnx()
    path.with_name("small.onnx.json").write_text(content, encoding="latin-1")
    error = refuse([path])
    assert isinstance(error, ArtifactError)
    assert "small.onnx" in str(error) and "convert" in str(error)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"threads": 0}, "threads must be at least 1, not 0"),
        ({"runs": 0, "warmup": -1}, "warmup must be at least 0, not -1; runs must be at least 1"),
        ({"processes": 0}, "processes must be at least 1"),
        ({"min_seconds": float("nan")}, "min_seconds must be at least 0, not nan"),
        ({"timeout_s": 0.0}, "timeout_s must be more than 0"),
        ({"energy_s": 60.0}, "a phone's own fuel gauge, which this machine has not"),
    ],
)
def test_plans_that_make_no_sense(change: dict[str, Any], words: str, build_onnx: Any) -> None:
    error = refuse([build_onnx()], replace(QUICK, **change))
    assert isinstance(error, UsageError)
    assert words in str(error)


def test_missing_runtime(build_model: Any, tmp_path: Path) -> None:
    """A Python that has numpy and nothing else."""
    (tmp_path / "only").mkdir()
    for folder in Path(np.__file__).parents[1].glob("numpy*"):
        (tmp_path / "only" / folder.name).symlink_to(folder)
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path / 'only')!r}]\n"
        "from pathlib import Path\n"
        "from edgezoo.devices.protocol import measure\n"
        "from edgezoo.errors import BenchmarkError\n"
        "from edgezoo.plan import Plan\n"
        "try: measure([Path(name) for name in sys.argv[1:]], Plan())\n"
        "except BenchmarkError as error: print(error)"
    )
    names = [str(build_model(name)) for name in ("m.tflite", "m.onnx")]
    argv = [sys.executable, "-I", "-S", "-c", code, *names]
    ended = subprocess.run(argv, capture_output=True, text=True)
    expected = (
        "No runtime for .tflite, .onnx is installed: run pip install ai-edge-litert onnxruntime.\n"
    )
    assert ended.stdout == expected, ended.stderr


def test_rounds_are_spread_over_time(build_tflite: Any, build_onnx: Any) -> None:
    """Each round begins no sooner than its turn; the models of a round follow each other at once."""
    plan = replace(QUICK, spread_s=4.0)
    found = measure([build_tflite(), build_onnx()], plan)
    starts = [sorted(m.processes[n].started_at for m in found) for n in range(plan.processes)]
    for number, (first, _) in enumerate(starts):
        assert first - starts[0][0] > 2.0 * number - 1.0  # starting Python takes a part of a second
