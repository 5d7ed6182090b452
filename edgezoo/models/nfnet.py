"""NFNet and NF-ResNet (arXiv 2102.06171, 2101.08692), parameters named as in timm.

DeepMind's code and timm's are two flavours of these networks, whose weights are not
interchangeable: γ stands in the activation or in the filters, tiny variances are guarded in two
ways, and only DeepMind's blocks have a skip gain. ``dm_timm`` is DeepMind's networks as timm computes
them, which is how timm's checkpoints of them were evaluated.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.models.layers import same_padding
from edgezoo.models.norm_free import (
    ATTENTIONS,
    Architecture,
    Layers,
    NormFreeBlock,
    drop_rates,
    expected_stds,
    get_flavour,
)

DEPTHS = (1, 2, 6, 3)  # of F0; FN has N + 1 times as many blocks in each stage
WIDTHS = (256, 512, 1536, 1536)
RESNET_DEPTHS = (3, 4, 6, 3)
RESNET_WIDTHS = (256, 512, 1024, 2048)
STRIDES = (4, 8, 16, 32)  # of the stages' outputs


class SamePool(nn.Module):
    """Max-pool 3x3 of stride 2 with SAME padding, which never wins."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c, ceil(h / 2), ceil(w / 2))."""
        top, bottom = same_padding(x.shape[2], 3, 2)
        left, right = same_padding(x.shape[3], 3, 2)
        if (top, left) == (bottom, right):
            return F.max_pool2d(x, 3, 2, padding=1)
        if (top, left) == (0, 0):  # a last window over the edge is just what SAME adds
            return F.max_pool2d(x, 3, 2, ceil_mode=True)
        return F.max_pool2d(F.pad(x, (left, right, top, bottom), value=-math.inf), 3, 2)


