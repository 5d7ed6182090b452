"""What every op becomes in ONNX (opset 20): https://onnx.ai/onnx/operators.

The conventions that differ from the graph's: pads are (top, left, bottom, right); bounds, shapes
and axes are inputs rather than attributes; matrix products know no bias above rank 2.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from edgezoo.converters.onnx.emitter import Emitter
from edgezoo.converters.onnx.table import lowers
from edgezoo.graph import attrs as A
from edgezoo.graph.graph import Node

SAME_EVERYWHERE: dict[str, str] = {
    "matmul": "MatMul",
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "hardswish": "HardSwish",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "neg": "Neg",
    "abs": "Abs",
    "sin": "Sin",
    "cos": "Cos",
    "floor": "Floor",
    "requantize": "Identity",
}


@lowers(*SAME_EVERYWHERE)
def same_everywhere(w: Emitter, a: A.Attrs, node: Node, output: str) -> None:
    w.node(SAME_EVERYWHERE[node.op], reads(w, node), output)


def reads(w: Emitter, node: Node) -> list[str]:
    """Return the ONNX names of the node's inputs."""
    return [w.read(name) for name in node.inputs]


def pads(padding: A.Padding) -> list[int]:
    """Return ONNX's (top, left, bottom, right)."""
    top, bottom, left, right = padding
    return [top, left, bottom, right]


# ----------------------------------------------------------------------------- products


def product_reads(w: Emitter, node: Node) -> list[str]:
    """Return the ONNX names of the node's input, weights and bias."""
    x, *weights = node.inputs
    return [w.read(x), *(w.read_weights(name) for name in weights)]


@lowers("conv2d")
def conv2d(w: Emitter, a: A.Conv2d, node: Node, output: str) -> None:
    w.node(
        "Conv",
        product_reads(w, node),
        output,
        kernel_shape=w.graph.shape(node.inputs[1])[2:],
        strides=a.stride,
        pads=pads(a.padding),
        dilations=a.dilation,
        group=a.groups,
    )


@lowers("conv_transpose2d")
def conv_transpose2d(w: Emitter, a: A.ConvTranspose2d, node: Node, output: str) -> None:
    w.node(
        "ConvTranspose",
        product_reads(w, node),
        output,
        kernel_shape=w.graph.shape(node.inputs[1])[2:],
        strides=a.stride,
        pads=pads(a.padding),
        output_padding=a.output_padding,
        dilations=a.dilation,
        group=a.groups,
    )


@lowers("linear")
def linear(w: Emitter, a: A.Fusable, node: Node, output: str) -> None:
    x, weight, bias = node.inputs
    if len(w.graph.shape(x)) == 2:
        w.node("Gemm", product_reads(w, node), output, transB=1)
        return
    turned = w.read_rearranged(weight, "transposed", w.graph.constants[weight].T, axis=1)
    if not w.graph.constants[bias].any():
        w.node("MatMul", [w.read(x), turned], output)
        return
    product = w.node("MatMul", [w.read(x), turned], w.fresh(f"{node.output}/product"))
    w.node("Add", [product, w.read_weights(bias)], output)


# ------------------------------------------------------------------ element-wise with numbers


@lowers("rsqrt")
def rsqrt(w: Emitter, a: A.Attrs, node: Node, output: str) -> None:
    root = w.node("Sqrt", reads(w, node), w.fresh(f"{node.output}/sqrt"))
    w.node("Reciprocal", [root], output)


@lowers("gelu")
def gelu(w: Emitter, a: A.Gelu, node: Node, output: str) -> None:
    w.node("Gelu", reads(w, node), output, approximate="tanh" if a.tanh else "none")


@lowers("leaky_relu")
def leaky_relu(w: Emitter, a: A.Slope, node: Node, output: str) -> None:
    w.node("LeakyRelu", reads(w, node), output, alpha=a.slope)


@lowers("elu")
def elu(w: Emitter, a: A.Slope, node: Node, output: str) -> None:
    w.node("Elu", reads(w, node), output, alpha=a.slope)


