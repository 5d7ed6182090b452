"""ShuffleNet v1 (arXiv 1707.01083), parameters named as in megvii's repository.

The paper shuffles between the first pointwise and the depthwise convolution; megvii's code shuffles
after the depthwise one, in the inverse order. Weights trained with one give nonsense with the
other: megvii's checkpoints need ``shuffle="megvii"``. Its networks also expect BGR pixels in 0-255.
The classifier has no bias, as in megvii's code; the paper does not say.

Two variants of the paper's Table 5 are described by their names alone. ``squeeze_excite`` and
``shallow`` are inferred: they reproduce the printed multiply-accumulates, nobody published weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from edgezoo.models.counts import StageParts
from edgezoo.types import Shape

REPEATS = (4, 8, 4)
# Width of stage 2 at scale 1 by groups (Table 1); each later stage doubles it.
WIDTHS: Mapping[int, int] = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
# Width of the stem by scale. 1.5 has no wider stem in megvii's code; 0.25 is what the paper's
# 13 MFLOPs imply. Eight groups need a multiple of 8 and have their own entries.
STEMS: Mapping[float, int] = {0.25: 12, 0.5: 12, 1.0: 24, 1.5: 24, 2.0: 48}
STEMS_OF_EIGHT_GROUPS: Mapping[float, int] = {**STEMS, 0.25: 8, 0.5: 16}
SHUFFLES = ("paper", "megvii")
# Inferred: 16 times fewer channels and a place at the end of the main branch give Table 5's 527M.
SE_REDUCTION = 16
# Inferred: half the units, made 1.5 times wider, give Table 5's 40M.
SHALLOW_REPEATS, SHALLOW_WIDENING = (2, 4, 2), 1.5


def stage_width(groups: int, scale: float) -> int:
    """Return the width of stage 2: the nearest multiple of 4·groups to scale times Table 1's."""
    unit = 4 * groups
    return unit * math.floor(scale * WIDTHS[groups] / unit + 0.5)


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Shuffle (n, c, h, w) in the paper's order: channel i·(c/groups) + j moves to j·groups + i.

    ``channel_shuffle(x, c // groups)`` is the inverse, which is megvii's order.
    """
    batch, channels, height, width = x.shape
    x = x.reshape(batch, groups, channels // groups, height, width)
    return x.transpose(1, 2).reshape(batch, channels, height, width)


class Conv2d(nn.Conv2d):
    """A convolution that draws megvii's N(0, 1 / (in / groups)), once, when it is made.

    ``std`` is the standard deviation where another is wanted. On ``meta`` nothing is drawn.
    """

    std: float | None = None

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew; a bias is zero."""
        if self.weight.is_meta:
            return
        nn.init.normal_(self.weight, 0.0, self.std or 1.0 / self.weight.shape[1])
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class StemConv2d(Conv2d):
    """The first convolution, drawn from N(0, 0.01)."""

    std = 0.01


class Linear(nn.Linear):
    """The classifier, drawn from N(0, 0.01)."""

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew; a bias is zero."""
        if self.weight.is_meta:
            return
        nn.init.normal_(self.weight, 0.0, 0.01)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that starts with a bias of 1e-4."""

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Set statistics and affine pair anew."""
        super().reset_parameters()
        nn.init.constant_(self.bias, 1e-4)


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate in (0, 1) computed from all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_reduce = Conv2d(channels, channels // SE_REDUCTION, 1)
        self.act = nn.ReLU()
        self.conv_expand = Conv2d(channels // SE_REDUCTION, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, c, h, w) of the same shape, gated."""
        gate: Tensor = self.conv_expand(self.act(self.conv_reduce(x.mean((2, 3), keepdim=True))))
        return x * gate.sigmoid()


class ShuffleUnit(nn.Module):
    """The unit of Figure 2: grouped 1x1, shuffle, depthwise 3x3, grouped 1x1.

    With stride 1 the input is added; with stride 2 its average pool is put in front of the main
    branch, whose width is then ``out - in``. ``squeeze_excite`` gates the main branch at its end.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        groups: int,
        first_groups: int,
        shuffle: str,
        squeeze_excite: bool = False,
    ) -> None:
        super().__init__()
        hidden = out_channels // 4
        main_channels = out_channels if stride == 1 else out_channels - in_channels
        self.stride = stride
        self.groups = groups
        self.shuffle = shuffle
        self.branch_main_1 = nn.Sequential(
            Conv2d(in_channels, hidden, 1, groups=first_groups, bias=False),
            BatchNorm2d(hidden),
            nn.ReLU(),
            Conv2d(hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False),
            BatchNorm2d(hidden),
        )
        self.branch_main_2 = nn.Sequential(
            Conv2d(hidden, main_channels, 1, groups=groups, bias=False),
            BatchNorm2d(main_channels),
        )
        self.se = SqueezeExcite(main_channels) if squeeze_excite else nn.Identity()
        self.branch_proj = nn.AvgPool2d(3, stride=2, padding=1) if stride == 2 else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, ceil(h / stride), ceil(w / stride))."""
        pointwise, norm, relu, depthwise, depthwise_norm = self.branch_main_1
        y = relu(norm(pointwise(x)))
        if self.groups > 1 and self.shuffle == "paper":
            y = channel_shuffle(y, self.groups)
        y = depthwise_norm(depthwise(y))
        if self.groups > 1 and self.shuffle == "megvii":
            y = channel_shuffle(y, y.shape[1] // self.groups)
        y = self.se(self.branch_main_2(y))
        if self.stride == 1:
            added: Tensor = self.relu(x + y)
            return added
        # Figure 2 (c). The pooled shortcut is never negative, so megvii's ReLU on ``y`` alone is equal.
        joined: Tensor = self.relu(torch.cat((self.branch_proj(x), y), 1))
        return joined


class Units(nn.Sequential):
    """All units in a row, whose parameters megvii names ``features.0`` and so on.

    Called with images it runs the stem before them and returns what every stage gives, finest first:
    the name that the checkpoints need and the method that networks of this zoo have are one.
    """

    def __init__(
        self, stem: tuple[nn.Module, ...], units: Sequence[nn.Module], repeats: Sequence[int]
    ) -> None:
        super().__init__(*units)
        self.stem = stem  # in a tuple: the stem's parameters belong to the network
        self.last_units = tuple(total - 1 for total in accumulate(repeats))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map images (n, in_channels, h, w) to (n, channels, h / stride, w / stride) of each stage."""
        for layer in self.stem:
            x = layer(x)
        outputs: list[Tensor] = []
        for index, unit in enumerate(self):
            x = unit(x)
            if index in self.last_units:
                outputs.append(x)
        return tuple(outputs)


class ShuffleNetV1(nn.Module):
    """ShuffleNet v1 for any input size; ``groups`` and ``scale`` must be of the paper's tables.

    ``features(images)`` gives the output of every stage, finest first, which ``feature_channels``
    and ``feature_strides`` describe. ``num_classes=0`` leaves the classifier out: the result is then
    the pooled last stage.
    """

    def __init__(
        self,
        groups: int = 3,
        scale: float = 1.0,
        *,
        shuffle: str = "paper",
        squeeze_excite: bool = False,
        shallow: bool = False,
        classifier_bias: bool = False,
        num_classes: int = 1000,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        _check_choice("groups", groups, tuple(WIDTHS))
        _check_choice("scale", scale, tuple(STEMS))
        _check_choice("shuffle", shuffle, SHUFFLES)
        # Without groups there is nothing to shuffle.
        self.fits = {"shuffle": SHUFFLES if groups == 1 else (shuffle,)}
        stem = (STEMS_OF_EIGHT_GROUPS if groups == 8 else STEMS)[scale]
        repeats = SHALLOW_REPEATS if shallow else REPEATS
        width = stage_width(groups, scale * (SHALLOW_WIDENING if shallow else 1.0))
        self.default_input: Shape = (1, in_channels, 224, 224)
        self.feature_channels = tuple(width << stage for stage in range(len(repeats)))
        self.feature_strides = (8, 16, 32)
        self.first_conv = nn.Sequential(
            StemConv2d(in_channels, stem, 3, stride=2, padding=1, bias=False),
            BatchNorm2d(stem),
            nn.ReLU(),
        )
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        units = _units(stem, self.feature_channels, repeats, groups, shuffle, squeeze_excite)
        self.features = Units((self.first_conv, self.maxpool), units, repeats)
        self.classifier = nn.Sequential()
        if num_classes:
            self.classifier.append(
                Linear(self.feature_channels[-1], num_classes, bias=classifier_bias)
            )
        self.stage_parts = _stage_parts(repeats)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, in_channels, h, w) to logits (n, num_classes)."""
        logits: Tensor = self.classifier(self.features(x)[-1].mean((2, 3)))
        return logits


def _units(
    in_channels: int,
    widths: Sequence[int],
    repeats: Sequence[int],
    groups: int,
    shuffle: str,
    squeeze_excite: bool,
) -> list[nn.Module]:
    units: list[nn.Module] = []
    for width, count in zip(widths, repeats, strict=True):
        for repeat in range(count):
            unit = ShuffleUnit(
                in_channels,
                width,
                stride=2 if repeat == 0 else 1,
                groups=groups,
                # The stem is too narrow to be cut into groups.
                first_groups=groups if units else 1,
                shuffle=shuffle,
                squeeze_excite=squeeze_excite,
            )
            units.append(unit)
            in_channels = width
    return units


def _stage_parts(repeats: Sequence[int]) -> StageParts:
    ends = tuple(accumulate(repeats, initial=0))
    return (
        ("stem", ("first_conv", "maxpool")),
        *(
            (f"stage{stage + 2}", tuple(f"features.{index}" for index in range(*ends[stage:][:2])))
            for stage in range(len(repeats))
        ),
        ("classifier", ("classifier",)),
    )


def _check_choice(what: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        listed = ", ".join(map(str, choices))
        raise ValueError(f"{what}={value!r} is not one of {listed}")
