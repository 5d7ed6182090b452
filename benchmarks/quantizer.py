"""CPU seconds and memory of quantizing Lite0, step by step, in one process.

python -m benchmarks.quantizer PHOTOS
"""

from __future__ import annotations

import itertools
import resource
import sys
import tempfile
import time

import edgezoo


def main() -> None:
    steps: list[tuple[float, str]] = []

    def step(message: str) -> None:
        steps.append((time.process_time(), message))

    with tempfile.TemporaryDirectory() as out:
        edgezoo.quantize("efficientnet_lite0", samples=sys.argv[1], out=out, progress=step)
    step("done")
    captured = next(at for at, message in steps if message.startswith("observing"))
    for (at, message), (until, _) in itertools.pairwise(steps):
        print(f"{until - at:6.2f} s  {message}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{steps[-1][0] - captured:6.2f} s  after capture, writing and verifying included")
    print(f"{steps[-1][0]:6.2f} s  the whole process; {peak:.0f} MiB peak")


if __name__ == "__main__":
    main()