@lowers("prelu")
def prelu(w: Emitter, a: A.Attrs, node: Node, output: str) -> None:
    """The slopes broadcast from the right, so (c,) becomes (c, 1, …)."""
    x, weight = node.inputs
    trailing = max(len(w.graph.shape(x)) - 2, 0)
    slopes = w.graph.constants[weight].reshape((-1,) + (1,) * trailing)
    w.node("PRelu", [w.read(x), w.read_rearranged(weight, f"slopes{trailing}", slopes, 0)], output)


@lowers("clip")
def clip(w: Emitter, a: A.Clip, node: Node, output: str) -> None:
    w.node("Clip", [*reads(w, node), *clip_bounds(w, node.output, a.minimum, a.maximum)], output)


def clip_bounds(w: Emitter, name: str, minimum: float, maximum: float) -> list[str]:
    """Return the inputs of ``Clip`` after the first; an infinite bound is left out."""
    bounds = {"minimum": minimum, "maximum": maximum}
    return [
        w.constant(f"{name}/{side}", bound) if np.isfinite(bound) else ""
        for side, bound in bounds.items()
    ]


@lowers("pow")
def power(w: Emitter, a: A.Exponent, node: Node, output: str) -> None:
    w.node("Pow", [*reads(w, node), w.constant(f"{node.output}/exponent", a.exponent)], output)


@lowers("softmax")
def softmax(w: Emitter, a: A.Axis, node: Node, output: str) -> None:
    w.node("Softmax", reads(w, node), output, axis=a.axis)


@lowers("log_softmax")
def log_softmax(w: Emitter, a: A.Axis, node: Node, output: str) -> None:
    w.node("LogSoftmax", reads(w, node), output, axis=a.axis)


# ------------------------------------------------------------------- pooling and reductions


@lowers("max_pool2d")
def max_pool2d(w: Emitter, a: A.Pool2d, node: Node, output: str) -> None:
    w.node(
        "MaxPool",
        reads(w, node),
        output,
        kernel_shape=a.kernel,
        strides=a.stride,
        pads=pads(a.padding),
    )


@lowers("avg_pool2d")
def avg_pool2d(w: Emitter, a: A.Pool2d, node: Node, output: str) -> None:
    w.node(
        "AveragePool",
        reads(w, node),
        output,
        kernel_shape=a.kernel,
        strides=a.stride,
        pads=pads(a.padding),
        count_include_pad=1,
    )


REDUCTIONS: dict[str, str] = {
    "mean": "ReduceMean",
    "sum": "ReduceSum",
    "max": "ReduceMax",
    "min": "ReduceMin",
}


@lowers(*REDUCTIONS)
def reduction(w: Emitter, a: A.Reduce, node: Node, output: str) -> None:
    picture = a.axes == (2, 3) and len(w.graph.shape(node.inputs[0])) == 4
    if node.op == "mean" and picture and w.graph.values[node.output].quant is not None:
        quantized_global_average(w, a, node, output)
        return
    axes = w.integers(f"{node.output}/axes", a.axes)
    w.node(REDUCTIONS[node.op], [*reads(w, node), axes], output, keepdims=int(a.keepdim))


def quantized_global_average(w: Emitter, a: A.Reduce, node: Node, output: str) -> None:
    """Write the mean over a picture as the op that ONNX Runtime has an integer kernel for.

    Not in float: there it adds in sequence, and is off by 3e-6 where ReduceMean is by 5e-7.
    """
    if a.keepdim:
        w.node("GlobalAveragePool", reads(w, node), output)
        return
    mean = w.node("GlobalAveragePool", reads(w, node), w.fresh(f"{node.output}/mean"))
    axes = w.integers(f"{node.output}/axes", a.axes)
    w.node("Squeeze", [between(w, node, mean), axes], output)


def between(w: Emitter, node: Node, name: str) -> str:
    """Round an intermediate to the grid of the node's output, where there is one.

    Integer kernels are picked only where every step of a lowering sits between two grids.
    """
    quant = w.graph.values[node.output].quant
    return name if quant is None else w.rounded(name, w.fresh(f"{name}/rounded"), quant)


# ------------------------------------------------------------------------ moving elements


