"""Can the harness's numbers be believed? `python -m benchmarks.harness MODEL.tflite --out DIR`

Runs `edgezoo bench` again and again, every other time slowed down by 10 % from outside, and prints in
how many cases

- the 95 % interval of a run covers the median of the other runs,
- `edgezoo compare --gate 5%` calls a run and the next one, of the same file, a regression or an
  improvement, which it must not,
- it calls the slowed-down run a regression, which it must.

For a machine with nothing else to do; what the repeats were like is printed above the shares, which
have 95 % intervals of their own (Wilson). Runs that DIR holds already are not repeated. Everything
behind `--` goes to `edgezoo bench`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import slower
from edgezoo import results
from edgezoo.devices.regression import compare
from edgezoo.measurement import ChangeVerdict, Measurement
from edgezoo.report.numbers import binomial_interval

GATE = 0.05
CALLED: tuple[ChangeVerdict, ...] = ("regression", "improvement")


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the repeats ended as they should, and how many have to."""

    name: str
    good: int
    total: int
    wanted: float

    def __str__(self) -> str:
        low, high = binomial_interval(self.good / self.total, self.total)
        verdict = "reached" if self.good / self.total >= self.wanted else "missed"
        return (
            f"{self.name}: {self.good} of {self.total}, {self.good / self.total:.0%} "
            f"[{low:.0%}, {high:.0%}], wanted {self.wanted:.0%}: {verdict}"
        )


def main(arguments: Sequence[str]) -> int:
    """Measure what is missing and print; the exit code is 1 where a share is missed."""
    asked, options = _asked(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    for number in range(asked.repeats):
        for name in ("plain", "slow"):
            store = asked.out / f"{name}_{number:02d}.jsonl"
            if not store.exists():
                print(f"{name} run {number + 1} of {asked.repeats}", file=sys.stderr, flush=True)
                share = asked.share if name == "slow" else 0.0
                _bench(asked.model, store, options, share)
    plain, slow = (_read(asked.out, name, asked.repeats) for name in ("plain", "slow"))
    print(f"plain: {described(plain)}")
    print(f"slowed down by {asked.share:.0%}: {described(slow)}")
    print(f"it was really slowed down by {injected(plain, slow):.1%}")
    shares = (coverage(plain), alike(plain), slowed(plain, slow))
    print(*shares, sep="\n")
    return int(any(share.good < share.wanted * share.total for share in shares))


def described(runs: Sequence[Measurement]) -> str:
    """Return the runs in one line: medians, how they differ, and how wide their intervals are."""
    medians = medians_of(runs)
    widths = [(high - low) / np.median(medians) for low, high in map(interval_of, runs)]
    spread = float(np.std(medians, ddof=1) / np.mean(medians))
    statuses = [run.status for run in runs]
    told = ", ".join(f"{statuses.count(status)} {status}" for status in sorted(set(statuses)))
    return (
        f"{np.median(medians):.3f} ms, runs differ by {spread:.1%} (standard deviation), intervals span "
        f"{np.median(widths):.1%}; {told}"
    )


def injected(plain: Sequence[Measurement], slow: Sequence[Measurement]) -> float:
    """Return the share that the slow-down took: of wall time per CPU time, which sees nothing else on a
    quiet machine. Inferences shorter than its period of 5 ms would not all get theirs.
    """
    waits = [
        np.median(
            [np.median(p.wall_ms) / np.median(p.cpu_ms) for run in runs for p in run.processes]
        )
        for runs in (plain, slow)
    ]
    return float(waits[1] / waits[0] - 1)


def coverage(runs: Sequence[Measurement]) -> Share:
    """How many intervals cover the median of all the other runs' medians."""
    medians = medians_of(runs)
    good = 0
    for number, run in enumerate(runs):
        low, high = interval_of(run)
        good += low <= float(np.median(np.delete(medians, number))) <= high
    return Share("interval covers the others' median", good, len(runs), 0.90)


def alike(runs: Sequence[Measurement]) -> Share:
    """How many runs are not called different from the next, the last one from the first."""
    pairs = zip(runs, [*runs[1:], runs[0]], strict=True)
    verdicts = [_verdict(before, after) for before, after in pairs]
    good = sum(verdict not in CALLED for verdict in verdicts)
    return Share("the same is not called", good, len(runs), 0.95)


def slowed(plain: Sequence[Measurement], slow: Sequence[Measurement]) -> Share:
    """How many slowed-down runs are called a regression beside the plain run before them."""
    verdicts = [_verdict(before, after) for before, after in zip(plain, slow, strict=True)]
    return Share("the slow-down is called", verdicts.count("regression"), len(plain), 0.95)


def medians_of(runs: Sequence[Measurement]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the latencies in milliseconds."""
    return np.array([run.latency_ms.median for run in runs if run.latency_ms is not None])


def interval_of(run: Measurement) -> tuple[float, float]:
    """Return the interval of a run's latency in milliseconds."""
    assert run.latency_ms is not None  # _read refuses runs without
    return run.latency_ms.interval


def _verdict(before: Measurement, after: Measurement) -> ChangeVerdict:
    (change,) = compare([before], [after], GATE)
    return change.verdict


def _bench(model: Path, store: Path, options: Sequence[str], share: float) -> None:
    unfinished = store.with_suffix(".part.jsonl")
    unfinished.unlink(missing_ok=True)
    command = [sys.executable, "-m", "edgezoo.cli", "bench", str(model), "--store", str(unfinished)]
    command += options
    if not share:
        ended = subprocess.run(command, capture_output=True, text=True)
    else:
        ended = slower.run(command, share)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} exited with {ended.returncode}: {ended.stderr}")
    unfinished.rename(store)


def _read(folder: Path, name: str, repeats: int) -> tuple[Measurement, ...]:
    stores = [folder / f"{name}_{number:02d}.jsonl" for number in range(repeats)]
    runs = [measurement for store in stores for measurement in results.read(store).measurements]
    if len(runs) != repeats or any(run.latency_ms is None for run in runs):
        raise SystemExit(f"{folder} holds runs of something else; name an empty folder with --out")
    return tuple(runs)


def _asked(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.harness", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.10, help="how much slower")
    arguments = list(arguments)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return parser.parse_args(arguments[:end]), arguments[end + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
