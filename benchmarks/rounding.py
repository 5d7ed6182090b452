"""What each repair of w8a8's weights is worth on Lite0, in dB on photos that were not calibrated on.

python -m benchmarks.rounding PHOTOS
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import edgezoo.quantization.rounding as rounding
from edgezoo.graph.runtime import one_thread
from edgezoo.models.resolve import load_model
from edgezoo.quantization.assemble import Rounded, assemble
from edgezoo.quantization.assign import insert_borders
from edgezoo.quantization.calibrate import grids_by, observe, run_all, score
from edgezoo.quantization.ranges import RULES
from edgezoo.samples import load_photos
from edgezoo.stages import batches, captured


def main() -> None:
    photos = Path(sys.argv[1])
    loaded = load_model("efficientnet_lite0", weights="default")
    calibration, test = (
        batches(arrays, range(len(arrays)), 1)
        for arrays in (
            load_photos(photos / part, loaded.preprocessing).arrays
            for part in ("calibration", "test")
        )
    )
    graph = insert_borders(captured(loaded, lambda message: None))
    with one_thread():
        observed = observe(graph, calibration)
        grids = grids_by(graph, observed, RULES["mse"])
        reference = run_all(graph, test, fake_quantize=False)

        def level(weights: dict[str, Rounded]) -> float:
            return score(reference, run_all(assemble(graph, grids, weights), test))

        means = {name: replace(item, products=None) for name, item in observed.moments.items()}
        print(f"{level({}):5.1f} dB  rounded to the nearest")
        biased = rounding.round_layers(graph, means, grids)
        print(f"{level(biased):5.1f} dB  and the mean error put into the bias")
        for damping in (0.01, 0.05):
            rounding.DAMPING = damping
            both = rounding.round_layers(graph, observed.moments, grids)
            print(f"{level(both):5.1f} dB  compensated rounding as well, damping {damping}")


if __name__ == "__main__":
    main()
