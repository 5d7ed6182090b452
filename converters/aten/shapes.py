"""Reshaping, slicing and joining; several outputs become several slices."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor

from edgezoo.converters.aten.convolution import axis_of, pair, shape_of, symmetric, with_rank
from edgezoo.converters.aten.table import handles
from edgezoo.converters.builder import Builder, Operand, Ref
from edgezoo.graph import attrs as A
from edgezoo.types import Shape


def reshaped(b: Builder, x: Operand, shape: Shape) -> Ref:
    """Emit a reshape with -1 resolved."""
    known = -prod(shape) if -1 in shape else 0
    full = tuple(prod(x.shape) // known if size == -1 else size for size in shape)
    return b.emit("reshape", x, attrs=A.Reshape(full))


@handles("reshape.default", "view.default")
def reshape(b: Builder, x: Ref, shape: list[int]) -> Ref:
    return reshaped(b, x, tuple(shape))


@handles("reshape_as.default", "view_as.default")
def reshape_as(b: Builder, x: Ref, other: Operand) -> Ref:
    return reshaped(b, x, shape_of(other))


@handles("flatten.using_ints")
def flatten(b: Builder, x: Ref, start_dim: int = 0, end_dim: int = -1) -> Ref:
    start, end = axis_of(x, start_dim), axis_of(x, end_dim)
    return reshaped(b, x, (*x.shape[:start], prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


@handles("unflatten.int")
def unflatten(b: Builder, x: Ref, dim: int, sizes: list[int]) -> Ref:
    axis = axis_of(x, dim)
    known = -prod(sizes)
    full = [x.shape[axis] // known if size == -1 else size for size in sizes]
    return reshaped(b, x, (*x.shape[:axis], *full, *x.shape[axis + 1 :]))


@handles("unsqueeze.default")
def unsqueeze(b: Builder, x: Ref, dim: int) -> Ref:
    axis = dim % (len(x.shape) + 1)
    return reshaped(b, x, (*x.shape[:axis], 1, *x.shape[axis:]))


@handles("squeeze.dim", "squeeze.dims", "squeeze.default")
def squeeze(b: Builder, x: Ref, dim: Any = None) -> Ref:
    axes = range(len(x.shape)) if dim is None else [dim] if isinstance(dim, int) else dim
    dropped = {axis_of(x, axis) for axis in axes if x.shape[axis] == 1}
    return reshaped(b, x, tuple(s for axis, s in enumerate(x.shape) if axis not in dropped))


@handles("permute.default")
def permute(b: Builder, x: Ref, dims: list[int]) -> Ref:
    return b.emit("permute", x, attrs=A.Permute(tuple(axis_of(x, axis) for axis in dims)))


@handles("transpose.int", "swapaxes.default")
def transpose(b: Builder, x: Ref, dim0: int, dim1: int) -> Ref:
    order = list(range(len(x.shape)))
    first, second = axis_of(x, dim0), axis_of(x, dim1)
    order[first], order[second] = order[second], order[first]
    return b.emit("permute", x, attrs=A.Permute(tuple(order)))


@handles("t.default", "numpy_T.default")
def matrix_transpose(b: Builder, x: Ref) -> Ref:
    return b.emit("permute", x, attrs=A.Permute(tuple(reversed(range(len(x.shape))))))


@handles("expand.default")
def expand(b: Builder, x: Ref, size: list[int], implicit: bool = False) -> Ref:
    wide = with_rank(b, x, len(size))
    full = tuple(old if new == -1 else new for old, new in zip(wide.shape, size, strict=True))
    if full == tuple(wide.shape):
        assert isinstance(wide, Ref)
        return wide
    return b.emit("expand", wide, attrs=A.Reshape(full))


@handles("expand_as.default")
def expand_as(b: Builder, x: Ref, other: Operand) -> Ref:
    return expand(b, x, list(shape_of(other)))


@handles("repeat_interleave.self_int")
def repeat_interleave(
    b: Builder, x: Ref, repeats: int, dim: int | None = None, *, output_size: int | None = None
) -> Ref:
    flat = reshaped(b, x, (-1,)) if dim is None else x
    axis = axis_of(flat, dim or 0)
    before, after = flat.shape[: axis + 1], flat.shape[axis + 1 :]
    wide = reshaped(b, flat, (*before, 1, *after))
    repeated = b.emit("expand", wide, attrs=A.Reshape((*before, repeats, *after)))
    return reshaped(b, repeated, (*before[:-1], before[-1] * repeats, *after))


@handles("unfold.default")
def unfold(b: Builder, x: Ref, dimension: int, size: int, step: int) -> Ref:
    """Windows along an axis: their elements become the last axis."""
    axis, rank = axis_of(x, dimension), len(x.shape)
    starts = range(0, x.shape[axis] - size + 1, step)
    windows = stack(b, [slice_(b, x, axis, start, start + size) for start in starts], axis)
    order = [i for i in range(rank + 1) if i != axis + 1]
    return b.emit("permute", windows, attrs=A.Permute((*order, axis + 1)))


@handles("im2col.default")
def im2col(
    b: Builder,
    x: Ref,
    kernel_size: list[int],
    dilation: list[int],
    padding: list[int],
    stride: list[int],
) -> Any:
    """A depthwise convolution whose filters are the unit vectors of the window."""
    if len(x.shape) != 4:
        return NotImplemented
    n, c = x.shape[:2]
    area = prod(kernel_size)
    weight = torch.eye(area).reshape(area, 1, *kernel_size).repeat(c, 1, 1, 1)
    attrs = A.Conv2d(None, pair(stride), symmetric(padding), pair(dilation), c)
    columns = b.emit("conv2d", x, weight, torch.zeros(c * area), attrs=attrs)
    return reshaped(b, columns, (n, c * area, -1))


@handles("repeat.default", "tile.default")
def repeat(b: Builder, x: Ref, repeats: list[int]) -> Ref:
    wide = with_rank(b, x, max(len(repeats), len(x.shape)))
    counts = [1] * (len(wide.shape) - len(repeats)) + list(repeats)
    result: Operand = wide
    for axis, count in enumerate(counts):
        if count > 1:
            result = b.emit("concat", *[result] * count, attrs=A.Axis(axis))
    assert isinstance(result, Ref)
    return result


@handles("cat.default", "concat.default")
def cat(b: Builder, tensors: list[Operand], dim: int = 0) -> Operand:
    kept = [t for t in tensors if 0 not in t.shape]
    if len(kept) == 1:
        return kept[0]
    return b.emit("concat", *kept, attrs=A.Axis(axis_of(kept[0], dim)))


@handles("stack.default")
def stack(b: Builder, tensors: list[Operand], dim: int = 0) -> Ref:
    axis = dim % (len(tensors[0].shape) + 1)
    parts = []
    for tensor in tensors:
        shape = (*tensor.shape[:axis], 1, *tensor.shape[axis:])
        parts.append(
            tensor.reshape(shape) if isinstance(tensor, Tensor) else reshaped(b, tensor, shape)
        )
    return b.emit("concat", *parts, attrs=A.Axis(axis))


@handles("slice.Tensor")
def slice_(
    b: Builder,
    x: Ref,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Ref:
    axis = axis_of(x, dim)
    first, last, _ = slice(start, end, step).indices(x.shape[axis])
    if (first, last, step) == (0, x.shape[axis], 1):
        return x
    return b.emit("slice", x, attrs=A.Slice(axis, first, last, step))


@handles("narrow.default")
def narrow(b: Builder, x: Ref, dim: int, start: int, length: int) -> Ref:
    return slice_(b, x, dim, start, start + length)


@handles("select.int")
def select(b: Builder, x: Ref, dim: int, index: int) -> Ref:
    axis = axis_of(x, dim)
    first = index % x.shape[axis]
    part = slice_(b, x, axis, first, first + 1)
    return reshaped(b, part, (*x.shape[:axis], *x.shape[axis + 1 :]))


def pieces(b: Builder, x: Ref, sizes: list[int], dim: int) -> tuple[Ref, ...]:
    """Cut ``x`` along ``dim`` into slices of ``sizes``."""
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return tuple(
        slice_(b, x, dim, start, start + size) for start, size in zip(starts, sizes, strict=True)
    )


@handles("split_with_sizes.default")
def split_with_sizes(b: Builder, x: Ref, split_sizes: list[int], dim: int = 0) -> tuple[Ref, ...]:
    return pieces(b, x, split_sizes, dim)


@handles("split.Tensor")
def split(b: Builder, x: Ref, split_size: int, dim: int = 0) -> tuple[Ref, ...]:
    total = x.shape[axis_of(x, dim)]
    sizes = [min(split_size, total - start) for start in range(0, total, split_size)]
    return pieces(b, x, sizes, dim)


@handles("chunk.default")
def chunk(b: Builder, x: Ref, chunks: int, dim: int = 0) -> tuple[Ref, ...]:
    return split(b, x, -(-x.shape[axis_of(x, dim)] // chunks), dim)


@handles("unbind.int")
def unbind(b: Builder, x: Ref, dim: int = 0) -> tuple[Ref, ...]:
    return tuple(select(b, x, dim, index) for index in range(x.shape[axis_of(x, dim)]))


@handles("constant_pad_nd.default")
def constant_pad(b: Builder, x: Ref, pad: list[int], value: float = 0.0) -> Any:
    """Negative amounts crop."""
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    pads = [(0, 0)] * (len(x.shape) - len(pairs)) + pairs
    for axis, (before, after) in enumerate(pads):
        if before < 0 or after < 0:
            x = slice_(b, x, axis, max(-before, 0), x.shape[axis] - max(-after, 0))
    grown = tuple((max(before, 0), max(after, 0)) for before, after in pads)
    return b.emit("pad", x, attrs=A.Pad(grown, value)) if any(map(any, grown)) else x


@handles("pad.default")
def pad(
    b: Builder, x: Ref, pad: list[int], mode: str = "constant", value: float | None = None
) -> Any:
    if mode == "constant":
        return constant_pad(b, x, pad, value or 0.0)
    for index in range(0, len(pad), 2):
        x = edge_padded(b, x, len(x.shape) - 1 - index // 2, (pad[index], pad[index + 1]), mode)
    return x


def edge_padded(b: Builder, x: Ref, axis: int, amounts: A.Pair, mode: str) -> Ref:
    """Join single rows at both ends: the mirrored ones, the outermost again, or the other end's."""
    size, (before, after) = x.shape[axis], amounts
    rows = {
        "reflect": [*range(before, 0, -1), *range(size - 2, size - 2 - after, -1)],
        "replicate": [0] * before + [size - 1] * after,
        "circular": [*range(size - before, size), *range(after)],
    }[mode]
    if not rows:
        return x
    cut = [slice_(b, x, axis, row, row + 1) for row in rows]
    return b.emit("concat", *cut[:before], x, *cut[before:], attrs=A.Axis(axis))


