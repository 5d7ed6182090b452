"""Runs any TFLite file in LiteRT, whoever wrote it: NHWC or NCHW, float or int8 at its ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def outputs(path: Path, inputs: np.ndarray) -> np.ndarray:
    """Return the first output for float32 pictures (n, c, h, w), one at a time.

    Raises what LiteRT raises where it cannot load the file (``ValueError``, ``RuntimeError``).
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    channels_first = source["shape"][1] == 3  # litert-torch keeps NCHW
    results = []
    for photo in inputs if channels_first else inputs.transpose(0, 2, 3, 1):
        if source["dtype"] is np.int8:
            scale, zero_point = source["quantization"]
            photo = np.clip(np.round(photo / scale) + zero_point, -128, 127).astype(np.int8)
        interpreter.set_tensor(source["index"], np.ascontiguousarray(photo[None]))
        interpreter.invoke()
        output = interpreter.get_tensor(target["index"])
        if target["dtype"] is np.int8:
            scale, zero_point = target["quantization"]
            output = (output.astype(np.float32) - zero_point) * scale
        results.append(output)
    return np.concatenate(results)
