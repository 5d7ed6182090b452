"""ShuffleNet v1 (arXiv 1707.01083), parameters named as in megvii's repository.

The paper shuffles between the first pointwise and the depthwise convolution; megvii's code shuffles
after the depthwise one, in the inverse order. Weights trained with one give nonsense with the
other: megvii's checkpoints need ``shuffle="megvii"``. Its networks also expect BGR pixels in 0-255.
The classifier has no bias.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

REPEATS = (4, 8, 4)
# Width of stage 2 at scale 1 by groups (Table 1); each later stage doubles it.
WIDTHS: Mapping[int, int] = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
# Width of the stem by scale. 1.5 has no wider stem in megvii's code; 0.25 is what the paper's
# 13 MFLOPs imply. Eight groups need a multiple of 8 and have their own entries.
STEMS: Mapping[float, int] = {0.25: 12, 0.5: 12, 1.0: 24, 1.5: 24, 2.0: 48}
STEMS_OF_EIGHT_GROUPS: Mapping[float, int] = {**STEMS, 0.25: 8, 0.5: 16}
SHUFFLES = ("paper", "megvii")


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


class ShuffleUnit(nn.Module):
    """The unit of Figure 2: grouped 1x1, shuffle, depthwise 3x3, grouped 1x1.

    With stride 1 the input is added; with stride 2 its average pool is put in front of the main
    branch, whose width is then ``out - in``.
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
    ) -> None:
        super().__init__()
        hidden = out_channels // 4
        main_channels = out_channels if stride == 1 else out_channels - in_channels
        self.stride = stride
        self.groups = groups
        self.shuffle = shuffle
        self.branch_main_1 = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1, groups=first_groups, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
        )
        self.branch_main_2 = nn.Sequential(
            nn.Conv2d(hidden, main_channels, 1, groups=groups, bias=False),
            nn.BatchNorm2d(main_channels),
        )
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
        y = self.branch_main_2(y)
        if self.stride == 1:
            added: Tensor = self.relu(x + y)
            return added
        # Figure 2 (c). The pooled shortcut is never negative, so megvii's ReLU on ``y`` alone is equal.
        joined: Tensor = self.relu(torch.cat((self.branch_proj(x), y), 1))
        return joined


class ShuffleNetV1(nn.Module):
    """ShuffleNet v1 for any input size; ``groups`` and ``scale`` must be of the paper's tables.

    ``num_classes=0`` leaves the classifier out: the result is then the pooled last stage.
    """

    def __init__(
        self,
        groups: int = 3,
        scale: float = 1.0,
        *,
        shuffle: str = "paper",
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
        self.first_conv = nn.Sequential(
            nn.Conv2d(in_channels, stem, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
        )
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        units: list[nn.Module] = []
        previous, width = stem, stage_width(groups, scale)
        for repeats in REPEATS:
            for repeat in range(repeats):
                unit = ShuffleUnit(
                    previous,
                    width,
                    stride=2 if repeat == 0 else 1,
                    groups=groups,
                    # The stem is too narrow to be cut into groups.
                    first_groups=groups if units else 1,
                    shuffle=shuffle,
                )
                units.append(unit)
                previous = width
            width *= 2
        self.features = nn.Sequential(*units)
        self.classifier = nn.Sequential()
        if num_classes:
            self.classifier.append(nn.Linear(previous, num_classes, bias=False))
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, in_channels, h, w) to logits (n, num_classes)."""
        x = self.features(self.maxpool(self.first_conv(x)))
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


@torch.no_grad()
def initialize(module: ShuffleNetV1) -> None:
    """Draw weights as megvii's training code does."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, 1.0 / layer.weight.shape[1])
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.constant_(layer.bias, 1e-4)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.01)
    stem = module.first_conv[0]
    assert isinstance(stem, nn.Conv2d)
    nn.init.normal_(stem.weight, 0.0, 0.01)


def _check_choice(what: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        listed = ", ".join(map(str, choices))
        raise ValueError(f"{what}={value!r} is not one of {listed}")
