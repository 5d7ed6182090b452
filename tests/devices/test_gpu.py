"""Reference runs, end to end: on the processor, and on a GPU where there is one."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

from edgezoo import pipeline, results
from edgezoo.decode import from_json
from edgezoo.devices.gpu import files, networks
from edgezoo.devices.gpu.child import Request, carry_out
from edgezoo.devices.gpu.networks import load_network
from edgezoo.devices.gpu.settings import floor_db
from edgezoo.devices.gpu.stopwatch import CpuStopwatch
from edgezoo.devices.outcome import Report
from edgezoo.devices.runners.session import RunnerError
from edgezoo.devices.subjects import network
from edgezoo.errors import EdgezooError, UsageError
from edgezoo.measurement import Measurement
from edgezoo.models.resolve import load_model
from edgezoo.plan import Execution, Plan, Precision, ReferenceSetting, Sweep
from edgezoo.types import Origin, to_json

NETS = "tests.devices.reference_nets"
SHAPE = (1, 3, 16, 16)
QUICK = Plan(processes=2, warmup=2, runs=4)
ONE = replace(QUICK, processes=1)
needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs an NVIDIA GPU and a CUDA build of torch"
)


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """Requests carried out in this process set its threads and precision."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)


def origin(name: str) -> Origin:
    return load_model(f"{NETS}:{name}", weights=None, input=SHAPE).origin


def ask(
    subject: Origin | Path,
    execution: Execution = "eager",
    precision: Precision = "fp32",
    **changes: Any,  # Any: fields of the setting
) -> Report:
    """Carry out one request on the processor, in this process."""
    setting = ReferenceSetting(execution, precision, **changes)
    path = subject if isinstance(subject, Path) else Path(subject.model)
    made_of = None if isinstance(subject, Path) else subject
    floor = floor_db(precision, "fp32")
    return carry_out(Request(path, made_of, "cpu", "", floor, replace(ONE, reference=setting)))


# --------------------------------------------------------------------------- the whole way


def test_networks_and_files_side_by_side(build_onnx: Any, tmp_path: Path) -> None:
    """One call measures a network in two precisions and a file; everything is in the store."""
    store = tmp_path / "results.jsonl"
    found = pipeline.bench_reference(
        [f"{NETS}:small", build_onnx()],
        device="torch-cpu",
        sweep=Sweep(executions=("eager", "onnxruntime"), precisions=("fp32", "bf16")),
        input=SHAPE,
        plan=QUICK,
        store=store,
    ).measurements
    labels = [(m.format, m.plan.reference.label) for m in found if m.plan.reference]
    assert labels == [
        ("pytorch", "eager, fp32, batch 1"),
        ("pytorch", "eager, bf16, batch 1"),
        ("onnx", "onnxruntime, fp32, batch 1"),
        ("onnx", "onnxruntime, bf16, batch 1"),
    ]
    *good, refused = found
    for measurement in good:
        check_number(measurement)
    assert (refused.failure_class, refused.latency_ms) == ("unsupported_setting", None)
    assert str(refused.message).endswith("not in bf16; choose --execution tensorrt.")
    assert found[0].artifact_sha256 == origin("small").weights_sha256
    # Processes alternate, so that a drift of the machine hits all rows alike.
    starts = sorted((p.started_at, i) for i, m in enumerate(good) for p in m.processes)
    assert {index for _, index in starts[:3]} == {0, 1, 2}
    assert sorted(map(repr, results.read(store).measurements)) == sorted(map(repr, found))


def check_number(measurement: Measurement) -> None:
    assert measurement.status != "failed", measurement.message
    assert measurement.provenance == "host", "a processor's number is no GPU's"
    assert measurement.latency_ms is not None and measurement.throughput is not None
    low, high = measurement.throughput.interval
    assert low <= measurement.throughput.images_per_s <= high
    for process in measurement.processes:
        assert len(process.wall_ms) == len(process.cpu_ms) == QUICK.runs
        assert process.stream is not None and process.stream.runs >= QUICK.runs
    assert measurement.delegate["clock"] == "time.perf_counter"
    assert measurement.delegate["sqnr_db"] >= measurement.delegate["sqnr_floor_db"]
    assert len(measurement.conditions) == 2
    assert {"torch", "python", "onnxruntime"} <= set(measurement.versions)
    assert from_json(Measurement, json.loads(json.dumps(to_json(measurement)))) == measurement


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Inductor's own, of torch.jit
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler (g++)")
def test_compiled_network() -> None:
    report = ask(origin("small"), "compile", batch=2)
    assert report.samples is not None, report.message
    # Inductor fuses in float32: summation order at most.
    assert report.delegate["sqnr_db"] > 100
    assert report.samples.load_ms > report.samples.first_ms, "it is compiled before the first run"


