"""Lowerings that take any axis order: arithmetic, activations, reductions, joins and cuts."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgezoo.converters.tflite.layout import (
    Order,
    default_order,
    identity,
    permuted,
    reduced,
    reshaped_order,
    stored,
)
from edgezoo.converters.tflite.lowering import State, activation_of, lowers
from edgezoo.graph import attrs as A
from edgezoo.graph.graph import Node


def common_order(state: State, node: Node) -> Order:
    """Return the order of the largest computed input."""
    rank = len(state.shape(node.inputs[0]))
    computed = [name for name in node.inputs if not state.is_constant(name)]
    if not computed:
        return default_order(rank)
    return state.order(max(computed, key=lambda name: math.prod(state.shape(name))))


BINARY: dict[str, tuple[str, Any]] = {
    "add": ("ADD", schema.AddOptionsT),
    "sub": ("SUB", schema.SubOptionsT),
    "mul": ("MUL", schema.MulOptionsT),
    "div": ("DIV", schema.DivOptionsT),
    "maximum": ("MAXIMUM", schema.MaximumMinimumOptionsT),
    "minimum": ("MINIMUM", schema.MaximumMinimumOptionsT),
}


@lowers(*BINARY)
def binary(state: State, node: Node) -> None:
    code, make_options = BINARY[node.op]
    order = common_order(state, node)
    options = make_options()
    if hasattr(options, "fusedActivationFunction"):
        options.fusedActivationFunction = activation_of(node)
    inputs = [state.get(name, order) for name in node.inputs]
    state.operator(code, inputs, state.put(node.output, order), options)


UNARY: dict[str, tuple[str, Any]] = {
    "sigmoid": ("LOGISTIC", None),
    "tanh": ("TANH", None),
    "hardswish": ("HARD_SWISH", schema.HardSwishOptionsT),
    "exp": ("EXP", schema.ExpOptionsT),
    "log": ("LOG", None),
    "sqrt": ("SQRT", None),
    "rsqrt": ("RSQRT", None),
    "neg": ("NEG", schema.NegOptionsT),
    "abs": ("ABS", schema.AbsOptionsT),
    "sin": ("SIN", None),
    "cos": ("COS", schema.CosOptionsT),
    "floor": ("FLOOR", None),
    "elu": ("ELU", None),
}


@lowers(*UNARY)
def unary(state: State, node: Node) -> None:
    code, make_options = UNARY[node.op]
    _one_input(state, node, code, None if make_options is None else make_options())


def _one_input(state: State, node: Node, code: str, options: Any = None, *more: int) -> None:
    order = common_order(state, node)
    tensor = state.get(node.inputs[0], order)
    state.operator(code, [tensor, *more], state.put(node.output, order), options)


@lowers("requantize")
def requantize(state: State, node: Node) -> None:
    """QUANTIZE onto a grid or from one to another, DEQUANTIZE off it."""
    if state.graph.values[node.output].quant is None:
        _one_input(state, node, "DEQUANTIZE", None)
    else:
        _one_input(state, node, "QUANTIZE", None)


@lowers("gelu")
def gelu(state: State, node: Node) -> None:
    """XNNPACK takes GELU in float32 alone; from int8 and back costs less than leaving the partition.

    The results are the int8 kernel's to a step, and 1x1 convolutions with GELUs between them take
    0.37 ms instead of 0.43 (28x28x128, x86).
    """
    options = schema.GeluOptionsT()
    options.approximate = cast(A.Gelu, node.attrs).tanh
    if state.graph.values[node.output].quant is None:
        _one_input(state, node, "GELU", options)
        return
    order = common_order(state, node)
    shape = stored(state.shape(node.output), order)
    real, result = (
        state.model.tensor(f"{node.output}/{name}", shape, "float32") for name in ("real", "exact")
    )
    state.operator("DEQUANTIZE", [state.get(node.inputs[0], order)], real)
    state.operator("GELU", [real], result, options)
    state.operator("QUANTIZE", [result], state.put(node.output, order))


@lowers("relu")
def relu(state: State, node: Node) -> None:
    _activation(state, node, "RELU")


def _activation(state: State, node: Node, code: str) -> None:
    """An int8 RELU alone leaves the XNNPACK partition; the one of an addition of 0 does not."""
    quant = state.graph.values[node.output].quant
    if quant is None or code not in FUSED:
        _one_input(state, node, code)
        return
    options = schema.AddOptionsT()
    options.fusedActivationFunction = FUSED[code]
    zero = state.number(f"{node.output}/zero", 0.0, quant)
    _one_input(state, node, "ADD", options, zero)


@lowers("leaky_relu")
def leaky_relu(state: State, node: Node) -> None:
    options = schema.LeakyReluOptionsT()
    options.alpha = cast(A.Slope, node.attrs).slope
    _one_input(state, node, "LEAKY_RELU", options)


@lowers("prelu")
def prelu(state: State, node: Node) -> None:
    """The slopes are stored as the picture's axes without the batch, 1 everywhere but in channels."""
    order = common_order(state, node)
    slopes = np.asarray(state.graph.constants[node.inputs[1]])
    shape = [1] * len(order)
    shape[1 if len(order) > 1 else 0] = slopes.size
    wide = slopes.reshape(shape).transpose(order)
    alpha = state.model.constant(
        node.inputs[1], np.ascontiguousarray(wide[0]), state.graph.values[node.inputs[1]].quant
    )
    _one_input(state, node, "PRELU", None, alpha)


@lowers("pow")
def power(state: State, node: Node) -> None:
    exponent = state.number(f"{node.output}/exponent", cast(A.Exponent, node.attrs).exponent, None)
    _one_input(state, node, "POW", schema.PowOptionsT(), exponent)


