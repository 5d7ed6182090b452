"""How much time the harness adds to what the runner itself needs, on a simulated phone.

    python -m benchmarks.phones FILE... [--models 10] [--processes 3]

Needs the real adb, a C compiler and LiteRT's wheel. The files are repeated (as copies of other names
and contents) until there are enough models; the phone is empty at first (``cold``) and then has
everything (``warm``). Two times are the runner's own:

- ``inside``: what its processes report of themselves, loading, first inference, warm-up (at the median)
  and timed runs. Starting them, and opening the library, counts as the harness's, so its share is rather
  too high; taken in the same moments, both have the same neighbours.
- ``by hand``: the very same commands one after the other through ``adb shell``, right after the run. What
  it takes to start a process on the phone is in it, and nothing that edgezoo does.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgezoo import pipeline
from edgezoo.devices.adb.find import find_adb
from edgezoo.devices.adb.server import Server, ensure_running
from edgezoo.devices.runners.build import build_runner
from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.fixtures import QUIET, free_port, kill_server
from edgezoo.measurement import Measurement
from edgezoo.plan import Plan


@dataclass(frozen=True, slots=True)
class Share:
    """Seconds of a run, what its runner reports of itself, and its commands by hand."""

    name: str
    run_s: float
    inside_s: float
    by_hand_s: float

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.run_s:.2f} s; inside the runner {self.inside_s:.2f} s, the harness adds "
            f"{self.run_s / self.inside_s - 1:.1%}; by hand {self.by_hand_s:.2f} s, it adds "
            f"{self.run_s / self.by_hand_s - 1:.1%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--processes", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = copies(given.files, given.models, Path(folder))
        os.environ |= {**QUIET, "HOME": folder, "ANDROID_ADB_SERVER_PORT": str(free_port())}
        for share in shares(files, Plan(processes=given.processes), Path(folder)):
            print(share, flush=True)


def copies(files: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """Return ``count`` files of different contents: a byte behind a model changes nothing but that."""
    made = []
    for number in range(count):
        source = files[number % len(files)]
        path = folder / f"{number}{source.suffix}"
        path.write_bytes(source.read_bytes() + bytes(4 * (1 + number // len(files))))
        made.append(path)
    return made


def shares(files: Sequence[Path], plan: Plan, folder: Path) -> list[Share]:
    adb, port = find_adb(), int(os.environ["ANDROID_ADB_SERVER_PORT"])
    server = Server(port=port)
    ensure_running(server, adb)
    try:
        runner = build_runner(folder / "runner").path.parent
        found = []
        with SimulatedPhone(server=server) as phone:
            for name in ("cold", "warm", "warm"):
                started = time.perf_counter()
                result = pipeline.bench(files, device=phone.serial, plan=plan, runner=runner)
                run_s = time.perf_counter() - started
                inside_s = runner_s(result.measurements, plan)
                by_hand_s = seconds_by_hand(adb.path, phone.serial, result.measurements, plan)
                found.append(Share(name, run_s, inside_s, by_hand_s))
        return found
    finally:
        kill_server(adb.path, server)


def seconds_by_hand(
    adb: Path, serial: str, measurements: Sequence[Measurement], plan: Plan
) -> float:
    """Return how long the commands of all processes take, one after the other, without edgezoo."""
    commands = [shlex.join(m.command) for m in measurements for _ in range(plan.processes)]
    started = time.perf_counter()
    for command in commands:
        subprocess.run([adb, "-s", serial, "shell", command], check=True, capture_output=True)
    return time.perf_counter() - started


def runner_s(measurements: Sequence[Measurement], plan: Plan) -> float:
    """Return the seconds that the processes themselves report."""
    assert all(m.latency_ms is not None for m in measurements), [m.message for m in measurements]
    return sum(
        process.load_ms + process.first_ms + sum(process.wall_ms)
        + plan.warmup * statistics.median(process.wall_ms)
        for measurement in measurements
        for process in measurement.processes
    ) / 1e3  # fmt: skip


if __name__ == "__main__":
    main()
