"""The process behind ``machine.look``: asks PyTorch and ONNX Runtime, prints, ends."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

from edgezoo.devices.gpu.libraries import load_from_wheels, tensorrt_loads
from edgezoo.devices.gpu.machine import Gpu, Machine, print_machine
from edgezoo.devices.gpu.nvidia import driver_version
from edgezoo.devices.gpu.settings import TENSORRT

PACKAGES = ("edgezoo", "numpy", "triton", "onnxruntime", "onnxruntime-gpu", "tensorrt")


def main() -> int:
    """Print the machine; returns the exit code."""
    print_machine(describe_machine())
    return 0


def describe_machine() -> Machine:
    """Return what PyTorch and ONNX Runtime can use in this process."""
    import torch

    gpus = tuple(_gpu(index) for index in range(_count()))
    reason = "" if gpus else _why_none()
    return Machine(gpus, _providers(), _versions(torch.__version__), reason)


def _count() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _gpu(index: int) -> Gpu:
    import torch

    known = torch.cuda.get_device_properties(index)
    uuid = f"GPU-{str(known.uuid).removeprefix('GPU-')}" if hasattr(known, "uuid") else ""
    capability = (known.major, known.minor)
    return Gpu(index, known.name, uuid, known.total_memory >> 20, capability)


def _why_none() -> str:
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA; install a CUDA build of torch"
    return "PyTorch sees none; check nvidia-smi and CUDA_VISIBLE_DEVICES"


def _providers() -> tuple[str, ...]:
    """Return what ONNX Runtime can use; it lists TensorRT wherever it was built with it."""
    if importlib.util.find_spec("onnxruntime") is None:
        return ()
    import onnxruntime

    load_from_wheels(tensorrt=TENSORRT in onnxruntime.get_available_providers())
    listed = onnxruntime.get_available_providers()
    return tuple(name for name in listed if name != TENSORRT or tensorrt_loads())


def _versions(torch_version: str) -> dict[str, str]:
    import torch

    found = {"python": python_version(), "torch": torch_version}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if torch.version.cuda is not None:
        found["cuda"] = torch.version.cuda
    cudnn = _cudnn_version()
    driver = driver_version()
    return found | {k: str(v) for k, v in (("cudnn", cudnn), ("driver", driver)) if v is not None}


def _cudnn_version() -> int | None:
    from torch.backends import cudnn

    # torch has no types for these two
    return cudnn.version() if cudnn.is_available() else None  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    sys.exit(main())
