"""What timm published on the Hugging Face hub for networks of the zoo; literal data, torch-free.

Read from timm 1.0.31's configurations of its pretrained networks. Where a network has a size of its
own for testing, it stands here: timm's published accuracies are taken at it. EfficientNet-B5's
weights of 11,821 classes (sw_in12k) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]

# Mean and standard deviation of pixel values 0-255: of ImageNet, or -1 to 1 whatever the pictures.
IMAGENET: Statistics = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
HALF: Statistics = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))


@dataclass(frozen=True, slots=True)
class Row:
    """Weights by their tag: side in pixels, the crop's share of the resized photo, pixel statistics.

    ``top1`` in percent is timm's own evaluation for the tags in1k, rmsp_in1k and dm_in1k of NFNet;
    for the other ``tf_*`` weights that of Google's README (tensorflow/tpu, efficientnet and lite).
    """

    tag: str
    side: int
    crop: float
    statistics: Statistics
    top1: float | None = None
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    squash: bool = False


# timm's names where they are not the zoo's.
NAMES: Mapping[str, str] = {
    "mnasnet_a1_x0_75": "semnasnet_075",
    "mnasnet_a1_x1_0": "semnasnet_100",
    "mnasnet_b1_x1_0": "mnasnet_100",
    "tf_efficientnet_l2_475": "tf_efficientnet_l2",
}

# Of each network timm's own default comes first.
ROWS: Mapping[str, tuple[Row, ...]] = {
    "mnasnet_a1_x0_75": (Row("rmsp_in1k", 224, 0.875, IMAGENET),),
    "mnasnet_a1_x1_0": (Row("rmsp_in1k", 224, 0.875, IMAGENET, 75.452),),
    "mnasnet_b1_x1_0": (Row("rmsp_in1k", 224, 0.875, IMAGENET, 74.658),),
    "mnasnet_small": (Row("lamb_in1k", 224, 0.875, IMAGENET),),
    "efficientnet_b0": (
        Row("ra_in1k", 224, 0.875, IMAGENET),
        Row("ra4_e3600_r224_in1k", 256, 1.0, HALF),
    ),
    "efficientnet_b1": (
        Row("ra4_e3600_r240_in1k", 288, 1.0, HALF),
        Row("ft_in1k", 256, 1.0, IMAGENET),
    ),
    "efficientnet_b2": (Row("ra_in1k", 288, 1.0, IMAGENET),),
    "efficientnet_b3": (Row("ra2_in1k", 320, 1.0, IMAGENET),),
    "efficientnet_b4": (Row("ra2_in1k", 384, 1.0, IMAGENET),),
    "efficientnet_b5": (Row("sw_in12k_ft_in1k", 448, 1.0, IMAGENET, squash=True),),
    "efficientnet_lite0": (Row("ra_in1k", 224, 0.875, IMAGENET),),
    "tf_efficientnet_b0": (
        Row("ns_jft_in1k", 224, 0.875, IMAGENET, 78.8),
        Row("aa_in1k", 224, 0.875, IMAGENET, 77.1),
        Row("ap_in1k", 224, 0.875, HALF, 77.6),
        Row("in1k", 224, 0.875, IMAGENET, 76.542),
    ),
    "tf_efficientnet_b1": (
        Row("ns_jft_in1k", 240, 0.882, IMAGENET, 81.5),
        Row("aa_in1k", 240, 0.882, IMAGENET, 79.1),
        Row("ap_in1k", 240, 0.882, HALF, 79.6),
        Row("in1k", 240, 0.882, IMAGENET, 78.546),
    ),
    "tf_efficientnet_b2": (
        Row("ns_jft_in1k", 260, 0.89, IMAGENET, 82.4),
        Row("aa_in1k", 260, 0.89, IMAGENET, 80.1),
        Row("ap_in1k", 260, 0.89, HALF, 80.5),
        Row("in1k", 260, 0.89, IMAGENET, 79.612),
    ),
    "tf_efficientnet_b3": (
        Row("ns_jft_in1k", 300, 0.904, IMAGENET, 84.1),
        Row("aa_in1k", 300, 0.904, IMAGENET, 81.6),
        Row("ap_in1k", 300, 0.904, HALF, 81.9),
        Row("in1k", 300, 0.904, IMAGENET, 80.878),
    ),
    "tf_efficientnet_b4": (
        Row("ns_jft_in1k", 380, 0.922, IMAGENET, 85.3),
        Row("aa_in1k", 380, 0.922, IMAGENET, 82.9),
        Row("ap_in1k", 380, 0.922, HALF, 83.3),
        Row("in1k", 380, 0.922, IMAGENET, 82.598),
    ),
    "tf_efficientnet_b5": (
        Row("ns_jft_in1k", 456, 0.934, IMAGENET, 86.1),
        Row("aa_in1k", 456, 0.934, IMAGENET, 83.6),
        Row("ap_in1k", 456, 0.934, HALF, 84.3),
        Row("in1k", 456, 0.934, IMAGENET, 83.17),
        Row("ra_in1k", 456, 0.934, IMAGENET, 83.7),
    ),
    "tf_efficientnet_b6": (
        Row("ns_jft_in1k", 528, 0.942, IMAGENET, 86.4),
        Row("aa_in1k", 528, 0.942, IMAGENET, 84.0),
        Row("ap_in1k", 528, 0.942, HALF, 84.8),
    ),
    "tf_efficientnet_b7": (
        Row("ns_jft_in1k", 600, 0.949, IMAGENET, 86.9),
        Row("aa_in1k", 600, 0.949, IMAGENET, 84.3),
        Row("ap_in1k", 600, 0.949, HALF, 85.2),
        Row("ra_in1k", 600, 0.949, IMAGENET, 84.7),
    ),
    "tf_efficientnet_b8": (
        Row("ap_in1k", 672, 0.954, HALF, 85.5),
        Row("ra_in1k", 672, 0.954, IMAGENET),
    ),
    # One network and two sizes of photos, each under a name of its own.
    "tf_efficientnet_l2": (
        Row("ns_jft_in1k", 800, 0.96, IMAGENET, 88.4),
        Row("ns_jft_in1k_475", 475, 0.936, IMAGENET, 88.2),
    ),
    "tf_efficientnet_l2_475": (
        Row("ns_jft_in1k_475", 475, 0.936, IMAGENET, 88.2),
        Row("ns_jft_in1k", 800, 0.96, IMAGENET, 88.4),
    ),
    "tf_efficientnet_lite0": (Row("in1k", 224, 0.875, HALF, 75.1),),
    "tf_efficientnet_lite1": (Row("in1k", 240, 0.882, HALF, 76.7),),
    "tf_efficientnet_lite2": (Row("in1k", 260, 0.89, HALF, 77.6),),
    "tf_efficientnet_lite3": (Row("in1k", 300, 0.904, HALF, 79.8, interpolation="bilinear"),),
    "tf_efficientnet_lite4": (Row("in1k", 380, 0.92, HALF, 81.5, interpolation="bilinear"),),
    "dm_nfnet_f0": (Row("dm_in1k", 256, 0.9, IMAGENET, 83.468, squash=True),),
    "dm_nfnet_f1": (Row("dm_in1k", 320, 0.91, IMAGENET, 84.7, squash=True),),
    "dm_nfnet_f2": (Row("dm_in1k", 352, 0.92, IMAGENET, 85.184, squash=True),),
    "dm_nfnet_f3": (Row("dm_in1k", 416, 0.94, IMAGENET, 85.676, squash=True),),
    "dm_nfnet_f4": (Row("dm_in1k", 512, 0.951, IMAGENET, 85.838, squash=True),),
    "dm_nfnet_f5": (Row("dm_in1k", 544, 0.954, IMAGENET, 86.102, squash=True),),
    "dm_nfnet_f6": (Row("dm_in1k", 576, 0.956, IMAGENET, 86.364, squash=True),),
    "nfnet_l0": (Row("ra2_in1k", 288, 1.0, IMAGENET),),
    "eca_nfnet_l0": (Row("ra2_in1k", 288, 1.0, IMAGENET),),
    "eca_nfnet_l1": (Row("ra2_in1k", 320, 1.0, IMAGENET),),
    "eca_nfnet_l2": (Row("ra3_in1k", 384, 1.0, IMAGENET),),
    "nf_resnet50": (Row("ra2_in1k", 288, 0.94, IMAGENET),),
}
