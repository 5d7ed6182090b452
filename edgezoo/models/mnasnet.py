"""MnasNet A1, B1 and small (arXiv 1807.11626), parameters named as in timm (semnasnet, mnasnet).

A2 and A3 have numbers in the paper but no published architecture, so they are not here. The width
multiplier scales stem and blocks, never the 1280-wide head. torchvision's B1 computes as timm's and
differs in BN's momentum; ``scale_stem=False`` fits its older files of other widths, whose stem and
first stage were not scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgezoo.models.layers import (
    FLAVOURS,
    Flavour,
    MBConvNet,
    Stage,
    equal_flavours,
    get_flavour,
)
from edgezoo.models.scaling import round_filters

MNASNET_FLAVOURS: Mapping[str, Flavour] = {
    **FLAVOURS,
    "torchvision": Flavour(same_padding=False, bn_eps=1e-5, bn_momentum=3e-4),
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """Stem width, stages and dropout at multiplier 1."""

    stem: int
    stages: tuple[Stage, ...]
    dropout: float = 0.2


# Stage(repeats, kernel, stride, expansion, width, se_ratio, skip)
ARCHITECTURES: Mapping[str, Architecture] = {
    "a1": Architecture(
        32,
        (
            Stage(1, 3, 1, 1, 16, skip=False),
            Stage(2, 3, 2, 6, 24),
            Stage(3, 5, 2, 3, 40, 0.25),
            Stage(4, 3, 2, 6, 80),
            Stage(2, 3, 1, 6, 112, 0.25),
            Stage(3, 5, 2, 6, 160, 0.25),
            Stage(1, 3, 1, 6, 320),
        ),
    ),
    "b1": Architecture(
        32,
        (
            Stage(1, 3, 1, 1, 16, skip=False),
            Stage(3, 3, 2, 3, 24),
            Stage(3, 5, 2, 3, 40),
            Stage(3, 5, 2, 6, 80),
            Stage(2, 3, 1, 6, 96),
            Stage(4, 5, 2, 6, 192),
            Stage(1, 3, 1, 6, 320, skip=False),
        ),
    ),
    "small": Architecture(
        8,
        (
            # timm adds this block's input; TensorFlow's code declares 16 inputs and does not.
            Stage(1, 3, 1, 1, 8),
            Stage(1, 3, 2, 3, 16),
            Stage(2, 3, 2, 6, 16),
            Stage(4, 5, 2, 6, 32, 0.25),
            Stage(3, 3, 1, 6, 32, 0.25),
            Stage(3, 5, 2, 6, 88, 0.25),
            Stage(1, 3, 1, 6, 144),
        ),
        dropout=0.0,
    ),
}


def mnasnet(
    variant: str,
    width: float = 1.0,
    *,
    flavour: str = "timm",
    first_skip: bool = True,
    scale_stem: bool = True,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> MBConvNet:
    """Build MnasNet ``variant`` (``a1``, ``b1`` or ``small``) with freshly initialised weights.

    ``first_skip=False`` gives ``small`` the first block of the TensorFlow code, which does not add
    its input; ``scale_stem=False`` keeps the stem and the first stage as wide as at multiplier 1.
    Raises ``ValueError`` for an unknown variant or flavour.
    """
    if variant not in ARCHITECTURES:
        raise ValueError(
            f"unknown MnasNet variant {variant!r}; choose one of {', '.join(ARCHITECTURES)}"
        )
    architecture = ARCHITECTURES[variant]
    stages = [
        replace(stage, width=round_filters(stage.width, width)) for stage in architecture.stages
    ]
    if not scale_stem:
        stages[0] = replace(stages[0], width=architecture.stages[0].width)
    if not first_skip:
        stages[0] = replace(stages[0], skip=False)
    module = MBConvNet(
        stages,
        stem=round_filters(architecture.stem, width if scale_stem else 1.0),
        head=1280,
        activation="relu",
        flavour=get_flavour(flavour, MNASNET_FLAVOURS),
        dropout=architecture.dropout,
        drop_path_rate=0.0,
        num_classes=num_classes,
        in_channels=in_channels,
    )
    module.fits = {
        "flavour": equal_flavours(flavour, MNASNET_FLAVOURS),
        "scale_stem": (True, False) if width == 1.0 else (scale_stem,),
    }
    return module
