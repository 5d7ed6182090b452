"""Static int8 with ai-edge-quantizer; run in its own environment.

    python -m benchmarks.peers.ai_edge_quantize FLOAT.tflite INPUTS.npy OUT.tflite default|min_max

INPUTS.npy holds prepared photos (n, 3, h, w); litert-torch's files take them as they are.
"""

import sys
from pathlib import Path

import numpy as np
from ai_edge_quantizer import calibrator, quantizer, recipe
from ai_edge_quantizer.utils import qsv_utils, tfl_interpreter_utils


def main() -> None:
    source, inputs, out, calibration = sys.argv[1:]
    photos = np.load(inputs)
    interpreter = tfl_interpreter_utils.create_tfl_interpreter(source)
    ((signature, details),) = interpreter.get_signature_list().items()
    (name,) = details["inputs"]
    job = quantizer.Quantizer(source, recipe.static_wi8_ai8())

    data = {signature: [{name: photo[None]} for photo in photos]}
    if calibration == "min_max":  # not reachable through Quantizer.calibrate
        watcher = calibrator.Calibrator(
            Path(source).read_bytes(), qsv_update_func=qsv_utils.min_max_update
        )
        watcher.calibrate(data, job._recipe_manager)
        ranges = watcher.get_model_qsvs()
    else:
        ranges = job.calibrate(data)
    job.quantize(ranges).export_model(out, overwrite=True)


if __name__ == "__main__":
    main()
