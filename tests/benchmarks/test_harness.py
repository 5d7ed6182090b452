"""The acceptance benchmark: its shares on made-up runs, and its slow-down on a real process."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import slower
from benchmarks.harness import Share, alike, coverage, described, injected, main, slowed
from edgezoo.devices.statistics import latency_of
from edgezoo.measurement import DeviceInfo, Measurement, ProcessSamples
from edgezoo.plan import Plan

SPIN = "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass"


def measured(medians: Sequence[float]) -> Measurement:
    processes = tuple(ProcessSamples((m,), (m,), 1, m, 1, 0, 0) for m in medians)
    return Measurement(
        *("m.tflite", "1" * 64, "m", "tflite", "fp32"),
        device=DeviceInfo("bench", "host", "cpu", 2, 1024, "Linux"),
        provenance="host",
        status="ok",
        failure_class=None,
        message="",
        latency_ms=latency_of(processes, 0),
        peak_memory_mib=None,
        runner="litert",
        runner_version="1",
        delegate={},
        plan=Plan(),
        processes=processes,
        versions={},
        measured_at="2026-01-01T00:00:00+00:00",
    )


def machine(count: int, factor: float, seed: int, between: float = 0.0) -> list[Measurement]:
    """Runs of seven processes that differ by 1 %; runs differ by ``between`` beside."""
    generator = np.random.default_rng(seed)
    return [
        measured(
            (factor * 10 * np.exp(generator.normal(generator.normal(0, between), 0.01, 7))).tolist()
        )
        for _ in range(count)
    ]


def test_a_good_machine_reaches_all_three() -> None:
    plain, slow = machine(200, 1.0, 0), machine(200, 1.1, 1)
    shares = (coverage(plain), alike(plain), slowed(plain, slow))
    assert all(share.good >= share.wanted * share.total for share in shares), shares
    assert "200 ok" in described(plain)


def test_runs_that_differ_more_than_processes_are_found_out() -> None:
    """The benchmark must be able to fail."""
    plain = machine(100, 1.0, 0, between=0.05)
    assert coverage(plain).good < 50
    assert alike(plain).good < 95
    assert slowed(plain, machine(100, 1.1, 1, between=0.05)).good < 90


def test_share_in_words() -> None:
    assert str(Share("x", 19, 20, 0.9)) == "x: 19 of 20, 95% [76%, 99%], wanted 90%: reached"
    assert str(Share("x", 17, 20, 0.9)).endswith("wanted 90%: missed")


def test_one_measurement_that_lies_elsewhere_is_not_covered() -> None:
    runs = [measured([10, 10.1, 10.2, 9.9, 9.8, 10, 10])] * 9 + [measured([12.0] * 7)]
    assert (coverage(runs).good, coverage(runs).total) == (9, 10)


def test_a_slow_down_takes_wall_time() -> None:
    """A process that spins for a second of CPU time is kept from running for half as long again.

    Its own clock tells how long it took: what else the machine does can only lengthen that.
    """
    code = f"import time\nbegan = time.monotonic()\n{SPIN}\nprint(time.monotonic() - began)"
    ended = slower.run([sys.executable, "-c", code], 0.5)
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout) > 1.3


def test_the_exit_code_comes_back() -> None:
    assert slower.run([sys.executable, "-c", "raise SystemExit(3)"], 0.1).returncode == 3


def test_the_injected_share_is_read_from_the_runs() -> None:
    plain = machine(3, 1.0, 0)
    slow = [
        replace(
            run,
            processes=tuple(
                replace(p, wall_ms=tuple(1.09 * w for w in p.wall_ms)) for p in run.processes
            ),
        )
        for run in plain
    ]
    assert injected(plain, slow) == pytest.approx(0.09)


@pytest.mark.slow
def test_end_to_end(tmp_path: Path) -> None:
    """Two real runs of each kind of a network that the command line made; a second call measures
    nothing."""
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-m", "edgezoo.cli", "convert", "shufflenet_v1", "--weights", "random"]
    subprocess.run([*argv, "--out", str(tmp_path)], check=True, cwd=root, capture_output=True)
    (model,) = tmp_path.glob("*.tflite")
    asked = (str(model), "--out", str(tmp_path / "runs"), "--repeats", "2")
    code = main([*asked, "--", "--spread", "0", "--processes", "3", "--runs", "3"])
    assert code in (0, 1)
    stores = sorted((tmp_path / "runs").iterdir())
    assert [store.name for store in stores] == [
        *("plain_00.jsonl", "plain_01.jsonl", "slow_00.jsonl", "slow_01.jsonl"),
    ]
    before = [store.stat().st_mtime_ns for store in stores]
    assert main(asked) == code
    assert [store.stat().st_mtime_ns for store in stores] == before