@lowers("reshape")
def reshape(w: Emitter, a: A.Reshape, node: Node, output: str) -> None:
    w.node("Reshape", [*reads(w, node), w.integers(f"{node.output}/shape", a.shape)], output)


@lowers("expand")
def expand(w: Emitter, a: A.Reshape, node: Node, output: str) -> None:
    w.node("Expand", [*reads(w, node), w.integers(f"{node.output}/shape", a.shape)], output)


@lowers("permute")
def permute(w: Emitter, a: A.Permute, node: Node, output: str) -> None:
    w.node("Transpose", reads(w, node), output, perm=a.order)


@lowers("concat")
def concat(w: Emitter, a: A.Axis, node: Node, output: str) -> None:
    w.node("Concat", reads(w, node), output, axis=a.axis)


@lowers("slice")
def slice_(w: Emitter, a: A.Slice, node: Node, output: str) -> None:
    numbers = {"starts": a.start, "ends": a.stop, "axes": a.axis, "steps": a.step}
    ranges = [w.integers(f"{node.output}/{name}", [number]) for name, number in numbers.items()]
    w.node("Slice", [*reads(w, node), *ranges], output)


@lowers("pad")
def pad(w: Emitter, a: A.Pad, node: Node, output: str) -> None:
    amounts = [before for before, _ in a.pads] + [after for _, after in a.pads]
    value = w.constant(f"{node.output}/value", a.value)
    w.node("Pad", [*reads(w, node), w.integers(f"{node.output}/pads", amounts), value], output)


@lowers("channel_shuffle")
def channel_shuffle(w: Emitter, a: A.ChannelShuffle, node: Node, output: str) -> None:
    name = node.output
    n, c, height, width = w.graph.shape(node.inputs[0])
    apart = w.integers(f"{name}/apart", (n, a.groups, c // a.groups, height, width))
    together = w.integers(f"{name}/together", (n, c, height, width))
    grouped = w.node("Reshape", [*reads(w, node), apart], w.fresh(f"{name}/grouped"))
    turned = w.node(
        "Transpose", [between(w, node, grouped)], w.fresh(f"{name}/turned"), perm=(0, 2, 1, 3, 4)
    )
    w.node("Reshape", [between(w, node, turned), together], output)


@lowers("resize")
def resize(w: Emitter, a: A.Resize, node: Node, output: str) -> None:
    """``half_pixel``, not ``pytorch_half_pixel``: PyTorch has no special case for one pixel."""
    shape = w.graph.shape(node.inputs[0])
    size = (*shape[:2], *a.size)
    options = {
        "mode": "linear",
        "coordinate_transformation_mode": "align_corners" if a.align_corners else "half_pixel",
    }
    if a.mode == "nearest":
        if any(after % before for before, after in zip(shape, size, strict=True)):
            nearest_by_index(w, a, node, output)
            return
        options = {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
    sizes = w.integers(f"{node.output}/size", size)
    w.node("Resize", [*reads(w, node), "", "", sizes], output, **options)


def nearest_by_index(w: Emitter, a: A.Resize, node: Node, output: str) -> None:
    """Gather rows, then columns, at PyTorch's own indices.

    PyTorch computes ``floor(i * float32(in/out))``, ONNX Runtime ``floor(i / float32(out/in))``;
    unless ``out/in`` is whole they differ by a pixel where ``i*in/out`` is (28 to 4, for one).
    """
    height, width = w.graph.shape(node.inputs[0])[2:]
    rows = w.constant(f"{node.output}/rows", nearest_indices(height, a.size[0]))
    columns = w.constant(f"{node.output}/columns", nearest_indices(width, a.size[1]))
    picked = w.node("Gather", [*reads(w, node), rows], w.fresh(f"{node.output}/picked"), axis=2)
    w.node("Gather", [between(w, node, picked), columns], output, axis=3)


def nearest_indices(before: int, after: int) -> NDArray[np.int64]:
    """Return the input index of each output pixel."""
    ramp = torch.arange(before, dtype=torch.float32).reshape(1, 1, before)
    indices: NDArray[np.int64] = F.interpolate(ramp, after, mode="nearest").long().numpy().ravel()
    return indices
