"""Every runner of the table on real files, in this process; the failures each has to name."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from edgezoo.devices.runners.child import Request, carry_out
from edgezoo.devices.runners.inputs import random_inputs
from edgezoo.devices.runners.litert import delegated
from edgezoo.devices.runners.memory import peak_memory_mib
from edgezoo.devices.runners.session import InputInfo, RunnerError
from edgezoo.devices.runners.table import RUNNERS
from edgezoo.plan import Plan
from edgezoo.types import FORMATS, SUFFIXES, Format

ROOT = Path(__file__).parents[2]

QUICK = Plan(warmup=1, runs=7)


def test_every_format_has_a_runner() -> None:
    assert set(RUNNERS) == set(FORMATS)


@pytest.mark.parametrize("format_", FORMATS)
def test_report(format_: Format, build_model: Any) -> None:
    path = build_model(f"small{SUFFIXES[format_]}")
    report = carry_out(Request(path, format_, QUICK))
    assert report.failure_class is None, report.message
    samples = report.samples
    assert samples is not None
    assert len(samples.wall_ms) == len(samples.cpu_ms) == QUICK.runs
    assert min(samples.wall_ms) > 0
    assert samples.load_ms > 0
    assert samples.first_ms > 0
    assert samples.memory_before_mib is not None and samples.peak_memory_mib is not None
    assert samples.peak_memory_mib >= samples.memory_before_mib


@pytest.mark.parametrize("format_", FORMATS)
def test_outputs_are_the_models(format_: Format, build_model: Any) -> None:
    """A convolution with a bias far above its values is close to the bias everywhere."""
    session = RUNNERS[format_].open(build_model(f"big_bias{SUFFIXES[format_]}", bias=1e6), QUICK)
    session.feed(random_inputs(session.inputs, seed=0))
    session.invoke()
    (output,) = session.outputs()
    assert output.size == 8 * 16 * 16
    assert np.allclose(output, 1e6, rtol=1e-3)  # 27 normal terms stay below 1e3


@pytest.mark.parametrize("format_", FORMATS)
def test_at_least_min_seconds(format_: Format, build_model: Any) -> None:
    plan = Plan(warmup=0, runs=1, min_seconds=0.05)
    samples = carry_out(Request(build_model(f"m{SUFFIXES[format_]}"), format_, plan)).samples
    assert samples is not None
    assert len(samples.wall_ms) > 10  # microseconds each
    assert sum(samples.wall_ms) < 10_000


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("threads", [1, 3])
def test_threads_reach_the_runtime(format_: Format, threads: int, build_model: Any) -> None:
    """The calling thread works too. CPU time would not do: it depends on who else is running."""
    path = build_model(f"m{SUFFIXES[format_]}", channels=64)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from edgezoo.devices.runners.table import RUNNERS; from edgezoo.plan import Plan\n"
        "from edgezoo.devices.runners.inputs import random_inputs\n"
        "counts = []\n"
        "for threads in (1, int(sys.argv[3])):\n"
        "    before = len(os.listdir('/proc/self/task'))\n"
        "    session = RUNNERS[sys.argv[2]].open(Path(sys.argv[1]), Plan(threads))\n"
        "    session.feed(random_inputs(session.inputs, 0))\n"
        "    session.invoke()\n"
        "    counts.append(len(os.listdir('/proc/self/task')) - before)\n"
        "print(counts[1])"
    )
    argv = [sys.executable, "-c", code, str(path), format_, str(threads)]
    ended = subprocess.run(argv, capture_output=True, check=True, text=True, cwd=ROOT)
    assert int(ended.stdout) == threads - 1


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("content", [b"", b"hello" * 99, np.random.default_rng(0).bytes(4096)])
def test_file_that_is_no_model(format_: Format, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"bad{SUFFIXES[format_]}"
    path.write_bytes(content)
    report = carry_out(Request(path, format_, QUICK))
    assert report.failure_class == "load_error"
    assert report.message


# No NaN for TFLite: the ReLU of XNNPACK makes it 0, as max(NaN, 0) may.
@pytest.mark.parametrize(
    ("name", "bias"), [("m.tflite", math.inf), ("m.onnx", math.inf), ("m.onnx", math.nan)]
)
def test_non_finite_output(name: str, bias: float, build_model: Any) -> None:
    format_: Format = "onnx" if name.endswith("onnx") else "tflite"
    report = carry_out(Request(build_model(name, bias=bias), format_, QUICK))
    assert report.failure_class == "non_finite_output"
    assert report.message == "2048 of 2048 values of output 0 are NaN or infinite"


def test_open_shape_is_refused(build_onnx: Any) -> None:
    report = carry_out(Request(build_onnx(batch="N"), "onnx", QUICK))
    assert report.failure_class == "load_error"
    assert report.message == "input x has the open shape Nx3x16x16; export it with a fixed one"


def test_text_input_is_refused(tmp_path: Path, build_onnx: Any) -> None:
    import onnx

    model = onnx.load(build_onnx())
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    onnx.save(model, tmp_path / "text.onnx")
    report = carry_out(Request(tmp_path / "text.onnx", "onnx", QUICK))
    assert report.failure_class == "load_error"
    assert "input x has type tensor(string), not a number" in str(report.message)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"used": "xnnpack", "partitions": 1, "delegated_ops": 1, "total_ops": 1}),
        ({"int8": True}, {"used": "xnnpack", "partitions": 1, "delegated_ops": 1, "total_ops": 1}),
        ({"sign": True}, {"partitions": 2, "delegated_ops": 2, "remaining_ops": ["SIGN"]}),
    ],
)
def test_what_xnnpack_took(
    options: dict[str, Any], expected: dict[str, Any], build_tflite: Any
) -> None:
    delegate = carry_out(Request(build_tflite(**options), "tflite", QUICK)).delegate
    assert expected.items() <= delegate.items()


def node(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}


def test_partition_keeps_to_its_inputs() -> None:
    """a -> b -> c, of which only c was taken; and nothing at all."""
    operators = [node(0, "A", [0], [1]), node(1, "B", [1], [2]), node(2, "C", [2, 9], [3])]
    found = delegated([*operators, node(3, "DELEGATE", [2, 9], [3])])
    assert (found["delegated_ops"], found["remaining_ops"]) == (1, ["A", "B"])
    assert delegated(operators)["used"] == "none"


@pytest.mark.parametrize(
    "kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.INT64]
)
def test_onnx_input_types(kind: int, build_onnx: Any) -> None:
    report = carry_out(Request(build_onnx(kind=kind), "onnx", QUICK))
    assert report.samples is not None, report.message


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_small_integers_use_their_whole_range(dtype: str) -> None:
    limits = np.iinfo(dtype)
    (made,) = random_inputs([InputInfo("x", (1000, 2000), np.dtype(dtype))], seed=0)
    assert (made.dtype, made.shape) == (np.dtype(dtype), (1000, 2000))
    assert (made.min(), made.max()) == (limits.min, limits.max)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_are_normal(dtype: str) -> None:
    (made,) = random_inputs([InputInfo("x", (100, 1000), np.dtype(dtype))], seed=0)
    assert made.dtype == np.dtype(dtype)
    assert abs(made.astype(np.float64).mean()) < 0.02  # six standard errors
    assert made.astype(np.float64).std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "bool"])
def test_wide_integers_are_zero_or_one(dtype: str) -> None:
    (made,) = random_inputs([InputInfo("x", (100,), np.dtype(dtype))], seed=0)
    assert made.dtype == np.dtype(dtype)
    assert set(made.astype(int)) == {0, 1}


def test_inputs_are_seeded_and_not_numbers_are_refused() -> None:
    info = [InputInfo("x", (3, 4), np.dtype("float32"))]
    assert np.array_equal(random_inputs(info, seed=1)[0], random_inputs(info, seed=1)[0])
    assert not np.array_equal(random_inputs(info, seed=1)[0], random_inputs(info, seed=2)[0])
    with pytest.raises(RunnerError, match="input t has type <U3, not a number"):
        random_inputs([InputInfo("t", (1,), np.dtype("U3"))], seed=0)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_peak_memory_grows_with_what_is_touched() -> None:
    before = peak_memory_mib()
    ballast = np.ones((int(before) + 100, 1 << 20), np.uint8)
    assert peak_memory_mib() >= before + 99
    assert ballast.any()


def test_peak_memory_without_proc(tmp_path: Path) -> None:
    """ru_maxrss is never below the memory map's own peak."""
    found = peak_memory_mib(tmp_path / "missing")
    assert found >= peak_memory_mib() * 0.99  # the kernel batches its counters
    assert found < 1 << 20


@pytest.mark.parametrize("format_", FORMATS)
def test_child_loads_only_its_runtime(format_: Format, build_model: Any) -> None:
    code = (
        "import sys; from pathlib import Path; from edgezoo.plan import Plan\n"
        "from edgezoo.devices.runners.child import Request, carry_out\n"
        "assert carry_out(Request(Path(sys.argv[1]), sys.argv[2], Plan(runs=1))).samples\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    path = build_model(f"small{SUFFIXES[format_]}")
    argv = [sys.executable, "-c", code, str(path), format_]
    ended = subprocess.run(argv, capture_output=True, check=True, text=True, cwd=ROOT)
    loaded = set(ended.stdout.split())
    others = {runner.module.split(".")[0] for runner in RUNNERS.values()}
    others -= {RUNNERS[format_].module.split(".")[0]}
    assert not loaded & {"torch", "onnx", "tensorflow", "typer", "rich", "scipy", *others}
    assert "numpy" in loaded
