"""The closed table of operations: attributes, how torch executes each, how many MACs it costs.

Adding an op is one entry here, one lowering per format (``converters/onnx``, ``converters/tflite``)
and one row in ``tests/graph/cases.py``, which runs it on every target. The shape rule of an op is
its execution on torch's meta device, so a shape and a value can never disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgezoo.graph import attrs as A
from edgezoo.types import Shape


@dataclass(frozen=True, slots=True)
class Op:
    """One entry of the table.

    ``run(attrs, *inputs)`` computes the output in the inputs' dtype; ``macs(attrs, input_shapes,
    output_shape)`` counts multiply-accumulates of convolutions and matrix products, 0 elsewhere.
    """

    name: str
    attrs: type[A.Attrs]
    run: Callable[..., Tensor]
    macs: Callable[[Any, list[Shape], Shape], int] = lambda attrs, inputs, output: 0


def activated(x: Tensor, activation: A.Activation | None) -> Tensor:
    """Apply a fused activation to a result that nobody else holds, in place."""
    if activation is None:
        return x
    low, high = A.CLIP_RANGES[activation]
    return F.relu_(x) if high == float("inf") else x.clamp_(low, high)


def _conv2d(a: A.Conv2d, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    top, bottom, left, right = a.padding
    symmetric = top == bottom and left == right
    if not symmetric:
        x = F.pad(x, (left, right, top, bottom))
    padding = (top, left) if symmetric else (0, 0)
    return activated(
        F.conv2d(x, weight, bias, a.stride, padding, a.dilation, a.groups), a.activation
    )


def _conv_transpose2d(a: A.ConvTranspose2d, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    padding = (a.padding[0], a.padding[2])
    out = F.conv_transpose2d(
        x, weight, bias, a.stride, padding, a.output_padding, a.groups, a.dilation
    )
    return activated(out, a.activation)


def _max_pool2d(a: A.Pool2d, x: Tensor) -> Tensor:
    top, bottom, left, right = a.padding
    x = F.pad(x, (left, right, top, bottom), value=float("-inf")) if any(a.padding) else x
    return activated(F.max_pool2d(x, a.kernel, a.stride), a.activation)


def _avg_pool2d(a: A.Pool2d, x: Tensor) -> Tensor:
    top, bottom, left, right = a.padding
    x = F.pad(x, (left, right, top, bottom)) if any(a.padding) else x
    return activated(F.avg_pool2d(x, a.kernel, a.stride), a.activation)


def _resize(a: A.Resize, x: Tensor) -> Tensor:
    if a.mode == "nearest":
        return F.interpolate(x, a.size, mode="nearest")
    return F.interpolate(x, a.size, mode="bilinear", align_corners=a.align_corners)


def _slice(a: A.Slice, x: Tensor) -> Tensor:
    index = [slice(None)] * x.ndim
    index[a.axis] = slice(a.start, a.stop, a.step)
    return x[tuple(index)]


def _pad(a: A.Pad, x: Tensor) -> Tensor:
    flat = [amount for pair in reversed(a.pads) for amount in pair]
    return F.pad(x, flat, value=a.value)


def _channel_shuffle(a: A.ChannelShuffle, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.reshape(n, a.groups, c // a.groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def _clip(a: A.Clip, x: Tensor) -> Tensor:
    return x.clamp(a.minimum, a.maximum)


def _macs_conv2d(a: A.Conv2d, inputs: list[Shape], output: Shape) -> int:
    return prod(output) * prod(inputs[1][1:])


def _macs_conv_transpose2d(a: A.ConvTranspose2d, inputs: list[Shape], output: Shape) -> int:
    return prod(inputs[0]) * prod(inputs[1][1:])


def _macs_matmul(a: A.Attrs, inputs: list[Shape], output: Shape) -> int:
    return prod(output) * inputs[0][-1]


def _unary(name: str, function: Callable[[Tensor], Tensor]) -> Op:
    return Op(name, A.Attrs, lambda a, x: function(x))


def _binary(name: str, function: Callable[[Tensor, Tensor], Tensor]) -> Op:
    return Op(name, A.Fusable, lambda a, x, y: activated(function(x, y), a.activation))


def _reduce(name: str, function: Callable[..., Tensor]) -> Op:
    return Op(name, A.Reduce, lambda a, x: function(x, a.axes, a.keepdim))


_ENTRIES = (
    Op("conv2d", A.Conv2d, _conv2d, _macs_conv2d),
    Op("conv_transpose2d", A.ConvTranspose2d, _conv_transpose2d, _macs_conv_transpose2d),
    Op(
        "linear",  # x (…, in), weight (out, in), bias (out,)
        A.Fusable,
        lambda a, x, w, b: activated(F.linear(x, w, b), a.activation),
        _macs_matmul,
    ),
    Op("matmul", A.Attrs, lambda a, x, y: x @ y, _macs_matmul),
    _binary("add", torch.add),
    _binary("sub", torch.sub),
    _binary("mul", torch.mul),
    _binary("div", torch.div),
    Op("maximum", A.Attrs, lambda a, x, y: torch.maximum(x, y)),
    Op("minimum", A.Attrs, lambda a, x, y: torch.minimum(x, y)),
    _unary("relu", F.relu),
    _unary("sigmoid", torch.sigmoid),
    _unary("tanh", torch.tanh),
    _unary("hardswish", F.hardswish),
    _unary("exp", torch.exp),
    _unary("log", torch.log),
    _unary("sqrt", torch.sqrt),
    _unary("rsqrt", torch.rsqrt),
    _unary("neg", torch.neg),
    _unary("abs", torch.abs),
    _unary("sin", torch.sin),
    _unary("cos", torch.cos),
    _unary("floor", torch.floor),
    _unary("requantize", lambda x: x),  # the same numbers on another grid, or off the grid
    Op("gelu", A.Gelu, lambda a, x: F.gelu(x, approximate="tanh" if a.tanh else "none")),
    Op("leaky_relu", A.Slope, lambda a, x: F.leaky_relu(x, a.slope)),
    Op("elu", A.Slope, lambda a, x: F.elu(x, a.slope)),
    Op("prelu", A.Attrs, lambda a, x, w: F.prelu(x, w)),  # w (channels,)
    Op("clip", A.Clip, _clip),
    Op("pow", A.Exponent, lambda a, x: x**a.exponent),
    Op("softmax", A.Axis, lambda a, x: F.softmax(x, a.axis)),
    Op("log_softmax", A.Axis, lambda a, x: F.log_softmax(x, a.axis)),
    Op("max_pool2d", A.Pool2d, _max_pool2d),
    Op("avg_pool2d", A.Pool2d, _avg_pool2d),  # padding counts as zeros in the mean
    _reduce("mean", torch.mean),
    _reduce("sum", torch.sum),
    _reduce("max", torch.amax),
    _reduce("min", torch.amin),
    Op("reshape", A.Reshape, lambda a, x: x.reshape(a.shape)),
    Op("permute", A.Permute, lambda a, x: x.permute(a.order)),
    Op("expand", A.Reshape, lambda a, x: x.expand(a.shape)),
    Op("concat", A.Axis, lambda a, *xs: torch.cat(xs, a.axis)),
    Op("slice", A.Slice, _slice),
    Op("pad", A.Pad, _pad),
    Op("resize", A.Resize, _resize),
    Op("channel_shuffle", A.ChannelShuffle, _channel_shuffle),
)

OPS: dict[str, Op] = {}
for _entry in _ENTRIES:
    if _entry.name in OPS:
        raise ValueError(f"op {_entry.name} is in the table twice")
    OPS[_entry.name] = _entry


def infer_shape(op: str, attrs: A.Attrs, inputs: list[Shape]) -> Shape:
    """Return the shape of ``op``'s output: its execution on the meta device."""
    tensors = [torch.empty(shape, device="meta") for shape in inputs]
    return tuple(OPS[op].run(attrs, *tensors).shape)
