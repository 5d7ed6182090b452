"""What torchvision published for networks of the zoo; literal data, torch-free.

Read from the weights enumerations of torchvision 0.28. A file's name ends in the first digits of its
SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

BASE = "https://download.pytorch.org/models"


@dataclass(frozen=True, slots=True)
class Row:
    """Weights by their file: side of the crop and of the resized photo in pixels, top-1 in percent.

    ``version`` is the enumeration's member, ``v1`` or ``v2``.
    """

    file: str
    side: int
    resize: int
    top1: float
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    version: str = "v1"


# Of each network torchvision's own default comes first.
ROWS: Mapping[str, tuple[Row, ...]] = {
    "mnasnet_b1_x0_5": (
        Row("mnasnet0.5_top1_67.823-3ffadce67e.pth", 224, 256, 67.734, "bilinear"),
    ),
    "mnasnet_b1_x0_75": (Row("mnasnet0_75-7090bc5f.pth", 224, 232, 71.18, "bilinear"),),
    "mnasnet_b1_x1_0": (
        Row("mnasnet1.0_top1_73.512-f206786ef8.pth", 224, 256, 73.456, "bilinear"),
    ),
    "mnasnet_b1_x1_3": (Row("mnasnet1_3-a4c69d6f.pth", 224, 232, 76.506, "bilinear"),),
    "efficientnet_b0": (Row("efficientnet_b0_rwightman-7f5810bc.pth", 224, 256, 77.692),),
    "efficientnet_b1": (
        Row("efficientnet_b1-c27df63c.pth", 240, 255, 79.838, "bilinear", "v2"),
        Row("efficientnet_b1_rwightman-bac287d4.pth", 240, 256, 78.642),
    ),
    "efficientnet_b2": (Row("efficientnet_b2_rwightman-c35c1473.pth", 288, 288, 80.608),),
    "efficientnet_b3": (Row("efficientnet_b3_rwightman-b3899882.pth", 300, 320, 82.008),),
    "efficientnet_b4": (Row("efficientnet_b4_rwightman-23ab8bcd.pth", 380, 384, 83.384),),
    "efficientnet_b5": (Row("efficientnet_b5_lukemelas-1a07897c.pth", 456, 456, 83.444),),
    "efficientnet_b6": (Row("efficientnet_b6_lukemelas-24a108a5.pth", 528, 528, 84.008),),
    "efficientnet_b7": (Row("efficientnet_b7_lukemelas-c5b4e57e.pth", 600, 600, 84.122),),
}
