"""Static int8 QDQ with onnxruntime's own quantizer, per channel, min-max.

python -m benchmarks.peers.onnxruntime_quantize FLOAT.onnx INPUTS.npy OUT.onnx
"""

import sys
from pathlib import Path

import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process


class Photos(CalibrationDataReader):
    """Hands out one photo at a time."""

    def __init__(self, name: str, photos: np.ndarray) -> None:
        self.items = iter([{name: photo[None]} for photo in photos])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.items, None)


def main() -> None:
    source, inputs, out = sys.argv[1:]
    prepared = str(Path(out).with_suffix(".prepared.onnx"))
    quant_pre_process(source, prepared)
    quantize_static(
        prepared,
        out,
        Photos("input", np.load(inputs)),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


if __name__ == "__main__":
    main()
