"""The blocks that MnasNet and EfficientNet share, and the network made of them.

Parameters are named as in timm, in timm's order. Two flavours of the same architecture exist and
their weights are not interchangeable: ``timm`` pads symmetrically, ``tf`` as TensorFlow's SAME does
(one more pixel at the bottom and right where stride 2 meets an even size), with another
BN epsilon.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import mul
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.models.counts import StageParts
from edgezoo.types import Shape

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "silu": nn.SiLU,
}


@dataclass(frozen=True, slots=True)
class Flavour:
    """What differs between the PyTorch and the TensorFlow version of one architecture."""

    same_padding: bool
    bn_eps: float
    bn_momentum: float


FLAVOURS: Mapping[str, Flavour] = {
    "timm": Flavour(same_padding=False, bn_eps=1e-5, bn_momentum=0.1),
    "tf": Flavour(same_padding=True, bn_eps=1e-3, bn_momentum=0.01),
}


def get_flavour(name: str, flavours: Mapping[str, Flavour]) -> Flavour:
    """Return the flavour called ``name``; a ``ValueError`` lists the choices."""
    if name not in flavours:
        raise ValueError(f"unknown flavour {name!r}; choose one of {', '.join(flavours)}")
    return flavours[name]


def equal_flavours(name: str, flavours: Mapping[str, Flavour]) -> tuple[str, ...]:
    """Return the flavours that compute the same as ``name``'s; BN's momentum counts in training only."""
    same = replace(flavours[name], bn_momentum=0.0)
    return tuple(key for key, value in flavours.items() if replace(value, bn_momentum=0.0) == same)


@dataclass(frozen=True, slots=True)
class Stage:
    """``repeats`` blocks; the first one takes the stride and changes the width to ``width``.

    ``se_ratio`` is the squeeze-and-excite width relative to the block's *input* width (0 for none);
    ``skip`` says whether a block that keeps shape adds its input.
    """

    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int
    se_ratio: float = 0.0
    skip: bool = True


@dataclass(frozen=True, slots=True)
class BlockShape:
    """One block of a stage with its real widths and its stochastic depth rate."""

    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    expansion: int
    se_channels: int
    skip: bool
    drop_path_rate: float


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the pixels that TensorFlow's SAME adds before and after an axis of ``size`` pixels."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Conv2d(nn.Conv2d):
    """A convolution that draws N(0, 2 / (k² · out / groups)) and zero biases, once, when it is made.

    This is TensorFlow's rule: a depthwise convolution counts one output channel per group. On the
    ``meta`` device nothing is drawn, which there would import half of torch.
    """

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        if self.weight.is_meta:
            return
        fan_out = math.prod(self.kernel_size) * self.out_channels // self.groups
        nn.init.normal_(self.weight, 0.0, math.sqrt(2.0 / fan_out))
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class Linear(nn.Linear):
    """A classifier that draws U(±1 / sqrt(out)) and zero biases, once, when it is made."""

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        if self.weight.is_meta:
            return
        bound = 1.0 / math.sqrt(self.out_features)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.zeros_(self.bias)


class SameConv2d(Conv2d):
    """A convolution with TensorFlow's SAME padding, taken from the input's shape.

    The amounts are plain integers, so an exported program holds at most one constant ``pad`` before
    the convolution, and none where the padding is symmetric.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in, h, w) to (n, out, ceil(h / stride), ceil(w / stride))."""
        top, bottom = same_padding(x.shape[2], self.kernel_size[0], self.stride[0])
        left, right = same_padding(x.shape[3], self.kernel_size[1], self.stride[1])
        padding = (top, left)
        if top != bottom or left != right:
            x = F.pad(x, (left, right, top, bottom))
            padding = (0, 0)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel: int,
    flavour: Flavour,
    *,
    stride: int = 1,
    groups: int = 1,
) -> nn.Conv2d:
    """Return a convolution without bias, of odd ``kernel``, padded in the flavour's way."""
    if flavour.same_padding and stride > 1:
        return SameConv2d(
            in_channels, out_channels, kernel, stride=stride, groups=groups, bias=False
        )
    # With an odd kernel and stride 1, SAME and symmetric padding are one.
    return Conv2d(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=kernel // 2,
        groups=groups,
        bias=False,
    )


