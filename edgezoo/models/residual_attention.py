"""The Residual Attention Networks (arXiv 1704.06904) as the authors' Caffe files define them.

What is not from github.com/fwang91/residual-attention-network: Caffe's batch norm epsilon (1e-5 is
the default of its forks) and the initialisation. The CIFAR networks are inferred: the paper gives
three stages of m modules, two units beside them, and a depth of 36m + 20; widths of 64, 128 and 256
come from the parameters that it prints (92: 1.9 M, 236: 5.1 M, met within 4 %), 3, 2 and 1 poolings
from the ImageNet masks. 452 is m = 6 with p, t, r = 2, 4, 3, and no mask that was tried meets its
printed 8.6 M as well. The wide CIFAR network is tengshaofeng's own, with published weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.models.residual_attention_blocks import UNITS, AttentionModule, Design, Unit


@dataclass(frozen=True, slots=True)
class Stem:
    """The first convolution, and the side of the max-pool behind it (0: none), of stride 2."""

    width: int
    kernel: int
    stride: int
    pool: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """A unit that takes stride and width, ``modules`` attention modules, ``closing`` units."""

    width: int
    stride: int
    modules: int = 0
    poolings: int = 0
    closing: int = 0


IMAGENET_STEM = Stem(64, 7, 2, pool=3)
# Attention modules of the first three stages by depth.
IMAGENET_MODULES: Mapping[int, tuple[int, int, int]] = {56: (1, 1, 1), 92: (1, 2, 3)}
CIFAR_STEM = Stem(16, 3, 1)
# Attention modules of every stage by depth, and the paper's p, t, r.
CIFAR_MODULES: Mapping[int, tuple[int, int, int, int]] = {
    56: (1, 1, 2, 1),
    92: (2, 1, 2, 1),
    128: (3, 1, 2, 1),
    164: (4, 1, 2, 1),
    236: (6, 1, 2, 1),
    452: (6, 2, 4, 3),
}


def imagenet_stages(modules: Sequence[int]) -> tuple[Stage, ...]:
    """Return the four stages of Table 2 with ``modules`` attention modules in the first three."""
    first, second, third = modules
    return (
        Stage(256, 1, first, poolings=3),
        Stage(512, 2, second, poolings=2),
        Stage(1024, 2, third, poolings=1),
        Stage(2048, 2, closing=2),
    )


def cifar_stages(modules: int) -> tuple[Stage, ...]:
    """Return the three stages for pictures of 32x32, ``modules`` attention modules in each."""
    return (
        Stage(64, 1, modules, poolings=3, closing=1),
        Stage(128, 2, modules, poolings=2, closing=1),
        Stage(256, 2, modules, poolings=1, closing=1),
    )


CIFAR_WIDE_STEM = Stem(32, 3, 1)
# ResidualAttentionModel_92_32input_update of tengshaofeng/ResidualAttentionNetwork-pytorch 88ed90f.
CIFAR_WIDE_STAGES = (
    Stage(128, 1, 1, poolings=2),
    Stage(256, 2, 2, poolings=1),
    Stage(512, 2, 3, poolings=0),
    Stage(1024, 1, closing=2),
)


class AttentionStage(nn.Module):
    """One stage; the map is made smaller by its first unit alone."""

    def __init__(self, in_channels: int, stage: Stage, design: Design) -> None:
        super().__init__()
        self.transition = UNITS[design.unit](in_channels, stage.width, stage.stride)
        self.attention = nn.Sequential(
            *(AttentionModule(stage.width, stage.poolings, design) for _ in range(stage.modules))
        )
        self.closing = design.make_units(stage.width, stage.closing)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, width, ⌈h / stride⌉, ⌈w / stride⌉)."""
        y: Tensor = self.closing(self.attention(self.transition(x)))
        return y


