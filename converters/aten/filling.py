"""Constants shaped like a value, and writing into a part of a value."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgezoo.converters.aten.convolution import axis_of
from edgezoo.converters.aten.shapes import expand, reshaped, slice_
from edgezoo.converters.aten.table import handles
from edgezoo.converters.builder import Builder, Operand, Ref
from edgezoo.graph import attrs as A


@handles("zeros_like.default", "new_zeros.default")
def zeros(b: Builder, x: Ref, size: Any = None, **options: Any) -> Tensor:
    return torch.zeros(x.shape if size is None else size)


@handles("ones_like.default", "new_ones.default")
def ones(b: Builder, x: Ref, size: Any = None, **options: Any) -> Tensor:
    return torch.ones(x.shape if size is None else size)


@handles("full_like.default", "fill.Scalar", "fill.Tensor", "fill_.Scalar")
def full_like(b: Builder, x: Ref, value: Any, **options: Any) -> Any:
    return NotImplemented if isinstance(value, Ref) else torch.full(x.shape, float(value))


@handles("new_full.default")
def new_full(b: Builder, x: Ref, size: list[int], value: float, **options: Any) -> Tensor:
    return torch.full(size, float(value))


@handles("copy.default", "copy_.default")
def copy(b: Builder, x: Operand, source: Operand, non_blocking: bool = False) -> Operand:
    """Return ``source`` in the shape of ``x``."""
    if isinstance(source, Tensor):
        return torch.broadcast_to(source, x.shape)
    return expand(b, source, list(x.shape))


@handles("slice_scatter.default")
def slice_scatter(
    b: Builder,
    x: Operand,
    source: Operand,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Any:
    """Return ``x`` with ``source`` in the place of a slice."""
    axis = axis_of(x, dim)
    first, last, _ = slice(start, end, step).indices(x.shape[axis])
    if step != 1:
        return NotImplemented
    before, after = (_part(b, x, axis, 0, first), _part(b, x, axis, last, x.shape[axis]))
    parts = [part for part in (before, source, after) if part.shape[axis]]
    return parts[0] if len(parts) == 1 else b.emit("concat", *parts, attrs=A.Axis(axis))


def _part(b: Builder, x: Operand, axis: int, start: int, stop: int) -> Operand:
    if isinstance(x, Tensor):
        return x.narrow(axis, start, stop - start)
    if start == stop:
        return torch.zeros(*x.shape[:axis], 0, *x.shape[axis + 1 :])
    return slice_(b, x, axis, start, stop)


@handles("select_scatter.default")
def select_scatter(b: Builder, x: Operand, source: Operand, dim: int, index: int) -> Any:
    axis = axis_of(x, dim)
    row = index % x.shape[axis]
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    wide = source.reshape(shape) if isinstance(source, Tensor) else reshaped(b, source, shape)
    return slice_scatter(b, x, wide, axis, row, row + 1)