def batch_norm(channels: int, flavour: Flavour) -> nn.BatchNorm2d:
    """Return batch normalisation with the flavour's epsilon and momentum."""
    return nn.BatchNorm2d(channels, eps=flavour.bn_eps, momentum=flavour.bn_momentum)


def drop_path(x: Tensor, rate: float, training: bool) -> Tensor:
    """Drop a sample's residual branch with probability ``rate`` and rescale the survivors."""
    if not training or rate == 0.0:
        return x
    keep = 1.0 - rate
    mask = x.new_empty((x.shape[0], 1, 1, 1)).bernoulli_(keep)
    return x * mask / keep


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate in (0, 1) computed from all channels' means."""

    def __init__(self, channels: int, hidden: int, activation: str) -> None:
        super().__init__()
        self.conv_reduce = Conv2d(channels, hidden, 1)
        self.act = ACTIVATIONS[activation]()
        self.conv_expand = Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, c, h, w) of the same shape, gated."""
        mean = x.mean((2, 3), keepdim=True)
        gate: Tensor = self.conv_expand(self.act(self.conv_reduce(mean)))
        return x * gate.sigmoid()


def _squeeze_excite(channels: int, hidden: int, activation: str) -> nn.Module:
    return SqueezeExcite(channels, hidden, activation) if hidden else nn.Identity()


class SeparableBlock(nn.Module):
    """MBConv without expansion: depthwise convolution, squeeze-and-excite, projection."""

    def __init__(self, shape: BlockShape, activation: str, flavour: Flavour) -> None:
        super().__init__()
        width = shape.in_channels
        self.conv_dw = conv2d(
            width, width, shape.kernel, flavour, stride=shape.stride, groups=width
        )
        self.bn1 = batch_norm(width, flavour)
        self.act = ACTIVATIONS[activation]()
        self.se = _squeeze_excite(width, shape.se_channels, activation)
        self.conv_pw = conv2d(width, shape.out_channels, 1, flavour)
        self.bn2 = batch_norm(shape.out_channels, flavour)
        self.skip = shape.skip
        self.drop_path_rate = shape.drop_path_rate

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, h / stride, w / stride)."""
        y = self.se(self.act(self.bn1(self.conv_dw(x))))
        y = self.bn2(self.conv_pw(y))
        return x + drop_path(y, self.drop_path_rate, self.training) if self.skip else y


