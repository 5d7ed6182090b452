"""What XNNPACK calls its operators, and which TFLite operators each of them executes.

XNNPACK's names are "Kind (layout, types) microkernel": "Convolution (NHWC, F32) DWConv"
(xnnpack/src/operators, ``xnn_operator_type_to_string``). TFLite's built-in kernels carry the
schema's names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from edgezoo.devices.profiles.nodes import FileNode

WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV"}
_WEIGHTED_KINDS = {
    "Convolution",
    "Fully Connected",
    "Dynamic Fully Connected",
    "Batch Matrix Multiply",
    "Deconvolution",
}
# A table of 256 results: a quantized unary function; x * sigmoid(x) becomes one of them.
_LOOK_UP = ("MUL", "HARD_SWISH", "GELU", "ELU", "TANH", "LEAKY_RELU", "EXP", "RSQRT", "SQRT")
_KINDS: Mapping[str, tuple[str, ...]] = {
    "Convolution": ("CONV_2D", "DEPTHWISE_CONV_2D"),
    "Fully Connected": ("CONV_2D", "FULLY_CONNECTED"),
    "Dynamic Fully Connected": ("FULLY_CONNECTED", "BATCH_MATMUL"),
    "Batch Matrix Multiply": ("BATCH_MATMUL",),
    "Deconvolution": ("TRANSPOSE_CONV",),
    "Sigmoid": ("LOGISTIC",),
    "Tanh": ("TANH",),
    "HardSwish": ("HARD_SWISH",),
    "Leaky ReLU": ("LEAKY_RELU",),
    "PReLU": ("PRELU",),
    "ELU": ("ELU",),
    "GELU": ("GELU",),
    "Abs": ("ABS",),
    "Negate": ("NEG",),
    "Exp": ("EXP",),
    "Log": ("LOG",),
    "Cosine": ("COS",),
    "Sine": ("SIN",),
    "Square": ("SQUARE",),
    "Square Root": ("SQRT",),
    "Reciprocal Square Root": ("RSQRT",),
    "Floor": ("FLOOR",),
    "Ceiling": ("CEIL",),
    "Add": ("ADD",),
    "Subtract": ("SUB",),
    "Multiply": ("MUL",),
    "Divide": ("DIV",),
    "Maximum": ("MAXIMUM",),
    "Minimum": ("MINIMUM",),
    "Squared Difference": ("SQUARED_DIFFERENCE",),
    "Mean": ("MEAN",),
    "Sum": ("SUM", "MEAN"),
    "Max Pooling": ("MAX_POOL_2D",),
    "Average Pooling": ("AVERAGE_POOL_2D",),
    "Global Average Pooling": ("AVERAGE_POOL_2D", "MEAN"),
    "Constant Pad": ("PAD", "PADV2"),
    "Static Reshape": ("RESHAPE", "EXPAND_DIMS", "SQUEEZE"),
    "Copy": ("CONCATENATION", "RESHAPE", "EXPAND_DIMS", "SQUEEZE", "SPLIT"),
    "Concatenate": ("CONCATENATION",),
    "Slice": ("SLICE", "STRIDED_SLICE", "SPLIT"),
    "Transpose": ("TRANSPOSE",),
    "Depth To Space": ("DEPTH_TO_SPACE",),
    "Space To Depth": ("SPACE_TO_DEPTH",),
    "Resize Bilinear": ("RESIZE_BILINEAR",),
    "Softmax": ("SOFTMAX",),
    "Clamp": ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"),
    "Convert": ("QUANTIZE", "DEQUANTIZE", "CAST"),
    "Invalid Unary Op": _LOOK_UP,  # what XNNPACK calls a look-up table
    "Lookup Table": _LOOK_UP,
}


def kind_of(op: str) -> str:
    """Return the kind in a runner's word: ``Convolution`` of "Convolution (NHWC, F32) IGEMM"."""
    return re.split(r" \(|\(", op, maxsplit=1)[0].strip()


def has_weights(op: str) -> bool:
    """Return whether the runner's operator multiplies matrices."""
    return op in WEIGHTED or kind_of(op) in _WEIGHTED_KINDS


def executes(op: str, node_op: str) -> bool:
    """Return whether the runner's ``op`` may be what computes a node of the file."""
    if op.endswith(" DWConv"):
        return node_op == "DEPTHWISE_CONV_2D"
    return op == node_op or node_op in _KINDS.get(kind_of(op), ())


def continues(op: str, node: FileNode) -> bool:
    """Return whether ``op`` may be a further part of ``node``, which another operator began.

    XNNPACK clamps after an addition whose activation is fused, and copies once per input of a
    concatenation.
    """
    kind = kind_of(op)
    return (kind == "Clamp" and node.fused) or (kind == "Copy" and node.op == "CONCATENATION")