FUSED = {
    "RELU": schema.ActivationFunctionType.RELU,
    "RELU6": schema.ActivationFunctionType.RELU6,
    "RELU_N1_TO_1": schema.ActivationFunctionType.RELU_N1_TO_1,
}
CLIPS = {
    (0.0, math.inf): "RELU",
    (0.0, 6.0): "RELU6",
    (-1.0, 1.0): "RELU_N1_TO_1",
    (0.0, 1.0): "RELU_0_TO_1",
}


@lowers("clip")
def clip(state: State, node: Node) -> None:
    attrs = cast(A.Clip, node.attrs)
    if code := CLIPS.get((attrs.minimum, attrs.maximum)):
        _activation(state, node, code)
        return
    order = common_order(state, node)
    tensor = state.get(node.inputs[0], order)
    quant = state.graph.values[node.output].quant
    limits = [("MAXIMUM", attrs.minimum), ("MINIMUM", attrs.maximum)]
    finite = [(code, limit) for code, limit in limits if math.isfinite(limit)]
    for index, (code, limit) in enumerate(finite):
        bound = state.number(f"{node.output}/{code.lower()}", limit, quant)
        last = index == len(finite) - 1
        shape = stored(state.shape(node.output), order)
        output = (
            state.put(node.output, order) if last else state.like(node.output, "clipped", shape)
        )
        state.operator(code, [tensor, bound], output, schema.MaximumMinimumOptionsT())
        tensor = output


@lowers("softmax", "log_softmax")
def softmax(state: State, node: Node) -> None:
    """TFLite's work on the last stored axis."""
    axis = cast(A.Axis, node.attrs).axis
    order = state.order(node.inputs[0])
    if order[-1] != axis:
        order = (*(a for a in identity(len(order)) if a != axis), axis)
    options = schema.LogSoftmaxOptionsT()
    if node.op == "softmax":
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
    code = "SOFTMAX" if node.op == "softmax" else "LOG_SOFTMAX"
    tensor = state.get(node.inputs[0], order)
    state.operator(code, [tensor], state.put(node.output, order), options)


REDUCTIONS = {"mean": "MEAN", "sum": "SUM", "max": "REDUCE_MAX", "min": "REDUCE_MIN"}


@lowers(*REDUCTIONS)
def reduction(state: State, node: Node) -> None:
    attrs = cast(A.Reduce, node.attrs)
    order = state.order(node.inputs[0])
    options = schema.ReducerOptionsT()
    options.keepDims = attrs.keepdim
    axes = state.integers(sorted(order.index(axis) for axis in attrs.axes))
    result = order if attrs.keepdim else reduced(order, attrs.axes)
    inputs = [state.get(node.inputs[0], order), axes]
    state.operator(REDUCTIONS[node.op], inputs, state.put(node.output, result), options)


@lowers("concat")
def concat(state: State, node: Node) -> None:
    order = common_order(state, node)
    options = schema.ConcatenationOptionsT()
    options.axis = order.index(cast(A.Axis, node.attrs).axis)
    inputs = [state.get(name, order) for name in node.inputs]
    state.operator("CONCATENATION", inputs, state.put(node.output, order), options)


@lowers("slice")
def slice_(state: State, node: Node) -> None:
    attrs = cast(A.Slice, node.attrs)
    order = common_order(state, node)
    tensor, output = state.get(node.inputs[0], order), state.put(node.output, order)
    size = list(stored(state.shape(node.inputs[0]), order))
    axis = order.index(attrs.axis)
    begin = [0] * len(order)
    begin[axis] = attrs.start
    if attrs.step == 1:
        wanted = stored(state.shape(node.output), order)
        inputs = [tensor, state.integers(begin), state.integers(wanted)]
        state.operator("SLICE", inputs, output, schema.SliceOptionsT())
        return
    size[axis] = attrs.stop
    steps = [1] * len(order)
    steps[axis] = attrs.step
    inputs = [tensor, *(state.integers(item) for item in (begin, size, steps))]
    state.operator("STRIDED_SLICE", inputs, output, schema.StridedSliceOptionsT())


@lowers("pad")
def pad(state: State, node: Node) -> None:
    attrs = cast(A.Pad, node.attrs)
    order = common_order(state, node)
    pads = state.integers([attrs.pads[axis] for axis in order])
    if attrs.value == 0:
        _one_input(state, node, "PAD", schema.PadOptionsT(), pads)
        return
    fill = state.number(f"{node.output}/fill", attrs.value, state.graph.values[node.output].quant)
    _one_input(state, node, "PADV2", schema.PadV2OptionsT(), pads, fill)


@lowers("reshape")
def reshape(state: State, node: Node) -> None:
    old, new = state.shape(node.inputs[0]), state.shape(node.output)
    order = common_order(state, node)
    result = reshaped_order(old, new, order)
    if result is None:
        order, result = identity(len(old)), identity(len(new))
    state.reshape(state.get(node.inputs[0], order), state.put(node.output, result))


@lowers("permute")
def permute(state: State, node: Node) -> None:
    """Only relabels the axes; whoever needs another order transposes."""
    order = common_order(state, node)
    permutation = cast(A.Permute, node.attrs).order
    state.alias(node.output, state.get(node.inputs[0], order), permuted(order, permutation))


@lowers("expand")
def expand(state: State, node: Node) -> None:
    order = common_order(state, node)
    shape = state.integers(stored(state.shape(node.output), order))
    _one_input(state, node, "BROADCAST_TO", schema.BroadcastToOptionsT(), shape)