# ------------------------------------------------------------------------- one process


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("memory_format", ["contiguous", "channels-last"])
def test_precisions_and_layouts(precision: Precision, memory_format: Any) -> None:
    report = ask(origin("small"), "eager", precision, batch=6, memory_format=memory_format)
    assert report.samples is not None, report.message
    assert report.samples.stream is not None
    assert report.samples.stream.images == 6 * report.samples.stream.runs
    exact, floor = report.delegate["sqnr_db"], report.delegate["sqnr_floor_db"]
    assert exact >= floor
    # 8 bits of mantissa give about 6 dB each, 11 bits 18 dB more; float32 far more.
    bounds = {"bf16": (30, 65), "fp16": (50, 85), "fp32": (100, 201)}
    low, high = bounds[precision]
    assert low < exact < high


def test_outputs_of_many_kinds() -> None:
    report = ask(origin("pair"), batch=3)
    assert report.samples is not None, report.message


def test_file_with_an_open_batch(build_onnx: Any) -> None:
    report = ask(build_onnx(batch="N"), "onnxruntime", batch=3)
    assert report.samples is not None and report.samples.stream is not None, report.message
    assert report.samples.stream.images == 3 * report.samples.stream.runs
    assert report.delegate["used"] == "CPUExecutionProvider"


FAILURES: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    ("infinite", {"precision": "fp16"}, "non_finite_output", "are NaN or infinite"),
    ("cancelling", {"precision": "bf16"}, "wrong_output", "under the floor of 10 dB"),
    ("raising", {}, "run_error", "(TypeError: no forward today)"),
    ("small", {"batch": 10**9}, "out_of_memory", "could not allocate memory"),
    ("broken_graph", {"execution": "compile"}, "compile_error", "torch.compile: "),
    ("other_every_time", {}, "artifact_changed", "its weights are others in every process"),
)


@pytest.mark.parametrize(
    ("name", "changes", "failure_class", "words"), FAILURES, ids=[f[2] for f in FAILURES]
)
def test_failures_of_networks(
    name: str, changes: dict[str, Any], failure_class: str, words: str
) -> None:
    report = ask(origin(name), **changes)
    assert (report.failure_class, report.samples) == (failure_class, None)
    assert words in str(report.message)


@pytest.mark.parametrize(("batch", "checked"), [("N", 4), (6, 6)])
def test_few_images_of_a_file_are_compared(batch: int | str, checked: int, build_onnx: Any) -> None:
    """The processor would take minutes over a large batch; one that is fixed it has to take."""
    setting = ReferenceSetting("onnxruntime", batch=6)
    (images,), (expected,) = files.reference_run(build_onnx(batch=batch), setting, ONE)
    assert (len(images), len(expected)) == (6, checked)


def test_a_file_without_a_provider_for_gpus(build_onnx: Any) -> None:
    """The package for processors, which is installed here, owns the module of that for GPUs."""
    if files.CUDA_PROVIDER in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has the CUDA provider")
    stopwatch = CpuStopwatch()
    stopwatch.stream_handle = 1  # type: ignore[assignment]  # as a GPU's has one
    setting = ReferenceSetting("onnxruntime")
    path = build_onnx()
    inputs, expected = files.reference_run(path, setting, ONE)
    with pytest.raises(RunnerError) as caught:
        files.make_runnable(path, inputs, expected, setting, ONE, "cuda:0", stopwatch, 80.0)
    assert caught.value.failure_class == "delegate_error"
    assert "has no CUDAExecutionProvider" in str(caught.value)
    assert str(caught.value).endswith(
        "run pip uninstall -y onnxruntime onnxruntime-gpu, then pip install onnxruntime-gpu"
    )


def test_failures_of_files(build_onnx: Any, tmp_path: Path) -> None:
    fixed = ask(build_onnx(), "onnxruntime", batch=8)
    assert fixed.failure_class == "unsupported_setting"
    assert "its input is 1x3x16x16, not of batch 8" in str(fixed.message)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model at all")
    assert ask(broken, "onnxruntime").failure_class == "load_error"
    infinite = ask(build_onnx("inf.onnx", bias=float("inf")), "onnxruntime")
    assert infinite.failure_class == "non_finite_output"


