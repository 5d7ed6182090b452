"""How much longer files take than the first one, beyond what a moment does to all: in turns, one process.

    python -m benchmarks.paired OURS.tflite PEER.tflite ... [--processes 7] [--rounds 60]

For files of the same network that differ by a percent or two. Fresh processes load all files, and every
round runs each of them once, in shuffled order, so the machine's state hits all alike; the ratio of a
process is the median over its rounds. Printed are the median over processes and its 95 % interval. One
file's data leaves the caches cold for the next, as other work on a phone does, so latencies here are a
little above those of `edgezoo bench`.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgezoo.devices.intervals import median_interval

WARMUP = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--processes", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, help="of one process, whose times are printed as JSON")
    asked = parser.parse_args()
    if asked.seed is not None:
        print(json.dumps(times_ms(asked.files, asked.rounds, asked.seed)))
        return
    words = [*map(str, asked.files), "--rounds", str(asked.rounds)]
    found = np.array([_in_a_process(words, seed) for seed in range(asked.processes)])
    print(f"{asked.files[0]}: {np.median(np.median(found, axis=1)[:, 0]):.3f} ms")
    for number, file in enumerate(asked.files[1:], start=1):
        ratios = np.median(found[:, :, number] / found[:, :, 0], axis=1)
        low, high = median_interval(ratios)
        print(f"{file}: {np.median(ratios):.4f} times [{low:.4f}, {high:.4f}]", flush=True)


def times_ms(files: Sequence[Path], rounds: int, seed: int) -> list[list[float]]:
    """Return the latency of every file, one thread, in every round."""
    from ai_edge_litert.interpreter import Interpreter

    interpreters = [Interpreter(str(file), num_threads=1) for file in files]
    generator, found = random.Random(seed), []
    for interpreter in interpreters:
        interpreter.allocate_tensors()
        (given,) = interpreter.get_input_details()
        values = np.random.default_rng(seed).standard_normal(given["shape"])
        interpreter.set_tensor(given["index"], values.astype(given["dtype"]))
    for _ in range(WARMUP + rounds):
        row = [0.0] * len(files)
        for number in generator.sample(range(len(files)), len(files)):
            started = time.perf_counter()
            interpreters[number].invoke()
            row[number] = 1e3 * (time.perf_counter() - started)
        found.append(row)
    return found[WARMUP:]


def _in_a_process(words: Sequence[str], seed: int) -> list[list[float]]:
    command = [sys.executable, "-m", "benchmarks.paired", *words, "--seed", str(seed)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    rows: list[list[float]] = json.loads(ended.stdout.splitlines()[-1])
    return rows


if __name__ == "__main__":
    main()
