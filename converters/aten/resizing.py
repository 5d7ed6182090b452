"""Resizing: as one op where the graph has it, otherwise as a matrix per axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgezoo.converters.aten.table import handles
from edgezoo.converters.builder import Builder, Ref
from edgezoo.graph import attrs as A

Resizer = Callable[[Tensor, A.Pair], Tensor]


def separable(b: Builder, x: Ref, size: A.Pair, resizer: Resizer) -> Ref:
    """Emit what ``resizer(x, size)`` does to pictures, if it is linear and the same for both axes.

    Its response to the unit vectors is the matrix (out, in) of an axis.
    """
    columns = _matrix(resizer, x.shape[3], size[1])
    rows = _matrix(resizer, x.shape[2], size[0])
    wide = b.emit("linear", x, columns, torch.zeros(size[1]))
    turned = b.emit("permute", wide, attrs=A.Permute((0, 1, 3, 2)))
    both = b.emit("linear", turned, rows, torch.zeros(size[0]))
    return b.emit("permute", both, attrs=A.Permute((0, 1, 3, 2)))


def _matrix(resizer: Resizer, before: int, after: int) -> Tensor:
    units = torch.eye(before, dtype=torch.float64).reshape(1, before, 1, before)
    return resizer(units, (1, after)).reshape(before, after).t().contiguous()


def _target(x: Ref, size: Any, scale: Any) -> A.Pair | None:
    """Return the output size; a scale is fine where it gives whole pixels and the exact ratio."""
    if size is not None:
        return (int(size[0]), int(size[1]))
    target = (int(x.shape[2] * scale[0]), int(x.shape[3] * scale[1]))
    exact = all(t == n * s for t, n, s in zip(target, x.shape[2:], scale, strict=True))
    return target if exact else None


@handles("upsample_bilinear2d.vec")
def upsample_bilinear2d(
    b: Builder, x: Ref, output_size: Any, align_corners: bool, scale_factors: Any = None
) -> Any:
    size = _target(x, output_size, scale_factors)
    if size is None:
        return NotImplemented
    return b.emit("resize", x, attrs=A.Resize(size, "bilinear", align_corners))


@handles("upsample_nearest2d.vec")
def upsample_nearest2d(b: Builder, x: Ref, output_size: Any, scale_factors: Any = None) -> Any:
    size = _target(x, output_size, scale_factors)
    if size is None:
        return NotImplemented
    return b.emit("resize", x, attrs=A.Resize(size, "nearest"))


@handles("upsample_bicubic2d.vec")
def upsample_bicubic2d(
    b: Builder, x: Ref, output_size: Any, align_corners: bool, scale_factors: Any = None
) -> Any:
    size = _target(x, output_size, scale_factors)
    if size is None:
        return NotImplemented
    return separable(
        b, x, size, lambda t, s: F.interpolate(t, s, mode="bicubic", align_corners=align_corners)
    )


@handles("_upsample_bicubic2d_aa.vec")
def upsample_bicubic2d_antialiased(
    b: Builder, x: Ref, output_size: Any, align_corners: bool, scale_factors: Any = None
) -> Any:
    size = _target(x, output_size, scale_factors)
    if size is None or align_corners:
        return NotImplemented
    return separable(b, x, size, lambda t, s: F.interpolate(t, s, mode="bicubic", antialias=True))
