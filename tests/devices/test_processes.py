"""Fresh processes that really die, hang and babble; none of them may become a number."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.devices.outcome import Report
from edgezoo.devices.processes import command, parse_report, run_process
from edgezoo.devices.runners.child import MARKER, MODULE, Request
from edgezoo.measurement import ProcessSamples
from edgezoo.plan import Plan
from edgezoo.types import to_json

QUICK = Plan(warmup=1, runs=5)
SAMPLES = ProcessSamples((1.0, 2.0), (1.0, 2.0), 3.0, 4.0, 50.0, 6, 7.0, 40.0)
REPORT = Report(SAMPLES, {"requested": "xnnpack"})
OUTPUT = f"INFO: created\n{MARKER}{json.dumps(to_json(REPORT))}\n".encode()

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


def children() -> list[int]:
    """The runner processes that this test process has started."""
    tasks = Path("/proc/self/task").glob("*/children")
    found = [int(pid) for task in tasks for pid in task.read_text().split()]
    return [pid for pid in found if MODULE.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]


def send(number: signal.Signals, pid: Callable[[], int]) -> None:
    """Send a signal as soon as a runner has started."""
    while not children():
        time.sleep(0.01)
    time.sleep(0.1)  # the parent has seen by now that the process started
    os.kill(pid(), number)


@pytest.fixture
def endless(build_tflite: Any) -> Request:
    """A request that never ends on its own."""
    return Request(build_tflite(), "tflite", replace(QUICK, min_seconds=1e6))


@pytest.fixture
def ballast() -> Iterator[object]:
    """300 MiB in this process, for a child to wrongly inherit."""
    yield np.ones((300, 1 << 20), np.uint8)


def test_samples_come_back(build_onnx: Any) -> None:
    report = run_process(Request(build_onnx(), "onnx", QUICK))
    assert report.failure_class is None, report.message
    assert report.samples is not None
    assert len(report.samples.wall_ms) == QUICK.runs
    assert abs(report.samples.started_at - time.time()) < 60


@pytest.mark.parametrize("name", ["m.tflite", "m.onnx"])
def test_memory_is_the_models_own(name: str, build_model: Any, ballast: object) -> None:
    """More channels need more memory; what this process holds is not counted."""
    small, large = (
        run_process(Request(build_model(name, channels=n, side=64), name.split(".")[1], QUICK))  # type: ignore[arg-type]  # the suffix is a format
        for n in (1, 4096)
    )
    assert small.samples is not None and large.samples is not None
    small_mib, large_mib = small.samples.peak_memory_mib, large.samples.peak_memory_mib
    assert small_mib is not None and large_mib is not None
    assert small_mib < 150
    # The output alone: 4096 channels of 64x64 float32 are 64 MiB.
    assert large_mib > small_mib + 60
    before = (large.samples.memory_before_mib, small.samples.memory_before_mib)
    assert before[0] == pytest.approx(before[1], abs=5)


def test_command_is_the_whole_command(build_onnx: Any) -> None:
    """What a measurement stores runs on its own and gives the report."""
    request = Request(build_onnx(), "onnx", QUICK)
    root = {"PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(command(request), capture_output=True, env={**os.environ, **root})
    assert parse_report(ended.stdout, b"", QUICK.runs).samples is not None


@needs_proc
def test_timeout_stops_the_process(endless: Request) -> None:
    report = run_process(replace(endless, plan=replace(endless.plan, timeout_s=0.8)))
    assert report.failure_class == "timeout"
    assert "did not end within 0.8 s" in str(report.message)
    assert children() == []


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_process_killed_from_outside(number: signal.Signals, endless: Request) -> None:
    killer = threading.Thread(target=send, args=(number, lambda: children()[0]))
    killer.start()
    report = run_process(endless)
    killer.join()
    assert report.failure_class == "crash"
    assert f"it ended with {number.name}" in str(report.message)


@needs_proc
def test_interrupt_leaves_no_process(endless: Request) -> None:
    """Ctrl-C in the parent: SIGINT reaches Python while it waits for the child."""
    interrupter = threading.Thread(target=send, args=(signal.SIGINT, os.getpid))
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        run_process(endless)
    interrupter.join()
    assert children() == []


def test_memory_that_runs_out(build_onnx: Any, tmp_path: Path) -> None:
    """A limit on the address space, inherited by the runner, that the model's output exceeds."""
    code = (
        "import resource, sys; from pathlib import Path; from edgezoo.plan import Plan\n"
        "from edgezoo.devices.processes import run_process\n"
        "from edgezoo.devices.runners.child import Request\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "report = run_process(Request(Path(sys.argv[1]), 'onnx', Plan(runs=1)))\n"
        "print(report.failure_class, report.message)"
    )
    path = build_onnx(channels=4096, side=600)  # 5.5 GiB of output
    argv = [sys.executable, "-c", code, str(path)]
    root = Path(__file__).parents[2]
    ended = subprocess.run(argv, capture_output=True, text=True, cwd=root)
    assert ended.stdout.startswith("out_of_memory "), ended