@handles("roll.default")
def roll(b: Builder, x: Ref, shifts: list[int], dims: list[int]) -> Any:
    if not dims:
        return NotImplemented
    for shift, dim in zip(shifts, dims, strict=True):
        size = x.shape[axis_of(x, dim)]
        cut = -shift % size
        if cut:
            tail, head = slice_(b, x, dim, cut), slice_(b, x, dim, 0, cut)
            x = b.emit("concat", tail, head, attrs=A.Axis(axis_of(x, dim)))
    return x


@handles("pixel_shuffle.default")
def pixel_shuffle(b: Builder, x: Ref, upscale_factor: int) -> Ref:
    n, c, h, w = x.shape
    r = upscale_factor
    split_ = reshaped(b, x, (n, c // r**2, r, r, h, w))
    moved = b.emit("permute", split_, attrs=A.Permute((0, 1, 4, 2, 5, 3)))
    return reshaped(b, moved, (n, c // r**2, h * r, w * r))


@handles("pixel_unshuffle.default")
def pixel_unshuffle(b: Builder, x: Ref, downscale_factor: int) -> Ref:
    n, c, h, w = x.shape
    r = downscale_factor
    split_ = reshaped(b, x, (n, c, h // r, r, w // r, r))
    moved = b.emit("permute", split_, attrs=A.Permute((0, 1, 3, 5, 2, 4)))
    return reshaped(b, moved, (n, c * r**2, h // r, w // r))


@handles("channel_shuffle.default")
def channel_shuffle(b: Builder, x: Ref, groups: int) -> Any:
    if len(x.shape) != 4:
        return NotImplemented
    return b.emit("channel_shuffle", x, attrs=A.ChannelShuffle(groups))
