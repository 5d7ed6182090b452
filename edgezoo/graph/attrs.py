"""Attributes of the ops: one small frozen dataclass per kind, in PyTorch's conventions.

Axes are non-negative; paddings are (top, bottom, left, right) in pixels; ``activation`` is fused
into the node and applied to its result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Activation = Literal["relu", "relu6", "relu_n1_to_1"]
Pair = tuple[int, int]
Padding = tuple[int, int, int, int]

CLIP_RANGES: dict[Activation, tuple[float, float]] = {
    "relu": (0.0, float("inf")),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Attrs:
    """No attributes, and the base of those that have some."""


@dataclass(frozen=True, slots=True)
class Fusable(Attrs):
    """An op that can clip its own result."""

    activation: Activation | None = None


@dataclass(frozen=True, slots=True)
class Conv2d(Fusable):
    """``x`` (n, c, h, w), ``weight`` (out, c/groups, kh, kw), ``bias`` (out,)."""

    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True, slots=True)
class ConvTranspose2d(Fusable):
    """``weight`` (in, out/groups, kh, kw); crops ``padding``, adds ``output_padding`` below and right."""

    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    output_padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Pool2d(Fusable):
    """A window over (n, c, h, w); windows start at -padding and end inside the padded picture."""

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Reduce(Attrs):
    """Reduce over ``axes``."""

    axes: tuple[int, ...] = ()
    keepdim: bool = False


@dataclass(frozen=True, slots=True)
class Axis(Attrs):
    """An op along one axis."""

    axis: int = 0


@dataclass(frozen=True, slots=True)
class Reshape(Attrs):
    """The new shape, no -1 left in it; also the target of ``expand``."""

    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Permute(Attrs):
    """Output axis i is input axis ``order[i]``."""

    order: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Slice(Attrs):
    """Elements ``start, start+step, … < stop`` of one axis; ``step`` is positive."""

    axis: int = 0
    start: int = 0
    stop: int = 0
    step: int = 1


@dataclass(frozen=True, slots=True)
class Pad(Attrs):
    """``pads`` holds (before, after) per axis, filled with ``value``."""

    pads: tuple[Pair, ...] = ()
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Resize(Attrs):
    """Resize height and width to ``size``."""

    size: Pair = (1, 1)
    mode: Literal["bilinear", "nearest"] = "bilinear"
    align_corners: bool = False


@dataclass(frozen=True, slots=True)
class Clip(Attrs):
    """Clip to [minimum, maximum]; infinities allowed."""

    minimum: float = float("-inf")
    maximum: float = float("inf")


@dataclass(frozen=True, slots=True)
class Slope(Attrs):
    """The one number of ``leaky_relu`` (slope below zero) or ``elu`` (alpha)."""

    slope: float = 0.01


@dataclass(frozen=True, slots=True)
class Exponent(Attrs):
    """The constant exponent of ``pow``."""

    exponent: float = 2.0


@dataclass(frozen=True, slots=True)
class Gelu(Attrs):
    """``tanh`` is the approximation of the GELU paper, otherwise erf."""

    tanh: bool = False


@dataclass(frozen=True, slots=True)
class ChannelShuffle(Attrs):
    """Output channel ``j*groups + i`` is input channel ``i*(c/groups) + j`` (arXiv 1707.01083, 3.1)."""

    groups: int = 1
