"""Lowerings of convolutions, matrix products and pools: the ops that fix an axis order."""

from __future__ import annotations

import math
from typing import Any, cast

from ai_edge_litert import schema_py_generated as schema

from edgezoo.converters.tflite.layout import NHWC, Order, identity, stored
from edgezoo.converters.tflite.lowering import State, activation_of, lowers
from edgezoo.graph import attrs as A
from edgezoo.graph.graph import Node
from edgezoo.types import Shape

DEPTHWISE_WEIGHT: Order = (1, 2, 3, 0)  # (out, 1, kh, kw) as (1, kh, kw, out)
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID


def effective_padding(size: int, before: int, kernel: int, stride: int, windows: int) -> A.Pair:
    """Return the (before, after) that the windows really reach."""
    return before, max((windows - 1) * stride + kernel - size - before, 0)


def is_same(size: int, padding: A.Pair, kernel: int, stride: int, windows: int) -> bool:
    """Tell whether TensorFlow's SAME rule gives exactly this padding and number of windows."""
    if windows != -(-size // stride):
        return False
    total = max((windows - 1) * stride + kernel - size, 0)
    return padding == (total // 2, total - total // 2)


def window_padding(
    state: State, node: Node, kernel: A.Pair, stride: A.Pair, padding: A.Padding
) -> tuple[int, A.Padding]:
    """Return the schema's padding and what is left to pad explicitly."""
    sizes, windows = state.shape(node.inputs[0])[2:], state.shape(node.output)[2:]
    pads = [
        effective_padding(sizes[i], padding[2 * i], kernel[i], stride[i], windows[i])
        for i in (0, 1)
    ]
    if all(is_same(sizes[i], pads[i], kernel[i], stride[i], windows[i]) for i in (0, 1)):
        return SAME, (0, 0, 0, 0)
    return VALID, (*pads[0], *pads[1])


def padded(state: State, node: Node, padding: A.Padding, *, lowest: bool = False) -> int:
    """Return the node's first input in NHWC, with a PAD in front where one is needed.

    XNNPACK merges a PAD of zeros into the convolution behind it; PADV2 would leave the partition.
    """
    name = node.inputs[0]
    tensor = state.get(name, NHWC)
    if not any(padding):
        return tensor
    n, c, h, w = state.shape(name)
    top, bottom, left, right = padding
    output = state.like(
        name, f"padded_for_{node.output}", (n, h + top + bottom, w + left + right, c)
    )
    pads = state.integers([(0, 0), (top, bottom), (left, right), (0, 0)])
    if not lowest:
        state.operator("PAD", [tensor, pads], output, schema.PadOptionsT())
        return output
    fill = state.number(f"{node.output}/lowest", -math.inf, state.graph.values[name].quant)
    state.operator("PADV2", [tensor, pads, fill], output, schema.PadV2OptionsT())
    return output


@lowers("conv2d")
def conv2d(state: State, node: Node) -> None:
    attrs = cast(A.Conv2d, node.attrs)
    out, _, height, width = state.shape(node.inputs[1])
    kernel = (
        attrs.dilation[0] * (height - 1) + 1,
        attrs.dilation[1] * (width - 1) + 1,
    )
    channels = state.shape(node.inputs[0])[1]
    padding, explicit = window_padding(state, node, kernel, attrs.stride, attrs.padding)
    depthwise = attrs.groups == channels and attrs.groups > 1
    options: Any = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
    options.padding = padding
    options.strideH, options.strideW = attrs.stride
    options.dilationHFactor, options.dilationWFactor = attrs.dilation
    options.fusedActivationFunction = activation_of(node)
    if depthwise:
        options.depthMultiplier = out // channels
    inputs = [
        padded(state, node, explicit),
        state.get(node.inputs[1], DEPTHWISE_WEIGHT if depthwise else NHWC),
        state.get(node.inputs[2], (0,)),
    ]
    code = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    state.operator(code, inputs, state.put(node.output, NHWC), options)


@lowers("conv_transpose2d")
def conv_transpose2d(state: State, node: Node) -> None:
    """The full result, cropped by a SLICE where PyTorch's padding crops it."""
    attrs = cast(A.ConvTranspose2d, node.attrs)
    n, _, h, w = state.shape(node.inputs[0])
    _, out, kh, kw = state.shape(node.inputs[1])
    full = (n, (h - 1) * attrs.stride[0] + kh, (w - 1) * attrs.stride[1] + kw, out)
    wanted = stored(state.shape(node.output), NHWC)
    options = schema.TransposeConvOptionsT()
    options.padding = VALID
    options.strideH, options.strideW = attrs.stride
    options.fusedActivationFunction = activation_of(node)
    weight = state.get(node.inputs[1], (1, 2, 3, 0))
    inputs = [
        state.integers(full), weight, state.get(node.inputs[0], NHWC), state.get(node.inputs[2], (0,))
    ]  # fmt: skip
    if full == wanted:
        state.operator("TRANSPOSE_CONV", inputs, state.put(node.output, NHWC), options)
        return
    uncropped = state.like(node.output, "uncropped", full)
    state.operator("TRANSPOSE_CONV", inputs, uncropped, options)
    begin = state.integers([0, attrs.padding[0], attrs.padding[2], 0])
    state.operator(
        "SLICE", [uncropped, begin, state.integers(wanted)], state.put(node.output, NHWC),
        schema.SliceOptionsT(),
    )  # fmt: skip


@lowers("linear")
def linear(state: State, node: Node) -> None:
    """FULLY_CONNECTED works on the last axis and keeps the others as they lie."""
    order = state.order(node.inputs[0])
    rank = len(order)
    if order[-1] != rank - 1:
        order = identity(rank)
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = activation_of(node)
    options.keepNumDims = rank > 2
    inputs = [
        state.get(node.inputs[0], order),
        state.get(node.inputs[1], (0, 1)),
        state.get(node.inputs[2], (0,)),
    ]
    output = state.put(node.output, order)
    state.operator("FULLY_CONNECTED", inputs, output, options)


@lowers("matmul")
def matmul(state: State, node: Node) -> None:
    rank = len(state.shape(node.output))
    plain = identity(rank)
    swapped = (*plain[:-2], rank - 1, rank - 2)
    options = schema.BatchMatMulOptionsT()
    options.adjX, options.adjY = (
        state.order(name) == swapped and not state.is_constant(name) for name in node.inputs
    )
    inputs = [
        state.get(name, swapped if adjoint else plain)
        for name, adjoint in zip(node.inputs, (options.adjX, options.adjY), strict=True)
    ]
    state.operator("BATCH_MATMUL", inputs, state.put(node.output, plain), options)


@lowers("max_pool2d")
def max_pool2d(state: State, node: Node) -> None:
    """PADV2 would leave the XNNPACK partition, so minus infinity is the last resort.

    Zeros do as well where nothing is negative; otherwise copies of the outermost rows and columns,
    where every window that sees a copy sees the original.
    """
    attrs = cast(A.Pool2d, node.attrs)
    padding, explicit = window_padding(state, node, attrs.kernel, attrs.stride, attrs.padding)
    if node.inputs[0] in state.non_negative:
        tensor = padded(state, node, explicit)
    elif max(explicit[:2]) < attrs.kernel[0] and max(explicit[2:]) < attrs.kernel[1]:
        tensor = _edges_repeated(state, node, explicit)
    else:
        tensor = padded(state, node, explicit, lowest=True)
    _pool(state, node, "MAX_POOL_2D", tensor, padding)


def _edges_repeated(state: State, node: Node, padding: A.Padding) -> int:
    """Return the node's first input in NHWC, padded with its outermost rows and columns."""
    name = node.inputs[0]
    tensor, shape = state.get(name, NHWC), stored(state.shape(name), NHWC)
    for axis, before, after in ((1, *padding[:2]), (2, *padding[2:])):
        first = [_cut(state, node, tensor, shape, axis, 0)] * before if before else []
        last = [_cut(state, node, tensor, shape, axis, shape[axis] - 1)] * after if after else []
        if first or last:
            parts = [*first, tensor, *last]
            shape = _resized(shape, axis, shape[axis] + before + after)
            tensor = state.like(name, f"repeated_for_{node.output}", shape)
            options = schema.ConcatenationOptionsT()
            options.axis = axis
            state.operator("CONCATENATION", parts, tensor, options)
    return tensor


def _cut(state: State, node: Node, tensor: int, shape: Shape, axis: int, start: int) -> int:
    """Return one row (axis 1) or column (axis 2) of a tensor in NHWC."""
    size = _resized(shape, axis, 1)
    begin = _resized((0,) * len(shape), axis, start)
    output = state.like(node.inputs[0], f"edge_for_{node.output}", size)
    inputs = [tensor, state.integers(begin), state.integers(size)]
    state.operator("SLICE", inputs, output, schema.SliceOptionsT())
    return output


def _resized(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


@lowers("avg_pool2d")
def avg_pool2d(state: State, node: Node) -> None:
    """SAME leaves the padding out of the mean, so padding is always explicit here."""
    attrs = cast(A.Pool2d, node.attrs)
    padding, explicit = window_padding(state, node, attrs.kernel, attrs.stride, attrs.padding)
    if any(attrs.padding):
        padding, explicit = VALID, attrs.padding
    _pool(state, node, "AVERAGE_POOL_2D", padded(state, node, explicit), padding)


def _pool(state: State, node: Node, code: str, tensor: int, padding: int) -> None:
    attrs = cast(A.Pool2d, node.attrs)
    options = schema.Pool2DOptionsT()
    options.padding = padding
    options.filterHeight, options.filterWidth = attrs.kernel
    options.strideH, options.strideW = attrs.stride
    options.fusedActivationFunction = activation_of(node)
    state.operator(code, [tensor], state.put(node.output, NHWC), options)


@lowers("resize")
def resize(state: State, node: Node) -> None:
    attrs = cast(A.Resize, node.attrs)
    bilinear = attrs.mode == "bilinear"
    options: Any = (
        schema.ResizeBilinearOptionsT() if bilinear else schema.ResizeNearestNeighborOptionsT()
    )
    options.alignCorners = attrs.align_corners
    options.halfPixelCenters = bilinear and not attrs.align_corners
    code = "RESIZE_BILINEAR" if bilinear else "RESIZE_NEAREST_NEIGHBOR"
    inputs = [state.get(node.inputs[0], NHWC), state.integers(attrs.size)]
    state.operator(code, inputs, state.put(node.output, NHWC), options)


@lowers("channel_shuffle")
def channel_shuffle(state: State, node: Node) -> None:
    """Rank-4 reshape, transpose, reshape: no GATHER, which XNNPACK does not take."""
    attrs = cast(A.ChannelShuffle, node.attrs)
    n, c, h, w = state.shape(node.output)
    groups, per_group = attrs.groups, c // attrs.groups
    split = state.like(node.output, "groups", (n, h * w, groups, per_group))
    state.reshape(state.get(node.inputs[0], NHWC), split)
    swapped = state.like(node.output, "swapped", (n, h * w, per_group, groups))
    state.transpose(split, (0, 1, 3, 2), swapped)
    state.reshape(swapped, state.put(node.output, NHWC))