class ResidualAttention(nn.Module):
    """Stem, stages, last batch norm (pre-activation units only), global mean, classifier.

    ``num_classes=0`` leaves the classifier out: the result is then the mean, (n, last width).
    ``feature_channels`` and ``feature_strides`` describe the maps of ``features``.
    """

    def __init__(
        self,
        stem: Stem,
        stages: Sequence[Stage],
        design: Design,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        # Weights trained with the other graph give nonsense.
        self.fits: Mapping[str, tuple[object, ...]] = {"extra_adds": (design.extra_adds,)}
        self.stem = _make_stem(stem, design, in_channels)
        self.stages = nn.ModuleList()
        strides, width, reduction = [], stem.width, stem.stride * (2 if stem.pool else 1)
        for stage in stages:
            self.stages.append(AttentionStage(width, stage, design))
            width, reduction = stage.width, reduction * stage.stride
            strides.append(reduction)
        self.feature_channels = tuple(stage.width for stage in stages)
        self.feature_strides = tuple(strides)
        # What ResNeXt units leave is normalised and has been through a ReLU.
        bare = not UNITS[design.unit].post_activated
        self.norm = nn.BatchNorm2d(width) if bare else None
        self.classifier = nn.Linear(width, num_classes) if num_classes else nn.Identity()
        initialize(self, design)

    def features(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return every stage's map of images (n, in_channels, h, w), finest first.

        Pre-activation units leave bare sums: a batch norm and a ReLU belong before what uses them.
        """
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, in_channels, h, w) to logits (n, num_classes)."""
        x = self.features(x)[-1]
        if self.norm is not None:
            x = F.relu(self.norm(x))
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


def _make_stem(stem: Stem, design: Design, in_channels: int) -> nn.Sequential:
    convolution = nn.Conv2d(
        in_channels,
        stem.width,
        stem.kernel,
        stride=stem.stride,
        padding=stem.kernel // 2,
        bias=False,
    )
    layers = OrderedDict[str, nn.Module](conv=convolution, norm=nn.BatchNorm2d(stem.width))
    layers["activation"] = nn.ReLU()
    if stem.pool:
        layers["pool"] = design.make_pool(stem.pool)
    return nn.Sequential(layers)


@torch.no_grad()
def initialize(module: ResidualAttention, design: Design) -> None:
    """Draw weights of He's variance (arXiv 1502.01852), then scale down what would add up.

    Under batch norm's initial statistics a sum of L fresh branches doubles its variance L times, so
    each branch's last convolution is divided by √L. A fresh mask is about 1/2, so residual learning
    multiplies a map by 3/2 in every module, and the unit before a stage's modules takes that away.
    Otherwise the maps of 236 and 452 grow until float32 no longer decides what their masks are.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    units = {name: layer for name, layer in module.named_modules() if isinstance(layer, Unit)}
    depth = sum(".mask." not in name for name in units)
    for unit in units.values():
        unit.conv3.weight.mul_(depth**-0.5)
    for stage in module.modules():
        if isinstance(stage, AttentionStage):
            for convolution in _summed(stage.transition):
                convolution.weight.mul_(design.fresh_growth ** -len(stage.attention))


def _summed(unit: Unit) -> Iterator[nn.Conv2d]:
    """Yield the convolutions whose results a unit's sum is made of."""
    yield unit.conv3
    if unit.projection is not None:
        yield from (layer for layer in unit.projection.modules() if isinstance(layer, nn.Conv2d))


def residual_attention(
    depth: int = 56,
    *,
    unit: str = "pre_activation",
    attention: str = "mixed",
    learning: str = "residual",
    extra_adds: bool = False,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> ResidualAttention:
    """Build Attention-56 or -92, or AttentionNeXt (``unit="resnext"``), with fresh weights.

    ``attention`` is ``mixed``, ``channel`` or ``spatial``, ``learning`` ``residual`` (ARL) or
    ``naive`` (NAL). ``extra_adds=True`` fits tengshaofeng's weights.
    Raises ``ValueError`` for another depth or word.
    """
    if depth not in IMAGENET_MODULES:
        raise ValueError(f"depth={depth} is not one of {', '.join(map(str, IMAGENET_MODULES))}")
    design = Design(unit, attention=attention, learning=learning, extra_adds=extra_adds)
    return ResidualAttention(
        IMAGENET_STEM,
        imagenet_stages(IMAGENET_MODULES[depth]),
        design,
        num_classes=num_classes,
        in_channels=in_channels,
    )


def residual_attention_cifar(
    depth: int = 56,
    *,
    attention: str = "mixed",
    learning: str = "residual",
    extra_adds: bool = False,
    num_classes: int = 10,
    in_channels: int = 3,
) -> ResidualAttention:
    """Build the network of ``depth`` layers for pictures of 32x32, inferred as told above.

    The options are those of ``residual_attention``. Raises ``ValueError`` for another depth or word.
    """
    if depth not in CIFAR_MODULES:
        raise ValueError(f"depth={depth} is not one of {', '.join(map(str, CIFAR_MODULES))}")
    modules, outer, trunk, mask = CIFAR_MODULES[depth]
    return ResidualAttention(
        CIFAR_STEM,
        cifar_stages(modules),
        Design(
            outer_units=outer,
            trunk_units=trunk,
            mask_units=mask,
            attention=attention,
            learning=learning,
            extra_adds=extra_adds,
        ),
        num_classes=num_classes,
        in_channels=in_channels,
    )


def residual_attention_cifar_wide(
    *,
    attention: str = "mixed",
    learning: str = "residual",
    extra_adds: bool = True,
    num_classes: int = 10,
    in_channels: int = 3,
) -> ResidualAttention:
    """Build tengshaofeng's Attention-92 for 32x32: twice to four times as wide, 1, 2, 3 modules.

    The options are those of ``residual_attention``. Raises ``ValueError`` for another word.
    """
    return ResidualAttention(
        CIFAR_WIDE_STEM,
        CIFAR_WIDE_STAGES,
        Design(attention=attention, learning=learning, extra_adds=extra_adds),
        num_classes=num_classes,
        in_channels=in_channels,
    )
