"""The version that each operator must carry: which runtimes know what the operator asks for.

A runtime refuses operators newer than it knows; one that claims too old a version would be run by
kernels that do not understand it. The rules are those of ``GetBuiltinOperatorVersion`` in
https://github.com/google-ai-edge/LiteRT/blob/main/tflite/tools/versioning/op_version.cc, for float32
and int8 tensors; each rule is a lower bound and the largest holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

FIRST_VERSIONS = {"BROADCAST_TO": 2, "TRANSPOSE_CONV": 3}  # TRANSPOSE_CONV: with a bias
INT8_VERSIONS = {
    "ABS": 2, "ADD": 2, "AVERAGE_POOL_2D": 2, "BATCH_MATMUL": 2, "BROADCAST_TO": 3,
    "CONCATENATION": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "DEQUANTIZE": 2, "EXP": 2,
    "FULLY_CONNECTED": 4, "GELU": 2, "LOG": 2, "LOGISTIC": 2, "LOG_SOFTMAX": 2, "MAXIMUM": 2,
    "MAX_POOL_2D": 2, "MEAN": 2, "MINIMUM": 2, "MUL": 2, "PAD": 2, "PADV2": 2, "REDUCE_MAX": 2,
    "REDUCE_MIN": 2, "RELU": 2, "RELU6": 2, "RESIZE_BILINEAR": 2, "RESIZE_NEAREST_NEIGHBOR": 2,
    "RSQRT": 2, "SLICE": 2, "SOFTMAX": 2, "STRIDED_SLICE": 2, "SUB": 2, "SUM": 2, "TANH": 2,
    "TRANSPOSE": 2,
}  # fmt: skip
MORE_THAN_4_AXES = {"PAD": 4, "PADV2": 4, "SLICE": 5, "STRIDED_SLICE": 4, "TRANSPOSE": 4}
BROADCAST_OVER_4_AXES = {"SUB": 3, "DIV": 2, "MAXIMUM": 3, "MINIMUM": 3}


def operator_version(
    code: str, inputs: Sequence[Any], output: Any, options: Any
) -> int:  # TensorT of the schema, and one of its ...OptionsT or None
    """Return the version of operator ``code`` between these tensors."""
    first = inputs[0]
    rank = max(len(tensor.shape) for tensor in inputs)
    candidates = [1, FIRST_VERSIONS.get(code, 1), _from_options(code, options)]
    if first.type == schema.TensorType.INT8:
        candidates.append(INT8_VERSIONS.get(code, 1))
    if len(first.shape) > 4:
        candidates.append(MORE_THAN_4_AXES.get(code, 1))
    if code == "TRANSPOSE" and len(first.shape) > 5:
        candidates.append(6)
    if rank > 4 and code in BROADCAST_OVER_4_AXES and _broadcasts(inputs):
        candidates.append(BROADCAST_OVER_4_AXES[code])
    if code == "CONV_2D" and inputs[1].shape[3] != first.shape[3]:
        candidates.append(6)  # grouped
    if code == "MUL" and _rescales_upward(inputs, output):
        candidates.append(3)
    return max(candidates)


def _from_options(code: str, options: Any) -> int:
    dilated = code == "DEPTHWISE_CONV_2D" and (
        options.dilationHFactor != 1 or options.dilationWFactor != 1
    )
    if dilated:
        return 2
    if code == "FULLY_CONNECTED" and options.keepNumDims:
        return 5
    if code == "TRANSPOSE_CONV" and options.fusedActivationFunction:
        return 4
    if code == "RESIZE_NEAREST_NEIGHBOR" and options.alignCorners:
        return 3
    return 3 if code.startswith("RESIZE_") and options.halfPixelCenters else 1


def _broadcasts(inputs: Sequence[Any]) -> bool:
    return tuple(inputs[0].shape) != tuple(inputs[1].shape)


def _rescales_upward(inputs: Sequence[Any], output: Any) -> bool:
    grids = [tensor.quantization for tensor in (*inputs, output)]
    if any(grid is None or len(grid.scale) != 1 for grid in grids):
        return False
    first, second, result = (float(grid.scale[0]) for grid in grids)
    return first * second / result >= 1.0
