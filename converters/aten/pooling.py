"""Pooling and resizing."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from edgezoo.converters.aten.arithmetic import binary
from edgezoo.converters.aten.convolution import Ints, pair, symmetric
from edgezoo.converters.aten.table import handles
from edgezoo.converters.builder import Builder, Ref
from edgezoo.graph import attrs as A


def _ceil_padding(x: Ref, kernel: A.Pair, stride: A.Pair, padding: A.Padding) -> A.Padding:
    """Extend the padding below and right so that floor mode sees ceil mode's last window.

    PyTorch drops a last window that would start inside the right padding.
    """
    extended = list(padding)
    for axis in (0, 1):
        size = x.shape[2 + axis]
        before, after = padding[2 * axis], padding[2 * axis + 1]
        span = size + before + after - kernel[axis]
        windows = -(-span // stride[axis]) + 1
        if (windows - 1) * stride[axis] >= size + before:
            windows -= 1
        needed = (windows - 1) * stride[axis] + kernel[axis] - size - before
        extended[2 * axis + 1] = max(after, needed)
    top, bottom, left, right = extended
    return (top, bottom, left, right)


@handles("max_pool2d.default")
def max_pool2d(
    b: Builder,
    x: Ref,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> Any:
    if pair(dilation) != (1, 1) or len(x.shape) != 4:
        return NotImplemented
    kernel = pair(kernel_size)
    step = pair(stride) if stride else kernel
    pads = symmetric(padding)
    if ceil_mode:
        pads = _ceil_padding(x, kernel, step, pads)
    return b.emit("max_pool2d", x, attrs=A.Pool2d(None, kernel, step, pads))


@handles("avg_pool2d.default")
def avg_pool2d(
    b: Builder,
    x: Ref,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Windows that hang over the edge are rescaled by a constant map, so any divisor rule is exact."""
    if len(x.shape) != 4:
        return NotImplemented
    kernel = pair(kernel_size)
    step = pair(stride) if stride else kernel
    pads = symmetric(padding)
    if ceil_mode:
        pads = _ceil_padding(x, kernel, step, pads)
    pooled = b.emit("avg_pool2d", x, attrs=A.Pool2d(None, kernel, step, pads))
    ones = torch.ones(1, 1, *x.shape[2:], dtype=torch.float64)
    wanted = F.avg_pool2d(
        ones, kernel, step, pair(padding), ceil_mode, count_include_pad, divisor_override
    )
    top, bottom, left, right = pads
    made = F.avg_pool2d(F.pad(ones, (left, right, top, bottom)), kernel, step)
    correction = wanted / made
    if torch.allclose(correction, torch.ones_like(correction), rtol=1e-12):
        return pooled
    return binary(b, "mul", pooled, correction)


@handles("adaptive_avg_pool2d.default")
def adaptive_avg_pool2d(b: Builder, x: Ref, output_size: Ints) -> Any:
    height, width = x.shape[-2:]
    size = pair(output_size)
    if size == (1, 1):
        rank = len(x.shape)
        return b.emit("mean", x, attrs=A.Reduce((rank - 2, rank - 1), True))
    if len(x.shape) != 4 or height % size[0] or width % size[1]:
        return NotImplemented
    kernel = (height // size[0], width // size[1])
    return b.emit("avg_pool2d", x, attrs=A.Pool2d(None, kernel, kernel)) if kernel != (1, 1) else x


@handles("adaptive_max_pool2d.default")
def adaptive_max_pool2d(b: Builder, x: Ref, output_size: Ints) -> Any:
    height, width = x.shape[-2:]
    size = pair(output_size)
    if len(x.shape) != 4 or height % size[0] or width % size[1]:
        return NotImplemented
    kernel = (height // size[0], width // size[1])
    return (b.emit("max_pool2d", x, attrs=A.Pool2d(None, kernel, kernel)), None)


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
