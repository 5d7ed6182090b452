"""Pooling, over two axes and over one."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from edgezoo.converters.aten.arithmetic import binary
from edgezoo.converters.aten.convolution import Ints, pair, symmetric
from edgezoo.converters.aten.resizing import separable
from edgezoo.converters.aten.shapes import reshaped
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
    """Windows over the edge are rescaled by a constant map, so any divisor rule is exact."""
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
    if len(x.shape) != 4:
        return NotImplemented
    if height % size[0] or width % size[1]:
        return separable(b, x, size, lambda t, s: F.adaptive_avg_pool2d(t, s))
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


@handles("avg_pool1d.default")
def avg_pool1d(
    b: Builder,
    x: Ref,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """As pooling over a picture of height 1."""
    kernel, step = (1, pair(kernel_size)[1]), (1, pair(stride or kernel_size)[1])
    flat = reshaped(b, x, (*x.shape[:-1], 1, x.shape[-1]))
    pooled = avg_pool2d(
        b, flat, list(kernel), list(step), [0, pair(padding)[1]], ceil_mode, count_include_pad
    )
    if pooled is NotImplemented:
        return NotImplemented
    return reshaped(b, pooled, (*pooled.shape[:-2], pooled.shape[-1]))
