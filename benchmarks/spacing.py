"""How many processes, how far apart: what shorter runs inside one long measurement would have said.

    edgezoo bench MODEL.tflite --processes 220 --spread 440 --min-seconds 1 --store long.jsonl
    python -m benchmarks.spacing long.jsonl

Every run of so many processes over so many seconds is taken out of the long one, from every start. How
many of their intervals cover the median of all processes; how far such runs differ; and of pairs that do
not overlap, how often a file that takes 10 % longer is called a regression at a gate of 5 %, and how often
the same file is. For a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.main_job import table
from edgezoo import results
from edgezoo.devices.intervals import median_interval, ratio_interval

Values = NDArray[np.float64]
SCHEDULES = ((5, 10), (7, 10), (7, 40), (9, 40), (7, 60), (11, 60))  # processes, seconds
SLOWER, GATE = 1.10, 0.05
PAIRS = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """What runs of one schedule are like, as shares."""

    processes: int
    seconds: float
    covered: float
    differ: float
    width: float
    called: float
    falsely: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    (measurement,) = results.read(parser.parse_args().store).measurements
    medians = np.array([process.median_ms for process in measurement.processes], np.float64)
    starts_s = np.array([process.started_at for process in measurement.processes])
    every_s = float(np.median(np.diff(starts_s)))
    print(
        f"{len(medians)} processes, one every {every_s:.1f} s, {np.median(medians):.2f} ms, standard "
        f"deviation {medians.std() / medians.mean():.1%}, neighbours correlate by "
        f"{np.corrcoef(medians[:-1], medians[1:])[0, 1]:.2f}"
    )
    header = ("processes", "over", "covers", "runs differ", "spans", "10 % called", "same called")
    print(table(header, [cells(row) for row in rows(medians, every_s)]))


def rows(medians: Values, every_s: float) -> Iterator[Row]:
    """Yield a row for every schedule that fits twice into the long measurement."""
    for processes, seconds in SCHEDULES:
        offsets = np.round(np.linspace(0, seconds / every_s, processes)).astype(int)
        starts = range(len(medians) - int(offsets[-1]))
        if len(set(offsets)) == processes and len(starts) > 2 * offsets[-1]:
            yield row([medians[start + offsets] for start in starts], int(offsets[-1]), seconds)


def row(runs: list[Values], length: int, seconds: float) -> Row:
    truth = float(np.median(np.concatenate(runs)))
    bounds = np.array([median_interval(run) for run in runs])
    of_runs = np.array([np.median(run) for run in runs])
    generator = np.random.default_rng(0)
    pairs = [
        (a, b) for a, b in generator.integers(len(runs), size=(PAIRS, 2)) if abs(a - b) > length
    ]
    slower = [_interval(runs[a], SLOWER * runs[b]) for a, b in pairs]
    same = [_interval(runs[a], runs[b]) for a, b in pairs]
    return Row(
        processes=len(runs[0]),
        seconds=seconds,
        covered=float(np.mean((bounds[:, 0] <= truth) & (truth <= bounds[:, 1]))),
        differ=float(of_runs.std() / of_runs.mean()),
        width=float(np.median((bounds[:, 1] - bounds[:, 0]) / of_runs)),
        called=float(np.mean([low > 1 + GATE for low, _ in slower])),
        falsely=float(np.mean([low > 1 + GATE or high < 1 / (1 + GATE) for low, high in same])),
    )


def _interval(old: Values, new: Values) -> tuple[float, float]:
    interval = ratio_interval(old, new)[1]
    assert interval is not None  # no schedule has so few processes
    return interval


def cells(row: Row) -> list[str]:
    shares = (row.differ, row.width)
    return [
        str(row.processes), f"{row.seconds:g} s", f"{row.covered:.0%}",
        *(f"{share:.1%}" for share in shares), f"{row.called:.0%}", f"{row.falsely:.1%}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