def test_report_behind_noise() -> None:
    assert parse_report(OUTPUT, b"", runs=2) == REPORT
    assert parse_report(b"\xff\x00" + MARKER.encode() + b"{}\n" + OUTPUT, b"", runs=2) == REPORT


@pytest.mark.parametrize("length", range(len(OUTPUT)))
def test_no_prefix_is_a_result(length: int) -> None:
    report = parse_report(OUTPUT[:length], b"\xffpanic\n", runs=2)
    assert (report.failure_class, report.samples) == ("bad_output", None)
    assert "it printed last: \ufffdpanic" in str(report.message)


@given(st.binary(max_size=60), st.integers(0, len(OUTPUT)))
def test_garbage_is_never_a_number(garbage: bytes, place: int) -> None:
    """Whatever is written over the report, it is refused or still holds all its samples."""
    mixed = OUTPUT[:place] + garbage + OUTPUT[place + len(garbage) :]
    report = parse_report(mixed, mixed, runs=2)
    if report.failure_class is None:
        assert report.samples is not None
        assert len(report.samples.wall_ms) == len(report.samples.cpu_ms) >= 2
    assert report.failure_class in (None, "bad_output")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"wall_ms": [1.0, 2.0]', '"wall_ms": [1.0]'),
        ('"wall_ms": [1.0, 2.0]', '"wall_ms": [1.0, 0.0]'),
        ('"wall_ms": [1.0, 2.0]', '"wall_ms": [1.0, NaN]'),
        ('"wall_ms": [1.0, 2.0]', '"wall_ms": [1.0, "2"]'),
        ('"cpu_ms": [1.0, 2.0]', '"cpu_ms": [1.0, 2.0, 3.0]'),
        ('"load_ms": 3.0', '"load_ms": null'),
        ('"first_ms": 4.0, ', ""),
        ('"failure_class": null', '"failure_class": "sabotage"'),
    ],
)
def test_reports_that_do_not_add_up(old: str, new: str) -> None:
    assert old.encode() in OUTPUT
    report = parse_report(OUTPUT.replace(old.encode(), new.encode()), b"", runs=2)
    assert (report.failure_class, report.samples) == ("bad_output", None)


def test_a_report_that_is_nested_too_deeply() -> None:
    for line in ("[" * 200_000, "[" * 200_000 + "]" * 200_000):
        report = parse_report(f"{MARKER}{line}\n".encode(), b"", runs=1)
        assert (report.failure_class, report.samples) == ("bad_output", None)


def test_report_of_nothing() -> None:
    empty = f"{MARKER}{json.dumps(to_json(Report(None, {})))}\n".encode()
    assert parse_report(empty, b"", runs=1).failure_class == "bad_output"
