"""The libraries of CUDA and TensorRT that ONNX Runtime needs, and whether they are here.

ONNX Runtime lists every provider that it was built with, and falls back where the libraries do not
load. It looks for them on the system's path alone, so those of pip's packages are loaded before.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

CPU_PACKAGE, GPU_PACKAGE = "onnxruntime", "onnxruntime-gpu"
# Provider: its library beside ONNX Runtime's own.
LIBRARIES = {
    "CUDAExecutionProvider": "libonnxruntime_providers_cuda.so",
    "TensorrtExecutionProvider": "libonnxruntime_providers_tensorrt.so",
}
NVINFER = re.compile(rb"libnvinfer\.so\.\d+")


def load_from_wheels(*, tensorrt: bool) -> None:
    """Load CUDA's libraries from pip's packages where there are any, and TensorRT's where asked for."""
    import onnxruntime

    preload = getattr(onnxruntime, "preload_dlls", lambda: None)  # since ONNX Runtime 1.21
    with contextlib.redirect_stdout(sys.stderr):  # it prints what it does not find
        preload()
    if tensorrt:
        with contextlib.suppress(ImportError, OSError):
            importlib.import_module("tensorrt")  # which loads its libnvinfer


def tensorrt_loads(folder: Path | None = None) -> bool:
    """Return whether the libnvinfer loads that ONNX Runtime's provider in ``folder`` is linked to."""
    provider = (folder or _folder()) / LIBRARIES["TensorrtExecutionProvider"]
    wanted = NVINFER.search(provider.read_bytes()) if provider.is_file() else None
    return wanted is not None and _problem(wanted[0].decode()) is None


def loading_problem(provider: str, folder: Path | None = None) -> str | None:
    """Return why a provider's library does not load, in the loader's words; ``None`` where it does.

    Ask only after a session was tried: the library crashes where ONNX Runtime has not prepared it.
    """
    library = (folder or _folder()) / LIBRARIES[provider]
    return _problem(str(library)) if library.is_file() else None


def how_to_install() -> str:
    """Return, as part of a sentence, how to get an ONNX Runtime for GPUs."""
    try:
        distribution(CPU_PACKAGE)
    except PackageNotFoundError:
        return f"run pip install {GPU_PACKAGE}"
    return (
        f"{CPU_PACKAGE} and {GPU_PACKAGE} overwrite each other, so run "
        f"pip uninstall -y {CPU_PACKAGE} {GPU_PACKAGE}, then pip install {GPU_PACKAGE}"
    )


def _folder() -> Path:
    import onnxruntime

    return Path(onnxruntime.__file__).parent / "capi"


def _problem(library: str) -> str | None:
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error)
    return None
