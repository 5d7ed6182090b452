"""The residual block of normaliser-free networks and its flavours (arXiv 2102.06171, 2101.08692).

A block computes ``x + α·branch(γ·f(x) / β)``. β is the standard deviation that x has by construction,
computed and not measured (the paper's appendix calls it a variance); it starts again at each stage.
A fresh block is closed: its branch ends in a gain of 0.

Squeeze-and-excite has a plain ReLU in DeepMind's and timm's code, not the paper's GELU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.models.weight_standardization import (
    LecunConv2d,
    ScaledActivation,
    ScaledStdConv2d,
    get_nonlinearity,
)

ALPHA = 0.2
ATTENTION_GAIN = 2.0  # a fresh gate is about 1/2


# ---------------------------------------------------------------------------- flavours


@dataclass(frozen=True, slots=True)
class Flavour:
    """What differs between the implementations of one architecture.

    ``skip_gain`` closes a fresh branch by one scalar after the attention, otherwise the gain of its
    last convolution does. ``deepmind_depth`` is DeepMind's stochastic depth: block i of N drops its
    branch with probability rate·i/N and nothing is rescaled; timm's has i/(N-1), rescaled.
    ``gelu`` is the activation that NFNet has by default.
    """

    gamma_in_activation: bool
    guard: str
    same_padding: bool
    skip_gain: bool
    deepmind_depth: bool
    gelu: str


FLAVOURS: Mapping[str, Flavour] = {
    "dm": Flavour(True, "clamp", True, True, True, "gelu_tanh"),
    # DeepMind's networks as timm computes them: with timm's guard and the exact GELU.
    "dm_timm": Flavour(True, "eps", True, True, True, "gelu"),
    "timm": Flavour(False, "eps", False, False, False, "gelu"),
}


def get_flavour(name: str) -> Flavour:
    """Return the flavour called ``name``; a ``ValueError`` lists the choices."""
    if name not in FLAVOURS:
        raise ValueError(f"unknown flavour {name!r}; choose one of {', '.join(FLAVOURS)}")
    return FLAVOURS[name]


@dataclass(frozen=True, slots=True)
class Layers:
    """Makes the convolutions and activations of one flavour with one activation."""

    flavour: Flavour
    activation: str

    def conv(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        gain: float = 1.0,
    ) -> ScaledStdConv2d:
        """Return a standardised convolution that starts with ``gain``."""
        in_activation = self.flavour.gamma_in_activation
        return ScaledStdConv2d(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            groups=groups,
            gamma=1.0 if in_activation else get_nonlinearity(self.activation).gamma,
            guard=self.flavour.guard,
            same=self.flavour.same_padding,
            initial_gain=gain,
        )

    def act(self) -> ScaledActivation:
        """Return the activation, with γ where the flavour has it there."""
        in_activation = self.flavour.gamma_in_activation
        gamma = get_nonlinearity(self.activation).gamma if in_activation else 1.0
        return ScaledActivation(self.activation, gamma)


# ------------------------------------------------------------------------------ planning


@dataclass(frozen=True, slots=True)
class Architecture:
    """An NFNet or NF-ResNet without its flavour.

    ``bottleneck`` is the inner width of a block over its output width, rounded to whole groups of
    ``group_width`` (``None``: not grouped). ``deep_stem`` is NFNet's stem of four convolutions,
    otherwise it is ResNet's with max-pool. ``extra_conv`` puts a second 3x3 convolution into each
    block. ``pooled_shortcut`` halves a shortcut by average-pool, otherwise its convolution has the
    stride. ``attention`` is ``se``, ``eca`` or ``none``. ``head`` is the width of the last
    convolution, 0 for none. ``branch_gain`` is what the gain that closes a branch starts at.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    bottleneck: float
    group_width: int | None
    deep_stem: bool
    extra_conv: bool
    pooled_shortcut: bool
    attention: str
    se_ratio: float
    head: int
    branch_gain: float

    def inner(self, width: int) -> tuple[int, int]:
        """Return inner width and groups of a block with ``width`` outputs."""
        inner = width * self.bottleneck
        if self.group_width is None:
            return int(inner), 1
        groups = max(1, math.floor(inner / self.group_width + 0.5))
        return groups * self.group_width, groups


def expected_stds(depths: Sequence[int], alpha: float = ALPHA) -> tuple[tuple[float, ...], ...]:
    """Return β of every block, by stage: the standard deviation of its input.

    Every branch adds α² to the variance. The first block of a stage has no identity shortcut, so
    after it the variance is 1 + α²; the block itself still uses what came before.
    """
    variance, stages = 1.0, []
    for depth in depths:
        betas = []
        for index in range(depth):
            betas.append(math.sqrt(variance))
            variance = (1.0 if index == 0 else variance) + alpha**2
        stages.append(tuple(betas))
    return tuple(stages)


