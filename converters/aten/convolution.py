"""Convolutions, matrix products and normalisations with fixed statistics."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor

from edgezoo.converters.aten.table import handles
from edgezoo.converters.builder import Builder, Operand, Ref
from edgezoo.graph import attrs as A
from edgezoo.types import Shape

Ints = int | list[int]


def pair(value: Ints) -> A.Pair:
    """Return (height, width) from an int or a list of one or two."""
    if isinstance(value, int):
        return (value, value)
    return (value[0], value[-1])


def symmetric(value: Ints) -> A.Padding:
    """Return (top, bottom, left, right) from PyTorch's padding."""
    height, width = pair(value)
    return (height, height, width, width)


def _bias(bias: Operand | None, count: int) -> Operand:
    return torch.zeros(count) if bias is None else bias


@handles("conv2d.default")
def conv2d(
    b: Builder,
    x: Ref,
    weight: Operand,
    bias: Operand | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    if isinstance(weight, Ref) or isinstance(bias, Ref):
        return NotImplemented  # weights computed from the input
    attrs = A.Conv2d(None, pair(stride), symmetric(padding), pair(dilation), groups)
    return b.emit("conv2d", x, weight, _bias(bias, weight.shape[0]), attrs=attrs)


@handles("conv2d.padding")
def conv2d_padding(
    b: Builder,
    x: Ref,
    weight: Operand,
    bias: Operand | None = None,
    stride: Ints = 1,
    padding: str = "valid",
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    if isinstance(weight, Ref) or isinstance(bias, Ref):
        return NotImplemented
    total = [0, 0]
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(pair(dilation), weight.shape[2:], strict=True)]
    pads = (total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2)
    attrs = A.Conv2d(None, pair(stride), pads, pair(dilation), groups)
    return b.emit("conv2d", x, weight, _bias(bias, weight.shape[0]), attrs=attrs)


@handles("conv1d.default")
def conv1d(
    b: Builder,
    x: Ref,
    weight: Operand,
    bias: Operand | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Any:
    """As a two-dimensional convolution over a picture of height 1."""
    if isinstance(weight, Ref) or isinstance(bias, Ref) or isinstance(padding, str):
        return NotImplemented
    attrs = A.Conv2d(
        None, (1, pair(stride)[1]), (0, 0, *symmetric(padding)[2:]), (1, pair(dilation)[1]), groups
    )
    flat = (*x.shape[:-1], 1, x.shape[-1])
    wide = b.emit("reshape", x, attrs=A.Reshape(flat))
    out = b.emit("conv2d", wide, weight.unsqueeze(2), _bias(bias, weight.shape[0]), attrs=attrs)
    return b.emit("reshape", out, attrs=A.Reshape((*out.shape[:-2], out.shape[-1])))


@handles("conv_transpose2d.input")
def conv_transpose2d(
    b: Builder,
    x: Ref,
    weight: Operand,
    bias: Operand | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Any:
    if isinstance(weight, Ref) or isinstance(bias, Ref) or pair(dilation) != (1, 1) or groups != 1:
        return NotImplemented
    attrs = A.ConvTranspose2d(None, pair(stride), symmetric(padding), pair(output_padding))
    return b.emit("conv_transpose2d", x, weight, _bias(bias, weight.shape[1]), attrs=attrs)


@handles("linear.default")
def linear(b: Builder, x: Ref, weight: Operand, bias: Operand | None = None) -> Any:
    if isinstance(weight, Ref) or isinstance(bias, Ref):
        return NotImplemented
    return b.emit("linear", x, weight, _bias(bias, weight.shape[0]))


@handles("addmm.default")
def addmm(
    b: Builder, bias: Operand, x: Ref, weight: Operand, beta: float = 1, alpha: float = 1
) -> Any:
    if isinstance(weight, Ref) or isinstance(bias, Ref) or beta != 1 or alpha != 1:
        return NotImplemented
    full = torch.broadcast_to(bias, (weight.shape[1],)).contiguous()
    return b.emit("linear", x, weight.t().contiguous(), full)


@handles("matmul.default", "bmm.default", "mm.default")
def matmul(b: Builder, x: Operand, y: Operand) -> Any:
    if isinstance(y, Tensor) and y.ndim == 2:
        return b.emit("linear", x, y.t().contiguous(), torch.zeros(y.shape[1]))
    if min(len(x.shape), len(y.shape)) < 2:
        return NotImplemented
    rank = max(len(x.shape), len(y.shape))
    operands = [with_rank(b, item, rank) for item in (x, y)]
    return b.emit("matmul", *operands)


def with_rank(b: Builder, x: Operand, rank: int) -> Operand:
    """Return ``x`` with leading axes of length 1, up to ``rank`` axes."""
    if len(x.shape) == rank:
        return x
    shape = (1,) * (rank - len(x.shape)) + tuple(x.shape)
    return (
        x.reshape(shape) if isinstance(x, Tensor) else b.emit("reshape", x, attrs=A.Reshape(shape))
    )


def per_channel(tensor: Tensor, rank: int) -> Tensor:
    """Return a vector over channels as (1, c, 1, …)."""
    return tensor.reshape((1, -1) + (1,) * (rank - 2))


@handles("batch_norm.default")
def batch_norm(
    b: Builder,
    x: Ref,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Any:
    """As ``x * s + t``: s = weight / sqrt(var + eps), t = bias - mean * s, both in float64."""
    if training or running_mean is None or running_var is None:
        return NotImplemented
    scale = torch.rsqrt(running_var.double() + eps)
    if weight is not None:
        scale = scale * weight.double()
    shift = -running_mean.double() * scale
    if bias is not None:
        shift = shift + bias.double()
    rank = len(x.shape)
    scaled = b.emit("mul", x, per_channel(scale, rank))
    return b.emit("add", scaled, per_channel(shift, rank))


@handles("_native_batch_norm_legit_no_training.default")
def functional_batch_norm(
    b: Builder,
    x: Ref,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> Any:
    """The same in the functional form of a program, where it also returns statistics."""
    return batch_norm(b, x, weight, bias, running_mean, running_var, False, momentum, eps), None


@handles("layer_norm.default")
def layer_norm(
    b: Builder,
    x: Ref,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    rank = len(x.shape)
    axes = tuple(range(rank - len(normalized_shape), rank))
    return _affine(b, standardized(b, x, axes, eps), weight, bias)


@handles("group_norm.default")
def group_norm(
    b: Builder,
    x: Ref,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    n = x.shape[0]
    flat = b.emit("reshape", x, attrs=A.Reshape((n, num_groups, prod(x.shape[1:]) // num_groups)))
    back = b.emit("reshape", standardized(b, flat, (2,), eps), attrs=A.Reshape(x.shape))
    rank = len(x.shape)
    channelwise = [None if t is None else per_channel(t, rank) for t in (weight, bias)]
    return _affine(b, back, *channelwise)


@handles("instance_norm.default")
def instance_norm(
    b: Builder,
    x: Ref,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Any:
    if not use_input_stats:
        return NotImplemented
    rank = len(x.shape)
    channelwise = [None if t is None else per_channel(t, rank) for t in (weight, bias)]
    return _affine(b, standardized(b, x, tuple(range(2, rank)), eps), *channelwise)


def standardized(b: Builder, x: Ref, axes: tuple[int, ...], eps: float) -> Ref:
    """Return ``(x - mean) / sqrt(var + eps)`` over ``axes``, population variance."""
    centred = b.emit("sub", x, b.emit("mean", x, attrs=A.Reduce(axes, True)))
    variance = b.emit("mean", b.emit("mul", centred, centred), attrs=A.Reduce(axes, True))
    guarded = b.emit("add", variance, torch.full((1,) * len(x.shape), eps))
    return b.emit("mul", centred, b.emit("rsqrt", guarded))


def _affine(b: Builder, x: Ref, weight: Tensor | None, bias: Tensor | None) -> Ref:
    rank = len(x.shape)
    for op, tensor in (("mul", weight), ("add", bias)):
        if tensor is not None:
            x = b.emit(op, x, tensor.reshape((1,) * (rank - tensor.ndim) + tuple(tensor.shape)))
    return x


def axis_of(x: Operand, axis: int) -> int:
    """Return a non-negative axis."""
    rank: int = len(x.shape)
    return axis % rank


def shape_of(x: Operand) -> Shape:
    """Return the shape as a tuple of ints."""
    return tuple(int(size) for size in x.shape)