def build_stem(in_channels: int, architecture: Architecture, layers: Layers) -> nn.Sequential:
    """Return a stem of stride 4 without an activation at its end."""
    if not architecture.deep_stem:
        pool = SamePool() if layers.flavour.same_padding else nn.MaxPool2d(3, 2, padding=1)
        conv = layers.conv(in_channels, architecture.widths[0] // 4, 7, stride=2)
        return nn.Sequential(OrderedDict(conv=conv, pool=pool))
    stem: OrderedDict[str, nn.Module] = OrderedDict()
    widths = (in_channels, *(architecture.widths[0] // n for n in (16, 8, 4, 2)))
    for index, stride in enumerate((2, 1, 1, 2)):
        if index:
            stem[f"act{index + 1}"] = layers.act()
        stem[f"conv{index + 1}"] = layers.conv(widths[index], widths[index + 1], 3, stride=stride)
    return nn.Sequential(stem)


class Head(nn.Module):
    """Global mean, dropout and classifier; without classes the mean alone."""

    def __init__(self, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes) if num_classes else nn.Identity()
        if isinstance(self.fc, nn.Linear):
            nn.init.normal_(self.fc.weight, 0.0, 0.01)
            nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, classes), or (n, c) without classes."""
        mean = x.mean((2, 3))
        return self.fc(self.dropout(mean)) if isinstance(self.fc, nn.Linear) else mean


class NormFreeNet(nn.Module):
    """Stem, four stages of blocks, last convolution (NFNet), activation, head.

    ``num_classes=0`` leaves the classifier out: the result is then the pooled head. Any input size
    will do; sides that are no multiples of 32 are rounded up at each halving.
    """

    feature_strides: tuple[int, ...] = STRIDES

    def __init__(
        self,
        architecture: Architecture,
        *,
        activation: str | None,
        flavour: str,
        dropout: float,
        drop_path_rate: float,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        convention = get_flavour(flavour)
        # Weights trained in another flavour would compute something else.
        self.fits: Mapping[str, tuple[object, ...]] = {"flavour": (flavour,)}
        layers = Layers(convention, activation or convention.gelu)
        if architecture.attention not in ATTENTIONS:
            choices = ", ".join(ATTENTIONS)
            raise ValueError(
                f"unknown attention {architecture.attention!r}; choose one of {choices}"
            )
        self.feature_channels: tuple[int, ...] = architecture.widths
        self.stem = build_stem(in_channels, architecture, layers)
        self.stages = build_stages(architecture, layers, drop_path_rate)
        width, head = architecture.widths[-1], architecture.head
        self.final_conv = layers.conv(width, head, 1) if head else nn.Identity()
        self.final_act = layers.act()
        self.head = Head(head or width, num_classes, dropout)

    def features(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return what each stage puts out, finest first, not yet activated.

        Map i is (n, feature_channels[i], h / feature_strides[i], w / feature_strides[i]).
        """
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, in_channels, h, w) to logits (n, num_classes)."""
        x = self.final_act(self.final_conv(self.features(x)[-1]))
        logits: Tensor = self.head(x)
        return logits


def build_stages(
    architecture: Architecture, layers: Layers, drop_path_rate: float
) -> nn.Sequential:
    """Return the stages; all but the first start with a block of stride 2."""
    betas = expected_stds(architecture.depths)
    rates = drop_rates(architecture.depths, drop_path_rate, layers.flavour.deepmind_depth)
    width = architecture.widths[0] // (2 if architecture.deep_stem else 4)
    stages = []
    for index, out_channels in enumerate(architecture.widths):
        blocks = []
        for block, beta in enumerate(betas[index]):
            blocks.append(
                NormFreeBlock(
                    width,
                    out_channels,
                    stride=2 if index and not block else 1,
                    beta=beta,
                    drop_rate=rates[index][block],
                    architecture=architecture,
                    layers=layers,
                )
            )
            width = out_channels
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(*stages)


# -------------------------------------------------------------------------- constructors


def nfnet(
    *,
    depth: int = 1,
    widths: tuple[int, int, int, int] = WIDTHS,
    activation: str | None = None,
    attention: str = "se",
    se_ratio: float = 0.5,
    bottleneck: float = 0.5,
    group_width: int = 128,
    head_ratio: float = 2.0,
    flavour: str = "dm",
    dropout: float = 0.2,
    drop_path_rate: float = 0.25,
    branch_gain: float = 0.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> NormFreeNet:
    """Build an NFNet, F0 by default, with freshly initialised weights.

    ``depth`` multiplies F0's blocks (FN has N + 1), ``head_ratio`` is the width of the last
    convolution over that of the last stage. ``activation`` is the flavour's GELU by default.
    ``branch_gain`` is where the gain of every residual branch starts; at 0 the branches of a fresh
    network are closed and what it computes depends on its shortcuts only.
    Raises ``ValueError`` for an unknown flavour, activation or attention.
    """
    architecture = Architecture(
        depths=tuple(depth * repeats for repeats in DEPTHS),
        widths=widths,
        bottleneck=bottleneck,
        group_width=group_width,
        deep_stem=True,
        extra_conv=True,
        pooled_shortcut=True,
        attention=attention,
        se_ratio=se_ratio,
        head=int(widths[-1] * head_ratio),
        branch_gain=branch_gain,
    )
    return NormFreeNet(
        architecture,
        activation=activation,
        flavour=flavour,
        dropout=dropout,
        drop_path_rate=drop_path_rate,
        num_classes=num_classes,
        in_channels=in_channels,
    )


def nf_resnet(
    *,
    depths: tuple[int, int, int, int] = RESNET_DEPTHS,
    widths: tuple[int, int, int, int] = RESNET_WIDTHS,
    activation: str = "relu",
    attention: str = "none",
    se_ratio: float = 0.25,
    flavour: str = "dm",
    dropout: float = 0.0,
    drop_path_rate: float = 0.0,
    branch_gain: float = 0.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> NormFreeNet:
    """Build a normaliser-free ResNet, 50 by default, with freshly initialised weights.

    A shortcut that halves is an average pool and a convolution in timm's flavour, a convolution of
    stride 2 in DeepMind's. ``branch_gain`` as in ``nfnet``.
    Raises ``ValueError`` for an unknown flavour, activation or attention.
    """
    architecture = Architecture(
        depths=depths,
        widths=widths,
        bottleneck=0.25,
        group_width=None,
        deep_stem=False,
        extra_conv=False,
        pooled_shortcut=flavour == "timm",
        attention=attention,
        se_ratio=se_ratio,
        head=0,
        branch_gain=branch_gain,
    )
    return NormFreeNet(
        architecture,
        activation=activation,
        flavour=flavour,
        dropout=dropout,
        drop_path_rate=drop_path_rate,
        num_classes=num_classes,
        in_channels=in_channels,
    )