def drop_rates(depths: Sequence[int], rate: float, deepmind: bool) -> tuple[tuple[float, ...], ...]:
    """Return the stochastic depth rate of every block, by stage, growing linearly from 0."""
    total = sum(depths)
    divisor = total if deepmind else max(total - 1, 1)
    rates = iter(rate * index / divisor for index in range(total))
    return tuple(tuple(next(rates) for _ in range(depth)) for depth in depths)


def drop_branch(x: Tensor, rate: float, training: bool, rescale: bool) -> Tensor:
    """Drop a sample's branch with probability ``rate``; ``rescale`` divides the rest by 1 - rate."""
    if not training or rate == 0.0:
        return x
    keep = 1.0 - rate
    mask = x.new_empty((x.shape[0], 1, 1, 1)).bernoulli_(keep)
    return x * (mask / keep if rescale else mask)


# ----------------------------------------------------------------------------- attention


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate in (0, 1) computed from all channels' means."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = LecunConv2d(channels, hidden, 1)
        self.fc2 = LecunConv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, c, h, w) of the same shape, gated."""
        mean = x.mean((2, 3), keepdim=True)
        gate: Tensor = self.fc2(F.relu(self.fc1(mean)))
        return x * gate.sigmoid()


class EfficientChannelAttention(nn.Module):
    """Scale each channel by a gate computed from its neighbours' means (arXiv 1910.03151).

    The window over channels is the odd number next to (log2(channels) + 1) / 2, at least 3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        kernel = int((math.log2(channels) + 1) / 2)
        kernel = max(3, kernel if kernel % 2 else kernel + 1)
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, c, h, w) of the same shape, gated."""
        mean = x.mean((2, 3)).unsqueeze(1)
        gate: Tensor = self.conv(mean).sigmoid()
        return x * gate.reshape(x.shape[0], x.shape[1], 1, 1)


ATTENTIONS: Mapping[str, Callable[[int, float], nn.Module | None]] = {
    "se": lambda channels, ratio: SqueezeExcite(channels, int(channels * ratio)),
    "eca": lambda channels, ratio: EfficientChannelAttention(channels),
    "none": lambda channels, ratio: None,
}


# --------------------------------------------------------------------------------- block


class Shortcut(nn.Module):
    """What replaces the identity where width or size change; its input is activated and scaled."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, pooled: bool, layers: Layers
    ) -> None:
        super().__init__()
        self.pooled = pooled and stride > 1
        conv_stride = 1 if self.pooled else stride
        self.conv = layers.conv(in_channels, out_channels, 1, stride=conv_stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, ceil(h / stride), ceil(w / stride))."""
        if self.pooled:
            x = F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)
        projected: Tensor = self.conv(x)
        return projected


class NormFreeBlock(nn.Module):
    """A bottleneck: 1x1, 3x3 (grouped in NFNet, twice there), 1x1, attention, all of it scaled."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        beta: float,
        drop_rate: float,
        architecture: Architecture,
        layers: Layers,
    ) -> None:
        super().__init__()
        flavour = layers.flavour
        inner, groups = architecture.inner(out_channels)
        closing = architecture.branch_gain
        self.beta = beta
        self.drop_rate = drop_rate
        self.rescale = not flavour.deepmind_depth
        self.skipinit_gain = nn.Parameter(torch.tensor(closing)) if flavour.skip_gain else None
        self.act = layers.act()
        self.downsample: nn.Module | None = None
        if stride > 1 or in_channels != out_channels:
            pooled = architecture.pooled_shortcut
            self.downsample = Shortcut(in_channels, out_channels, stride, pooled, layers)
        self.conv1 = layers.conv(in_channels, inner, 1)
        self.conv2 = layers.conv(inner, inner, 3, stride=stride, groups=groups)
        self.conv2b: nn.Module | None = None
        if architecture.extra_conv:
            self.conv2b = layers.conv(inner, inner, 3, groups=groups)
        self.conv3 = layers.conv(inner, out_channels, 1, gain=1.0 if flavour.skip_gain else closing)
        make_attention = ATTENTIONS[architecture.attention]
        self.attn_last = make_attention(out_channels, architecture.se_ratio)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, ceil(h / stride), ceil(w / stride))."""
        y = self.act(x) * (1.0 / self.beta)
        shortcut = x if self.downsample is None else self.downsample(y)
        y = self.act(self.conv1(y))
        y = self.act(self.conv2(y))
        if self.conv2b is not None:
            y = self.act(self.conv2b(y))
        y = self.conv3(y)
        if self.attn_last is not None:
            y = self.attn_last(y) * ATTENTION_GAIN
        y = drop_branch(y, self.drop_rate, self.training, self.rescale)
        if self.skipinit_gain is not None:
            y = y * self.skipinit_gain
        joined: Tensor = y * ALPHA + shortcut
        return joined