class MBConv(nn.Module):
    """Inverted residual: expansion, depthwise convolution, squeeze-and-excite, projection."""

    def __init__(self, shape: BlockShape, activation: str, flavour: Flavour) -> None:
        super().__init__()
        width = shape.in_channels * shape.expansion
        self.conv_pw = conv2d(shape.in_channels, width, 1, flavour)
        self.bn1 = batch_norm(width, flavour)
        self.act = ACTIVATIONS[activation]()
        self.conv_dw = conv2d(
            width, width, shape.kernel, flavour, stride=shape.stride, groups=width
        )
        self.bn2 = batch_norm(width, flavour)
        self.se = _squeeze_excite(width, shape.se_channels, activation)
        self.conv_pwl = conv2d(width, shape.out_channels, 1, flavour)
        self.bn3 = batch_norm(shape.out_channels, flavour)
        self.skip = shape.skip
        self.drop_path_rate = shape.drop_path_rate

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, h / stride, w / stride)."""
        y = self.act(self.bn1(self.conv_pw(x)))
        y = self.se(self.act(self.bn2(self.conv_dw(y))))
        y = self.bn3(self.conv_pwl(y))
        return x + drop_path(y, self.drop_path_rate, self.training) if self.skip else y


def build_block(shape: BlockShape, activation: str, flavour: Flavour) -> nn.Module:
    """Return the block for ``shape``; without expansion it has no first pointwise convolution."""
    kind = SeparableBlock if shape.expansion == 1 else MBConv
    return kind(shape, activation, flavour)


def plan_blocks(
    stages: Sequence[Stage], in_channels: int, drop_path_rate: float
) -> tuple[tuple[BlockShape, ...], ...]:
    """Unroll ``stages`` into blocks; block i of N drops its branch with probability rate·i/N."""
    total = sum(stage.repeats for stage in stages)
    planned: list[tuple[BlockShape, ...]] = []
    index = 0
    for stage in stages:
        blocks = []
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            shape = BlockShape(
                in_channels=in_channels,
                out_channels=stage.width,
                kernel=stage.kernel,
                stride=stride,
                expansion=stage.expansion,
                se_channels=max(1, int(in_channels * stage.se_ratio)) if stage.se_ratio else 0,
                skip=stage.skip and stride == 1 and in_channels == stage.width,
                drop_path_rate=drop_path_rate * index / total,
            )
            blocks.append(shape)
            in_channels = stage.width
            index += 1
        planned.append(tuple(blocks))
    return tuple(planned)


class MBConvNet(nn.Module):
    """Stem convolution, stages of MBConv blocks, head convolution, global mean, classifier.

    ``num_classes=0`` leaves the classifier out: the result is then the pooled head, (n, head).
    ``default_input`` is the input that the network was scaled for; any other size runs as well.
    ``feature_channels`` and ``feature_strides`` describe what ``features`` returns, ``stage_parts``
    tells which parts make up a stage. ``fits`` holds the values of a builder's option that are one
    function to it: weights trained with another are refused.
    """

    fits: Mapping[str, tuple[object, ...]] = MappingProxyType({})

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        stem: int,
        head: int,
        activation: str,
        flavour: Flavour,
        dropout: float,
        drop_path_rate: float,
        num_classes: int,
        in_channels: int,
        resolution: int = 224,
    ) -> None:
        super().__init__()
        self.resolution = resolution
        self.default_input: Shape = (1, in_channels, resolution, resolution)
        self.feature_channels = tuple(stage.width for stage in stages)
        self.feature_strides = tuple(accumulate((s.stride for s in stages), mul, initial=2))[1:]
        self.stage_parts: StageParts = (
            ("stem", ("conv_stem", "bn1", "act")),
            *((f"blocks.{index}", (f"blocks.{index}",)) for index in range(len(stages))),
            ("head", ("conv_head", "bn2")),
            ("classifier", ("dropout", "classifier")),
        )
        self.conv_stem = conv2d(in_channels, stem, 3, flavour, stride=2)
        self.bn1 = batch_norm(stem, flavour)
        self.act = ACTIVATIONS[activation]()
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(*(build_block(shape, activation, flavour) for shape in stage))
                for stage in plan_blocks(stages, stem, drop_path_rate)
            )
        )
        self.conv_head = conv2d(stages[-1].width, head, 1, flavour)
        self.bn2 = batch_norm(head, flavour)
        self.dropout = nn.Dropout(dropout)
        self.classifier = Linear(head, num_classes) if num_classes else nn.Identity()

    def features(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map images (n, in_channels, h, w) to the output of every stage, finest first.

        Each is (n, channels, ceil(h / stride), ceil(w / stride)) with the stage's
        ``feature_channels`` and ``feature_strides``.
        """
        x = self.act(self.bn1(self.conv_stem(x)))
        outputs: list[Tensor] = []
        for stage in self.blocks:
            x = stage(x)
            outputs.append(x)
        return tuple(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, in_channels, h, w) to logits (n, num_classes)."""
        x = self.features(x)[-1]
        x = self.act(self.bn2(self.conv_head(x)))
        logits: Tensor = self.classifier(self.dropout(x.mean((2, 3))))
        return logits
