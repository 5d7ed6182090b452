"""Sweeps, what a device lacks, and which GPU is meant."""

from pathlib import Path
from typing import Any

import pytest

from edgezoo.devices.gpu.machine import Gpu, Machine, check_device, find_gpu
from edgezoo.devices.gpu.settings import check_sweep, floor_db, settings, unsupported
from edgezoo.devices.subjects import Subject
from edgezoo.errors import UsageError
from edgezoo.plan import PRECISIONS, ReferenceSetting, Sweep
from edgezoo.types import Origin

H100 = Gpu(0, "NVIDIA H100 80GB HBM3", "GPU-1", 81559, (9, 0))
T4 = Gpu(1, "Tesla T4", "GPU-2", 15360, (7, 5))
TENSORRT = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
BARE = Machine((H100,), ("CPUExecutionProvider",))
FULL = Machine((H100, T4), TENSORRT)
NONE = Machine((), ("CPUExecutionProvider",), {}, "torch is built without CUDA")

NETWORK = Subject(
    Path("net"), "pytorch", "1", "net", "fp32", origin=Origin("net", "random", "1", 0, (1, 3, 8, 8))
)
FILE = Subject(Path("net.onnx"), "onnx", "2", "net", "fp32")


def test_every_combination_once() -> None:
    sweep = Sweep(
        executions=("cuda-graph", "eager"),
        precisions=("fp16", "fp32", "fp16"),
        batches=(1, 32),
        memory_formats=("contiguous", "channels-last"),
    )
    found = settings(NETWORK, 1, sweep, FULL, H100)
    assert len(found) == len(set(found)) == 2 * 2 * 2 * 2
    assert found[0] == ReferenceSetting("eager", "fp16", 1, "contiguous")


@pytest.mark.parametrize(
    ("subject", "machine", "gpu", "executions"),
    [
        (NETWORK, FULL, H100, ["eager", "compile", "cuda-graph"]),
        (NETWORK, NONE, None, ["eager", "compile"]),
        (FILE, BARE, H100, ["onnxruntime"]),
        (FILE, FULL, H100, ["onnxruntime", "tensorrt"]),
        (FILE, NONE, None, ["onnxruntime"]),
    ],
)
def test_what_is_measured_unasked(
    subject: Subject, machine: Machine, gpu: Gpu | None, executions: list[str]
) -> None:
    found = settings(subject, 5, Sweep(), machine, gpu)
    assert [setting.execution for setting in found] == executions
    assert {(s.precision, s.batch, s.memory_format) for s in found} == {("fp32", 5, "contiguous")}


def test_files_keep_their_layout() -> None:
    sweep = Sweep(executions=("onnxruntime",), memory_formats=("channels-last", "contiguous"))
    assert [s.memory_format for s in settings(FILE, 1, sweep, FULL, H100)] == ["contiguous"]


def test_executions_of_others_are_refused() -> None:
    with pytest.raises(UsageError, match=r"execution eager is not for net\.onnx; choose"):
        settings(FILE, 1, Sweep(executions=("eager",)), FULL, H100)


def test_everything_wrong_in_a_sweep_is_named() -> None:
    words: Any = (("fast",), ("fp8",), (0,), ("nhwc",))
    with pytest.raises(UsageError) as caught:
        check_sweep(Sweep(*words))
    for part in ("'fast'", "'fp8'", "'nhwc'", "batch 0 is not at least 1"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "gpu", "words"),
    [
        (ReferenceSetting("eager", "tf32"), None, "format of NVIDIA GPUs"),
        (ReferenceSetting("cuda-graph"), None, "cuda-graph needs an NVIDIA GPU"),
        (ReferenceSetting("tensorrt"), None, "tensorrt needs an NVIDIA GPU"),
        (ReferenceSetting("eager", "bf16"), T4, "Tesla T4 (compute capability 7.5) has no bf16"),
        (ReferenceSetting("compile", "tf32"), T4, "has no tf32"),
        (ReferenceSetting("onnxruntime", "fp16"), H100, "in the file's own types, not in fp16"),
        (ReferenceSetting("tensorrt", "fp16"), H100, None),
        (ReferenceSetting("eager", "fp16"), T4, None),
        (ReferenceSetting("eager", "bf16"), None, None),
        (ReferenceSetting("onnxruntime", "tf32"), H100, None),
    ],
)
def test_what_devices_lack(setting: ReferenceSetting, gpu: Gpu | None, words: str | None) -> None:
    reason = unsupported(setting, gpu)
    assert reason is None if words is None else words in str(reason)


def test_floors() -> None:
    """The fewer bits, the lower; float32's is above what TF32 reaches (71 dB)."""
    order = sorted(PRECISIONS, key=lambda precision: -floor_db(precision, "fp32"))
    assert order == ["fp32", "tf32", "fp16", "bf16"]
    assert floor_db("fp32", "fp32") > 71
    assert floor_db("fp32", "w8a8") < floor_db("fp32", "unknown") == floor_db("fp32", "fp32")


def test_which_gpu_is_meant() -> None:
    assert find_gpu(BARE, "cuda") == H100
    assert find_gpu(FULL, "cuda:1") == T4
    assert find_gpu(NONE, "torch-cpu") is None
    assert find_gpu(FULL, "torch-cpu") is None


@pytest.mark.parametrize("device", ["cuda:x", "cuda:", "cuda:-1", "gpu", "", "host"])
def test_no_device_of_reference_runs(device: str) -> None:
    with pytest.raises(UsageError, match=f"'{device}' is not known; choose host, cuda, cuda:N or"):
        check_device(device)


@pytest.mark.parametrize(
    ("machine", "device", "words"),
    [
        (NONE, "cuda", "--device cuda needs an NVIDIA GPU, but torch is built without CUDA"),
        (FULL, "cuda", "could be any of cuda:0 (NVIDIA H100 80GB HBM3), cuda:1 (Tesla T4)"),
        (BARE, "cuda:1", "there is no cuda:1; this machine has 1, from cuda:0 on"),
    ],
)
def test_no_gpu_is_chosen_silently(machine: Machine, device: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_gpu(machine, device)
    assert words in str(caught.value)
