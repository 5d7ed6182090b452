"""Whether the libraries load that ONNX Runtime's providers for GPUs are linked to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgezoo.devices.gpu.facts import describe_machine
from edgezoo.devices.gpu.libraries import (
    LIBRARIES,
    load_from_wheels,
    loading_problem,
    tensorrt_loads,
)
from edgezoo.devices.gpu.settings import TENSORRT
from edgezoo.devices.runners.session import failed_allocation

CUDA = "CUDAExecutionProvider"
LINKED = b"\x7fELF...libcudart.so.12\0libnvinfer.so.10\0libc.so.6\0"
ROOT = Path(__file__).parents[2]
needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None or sys.platform != "linux",
    reason="needs Linux and a C compiler: apt-get install gcc libc6-dev",
)


def compile_library(path: Path, *flags: str) -> Path:
    argv = ["cc", "-shared", "-x", "c", os.devnull, "-o", str(path), f"-Wl,-soname,{path.name}"]
    subprocess.run([*argv, *flags], check=True)
    return path


def test_a_tensorrt_that_is_not_installed(tmp_path: Path) -> None:
    """ONNX Runtime's package brings its provider along, but not the libnvinfer."""
    assert not tensorrt_loads(tmp_path)
    (tmp_path / LIBRARIES[TENSORRT]).write_bytes(LINKED.replace(b".10", b".99"))
    assert not tensorrt_loads(tmp_path)


@needs_compiler
def test_the_tensorrt_of_a_package(tmp_path: Path) -> None:
    """Its package loads the library by its path; another version of it than the linked is none."""
    (tmp_path / LIBRARIES[TENSORRT]).write_bytes(LINKED)
    (tmp_path / "libs").mkdir()
    library = compile_library(tmp_path / "libs" / "libnvinfer.so.10")
    (tmp_path / "tensorrt.py").write_text(f"import ctypes; ctypes.CDLL({str(library)!r})")
    code = (
        "import sys; from pathlib import Path\n"
        "from edgezoo.devices.gpu.libraries import load_from_wheels, tensorrt_loads\n"
        "folder = Path(sys.argv[1]); before = tensorrt_loads(folder)\n"
        "load_from_wheels(tensorrt=True)\n"
        "print(before, tensorrt_loads(folder))"
    )
    argv, path = [sys.executable, "-c", code, str(tmp_path)], f"{tmp_path}{os.pathsep}{ROOT}"
    ended = subprocess.run(
        argv, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert ended.stdout == "False True\n", ended.stderr


@needs_compiler
def test_a_library_of_cuda_that_is_missing(tmp_path: Path) -> None:
    assert loading_problem(CUDA, tmp_path) is None, "there is no such library to load"
    compile_library(tmp_path / "libcublas_of_tests.so.12")
    flags = ("-Wl,--no-as-needed", f"-L{tmp_path}", "-l:libcublas_of_tests.so.12")
    compile_library(tmp_path / LIBRARIES[CUDA], *flags)
    (tmp_path / "libcublas_of_tests.so.12").unlink()
    problem = loading_problem(CUDA, tmp_path)
    assert problem is not None
    assert problem.startswith("libcublas_of_tests.so.12: cannot open shared object file")
    compile_library(tmp_path / LIBRARIES[TENSORRT])
    assert loading_problem(TENSORRT, tmp_path) is None


def test_loading_prints_nothing_that_could_be_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    load_from_wheels(tensorrt=True)
    assert capsys.readouterr().out == ""


def test_no_provider_without_its_library() -> None:
    providers = describe_machine().providers
    assert "CPUExecutionProvider" in providers
    assert (TENSORRT in providers) == tensorrt_loads()


@pytest.mark.parametrize(
    "message",
    [
        "std::bad_alloc",
        "[enforce fail at alloc_cpu.cpp:113] DefaultCPUAllocator: can't allocate memory: you tried",
        "CUDA out of memory. Tried to allocate 20.00 GiB.",
        "CUDA failure 2: out of memory ; GPU=0 ; hostname=a ; expr=cudaMalloc((void**)&p, size);",
        "BFCArena::AllocateRawInternal Available memory of 1024 is smaller than requested bytes of 2048",
        "CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0",
    ],
)
def test_memory_that_ran_out(message: str) -> None:
    assert failed_allocation(message)


def test_other_errors_are_not_of_memory() -> None:
    assert not failed_allocation("CUDNN failure 3: CUDNN_STATUS_BAD_PARAM ; GPU=0")