def test_channels_last_is_for_images() -> None:
    flat = load_model(f"{NETS}:other_every_time", weights=None, input=(1, 768)).origin
    module = load_model(f"{NETS}:other_every_time", weights=None, input=(1, 768)).module
    images = networks.random_images(flat, 1, 0)
    setting = ReferenceSetting("eager", memory_format="channels-last")
    with pytest.raises(RunnerError, match="inputs of rank 4, not 2"):
        networks.make_runnable(module, images, (images,), setting, "cpu", 80.0)


def test_same_network_is_built_again() -> None:
    known = load_model(f"{NETS}:small", weights=None, input=SHAPE)
    again = load_network(known.origin)
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            known.module.state_dict().values(), again.state_dict().values(), strict=True
        )
    )


def test_zoo_network_with_options_is_built_again() -> None:
    known = load_model("shufflenet_v1_g3_x0_25", weights="random", seed=3, input=(1, 1, 32, 32))
    again = load_network(known.origin)
    assert sum(p.numel() for p in again.parameters()) == sum(
        p.numel() for p in known.module.parameters()
    )


# ---------------------------------------------------------------------- refused beforehand


def test_module_objects_are_refused() -> None:
    loaded = load_model(torch.nn.Flatten(), weights=None, input=SHAPE)
    with pytest.raises(UsageError, match=r"name it as package\.module:factory"):
        network(loaded.name, loaded.origin)


@pytest.mark.parametrize(
    ("models", "changes", "words"),
    [
        (["small.tflite"], {}, "small.tflite cannot be measured as a reference"),
        ([f"{NETS}:small"], {"sweep": Sweep(precisions=("fp8",))}, "precision 'fp8' is not one"),  # type: ignore[arg-type]  # that is the point
        ([f"{NETS}:small"], {"sweep": Sweep(executions=("tensorrt",))}, "tensorrt is not for"),
        ([f"{NETS}:small"], {"device": "cuda0"}, "'cuda0' is not known; choose host, cuda"),
        (["mnasnet_al"], {}, "did you mean"),
    ],
)
def test_nothing_is_measured(
    models: list[str], changes: dict[str, Any], words: str, build_tflite: Any, tmp_path: Path
) -> None:
    build_tflite()
    places = [tmp_path / m if m.endswith(".tflite") else m for m in models]
    asked: dict[str, Any] = {
        "device": "torch-cpu",
        "input": SHAPE,
        "store": tmp_path / "results.jsonl",
    } | changes
    with pytest.raises(EdgezooError, match=words):
        pipeline.bench_reference(places, **asked)
    assert not (tmp_path / "results.jsonl").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu() -> None:
    with pytest.raises(UsageError, match="--device cuda needs an NVIDIA GPU, but "):
        pipeline.bench_reference(f"{NETS}:small", input=SHAPE)


# ------------------------------------------------------------------------------- on a GPU


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("execution", ["eager", "compile", "cuda-graph"])
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_network_on_a_gpu(execution: Execution, precision: Precision) -> None:
    (found,) = pipeline.bench_reference(
        f"{NETS}:small",
        device="cuda:0",
        sweep=Sweep(executions=(execution,), precisions=(precision,), batches=(4,)),
        input=SHAPE,
        plan=QUICK,
    ).measurements
    if found.failure_class == "unsupported_setting":
        pytest.skip(str(found.message))
    assert found.status != "failed", found.message
    assert found.provenance == "gpu"
    assert found.delegate["clock"] == "cuda events"
    assert found.peak_memory_mib is not None and found.peak_memory_mib > 0
    assert "driver" in found.versions and "cuda" in found.versions


@pytest.mark.gpu
@needs_cuda
def test_file_on_a_gpu(build_onnx: Any) -> None:
    (found,) = pipeline.bench_reference(
        build_onnx(), device="cuda:0", sweep=Sweep(executions=("onnxruntime",)), plan=QUICK
    ).measurements
    if found.failure_class == "delegate_error":
        pytest.skip(str(found.message))
    assert found.status != "failed", found.message
    assert found.delegate["used"] == "CUDAExecutionProvider"


@pytest.mark.gpu
@needs_cuda
def test_memory_of_a_gpu_runs_out() -> None:
    setting = ReferenceSetting("eager", batch=2**22)
    wide = replace(ONE, reference=setting)
    report = carry_out(Request(Path("small"), origin("small"), "cuda:0", "", 80.0, wide))
    assert report.failure_class == "out_of_memory"
