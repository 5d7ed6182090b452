"""The C runner, built once, and the libraries that it loads."""

import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgezoo.devices.runners.benchmark_judge import Ended
from edgezoo.devices.runners.build import BuiltRunner, build_runner
from edgezoo.types import Format

Run = Callable[..., Ended]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltRunner:
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("needs a C compiler: apt-get install gcc libc6-dev")
    return build_runner(tmp_path_factory.mktemp("runner"))


@pytest.fixture(scope="session")
def libraries() -> Mapping[Format, Path]:
    places: tuple[tuple[Format, str, str], ...] = (
        ("tflite", "ai_edge_litert", "libLiteRt.so"),
        ("onnx", "onnxruntime", "capi/libonnxruntime.so*"),
    )
    found: dict[Format, Path] = {}
    for format_, module, pattern in places:
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.origin is not None
        libraries = sorted(Path(spec.origin).parent.glob(pattern))
        if not libraries:
            pytest.skip(f"needs a {module} whose wheel holds {pattern} (Linux)")
        found[format_] = libraries[0]
    return found


@pytest.fixture
def run(built: BuiltRunner) -> Run:
    """Start the runner with flags by name, optionally behind a shell's prefix."""

    def start(*, prefix: str = "", **flags: object) -> Ended:
        given = {"num_runs": 3, "warmup_runs": 2, "min_secs": 0, "warmup_min_secs": 0} | flags
        command = [str(built.path), *(f"--{name}={value}" for name, value in given.items())]
        shell = ["sh", "-c", f'{prefix} exec "$@"', "sh"] if prefix else []
        ended = subprocess.run([*shell, *command], capture_output=True, timeout=120)
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return start
