"""Runs whole processes in turn and takes the kernel's own account of each."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """One finished process: user plus system CPU seconds, peak resident memory, wall seconds."""

    cpu_s: float
    peak_memory_mib: float
    wall_s: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A process that did not end well: the last lines that it printed."""

    message: str


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and where."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


def run(command: Command) -> Cost:
    """Run a command to its end; its output is shown only if it fails."""
    cost = attempt(command)
    if isinstance(cost, Failure):
        sys.stderr.write(cost.message)
        raise SystemExit(f"{' '.join(command.argv)} failed")
    return cost


def attempt(command: Command) -> Cost | Failure:
    """Run a command to its end."""
    import time

    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command.argv,
            env={**os.environ, **command.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            return Failure(output.read().decode(errors="replace")[-4000:])
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, wall_s)


def interleaved(commands: Mapping[str, Command], runs: int) -> dict[str, list[Cost]]:
    """Run all commands ``runs`` times in turn, A B A B …, so that drift hits all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            costs[name].append(run(command))
    return costs


def attempts(
    commands: Mapping[str, Command], runs: Mapping[str, int]
) -> dict[str, list[Cost] | Failure]:
    """Run each command so many times, in turn as ``interleaved`` does, but none again that failed."""
    results: dict[str, list[Cost] | Failure] = {name: [] for name in commands}
    for number in range(max(runs.values())):
        for name, command in commands.items():
            costs = results[name]
            if isinstance(costs, Failure) or number >= runs[name]:
                continue
            cost = attempt(command)
            results[name] = cost if isinstance(cost, Failure) else [*costs, cost]
    return results


def median(costs: Sequence[Cost], field: str) -> float:
    """Return the median of one field."""
    return statistics.median(getattr(cost, field) for cost in costs)
