"""NFNet and NF-ResNet (arXiv 2102.06171, 2101.08692) and what was published about them; torch-free.

``dm_*`` are DeepMind's networks, the others timm's. The inputs have the size that they were tested
at, which is what the paper's multiply-accumulates are of; NFNets were trained at smaller ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edgezoo.models.sources import sources_of
from edgezoo.models.specs.row import Published, million
from edgezoo.types import ModelSpec, Preprocessing

if TYPE_CHECKING:
    from torch import nn

_PAPER = "arXiv 2102.06171v1"
_TIMM = "github.com/huggingface/pytorch-image-models results/results-imagenet.csv"

ALIASES: Mapping[str, str] = {}


# N of FN, side tested at, dropout, parameters of DeepMind's network and of timm's (which has no skip
# gains, one per block), multiply-accumulates.
NFNETS = (
    (0, 256, 0.2, 71_489_284, 71_489_272, 12_384_198_656),
    (1, 320, 0.3, 132_634_256, 132_634_232, 35_538_968_576),
    (2, 352, 0.4, 193_779_228, 193_779_192, 62_592_978_944),
    (3, 416, 0.4, 254_924_200, 254_924_152, 114_763_501_568),
    (4, 512, 0.5, 316_069_172, 316_069_112, 215_241_187_328),
    (5, 544, 0.5, 377_214_144, 377_214_072, 289_757_106_176),
    (6, 576, 0.5, 438_359_116, 438_359_032, 377_280_307_200),
    (7, 608, 0.5, 499_504_088, 499_503_992, 478_781_640_704),
)
# timm's own smaller ones: name, side, depth over F0's, attention, width of the last convolution over
# the last stage's, parameters, multiply-accumulates.
LIGHT = (
    ("nfnet_l0", 288, 1, "se", 1.5, 35_074_488, 7_025_301_504),
    ("eca_nfnet_l0", 288, 1, "eca", 1.5, 24_143_924, 7_014_389_760),
    ("eca_nfnet_l1", 320, 2, "eca", 2.0, 41_407_728, 14_730_240_000),
    ("eca_nfnet_l2", 384, 3, "eca", 2.0, 56_722_348, 29_781_516_288),
    ("eca_nfnet_l3", 448, 4, "eca", 2.0, 72_036_968, 52_201_365_504),
)
# Layers, blocks by stage, parameters of DeepMind's and of timm's, multiply-accumulates at 224.
RESNETS = (
    (50, (3, 4, 6, 3), 25_557_048, 25_557_032, 4_089_184_256),
    (101, (3, 4, 23, 3), 44_549_193, 44_549_160, 7_801_405_440),
    (152, (3, 8, 36, 3), 60_192_858, 60_192_808, 11_513_626_624),
    (200, (3, 24, 36, 3), 64_673_898, 64_673_832, 15_007_481_856),
    (288, (24, 24, 24, 24), 146_460_552, 146_460_456, 21_558_460_416),
)

# Table 3: top-1, top-5, parameters (M), multiply-accumulates (G), one training step of 32 images in
# ms on TPUv3 and V100.
_TABLE_3 = {
    0: (83.6, 96.8, 71.5, 12.38, 73.3, 56.7),
    1: (84.7, 97.1, 132.6, 35.54, 158.5, 133.9),
    2: (85.1, 97.3, 193.8, 62.59, 295.8, 226.3),
    3: (85.7, 97.5, 254.9, 114.76, 532.2, 524.5),
    4: (85.9, 97.6, 316.1, 215.24, 1033.3, 1190.6),
    5: (86.0, 97.6, 377.2, 289.76, 1398.5, 2177.1),
}
# With sharpness-aware minimisation (SAM); F6 was printed only so, and not timed on V100.
_TABLE_3_SAM = {
    5: (86.3, 97.9, 377.2, 289.76, 1958.0),
    6: (86.5, 97.9, 438.4, 377.28, 2774.1),
}
# timm's evaluation of DeepMind's weights at the same sizes, top-1.
_TIMM_TOP1 = (83.468, 84.700, 85.184, 85.676, 85.838, 86.102, 86.364)
# Top-1 on ImageNet after training on 300 million other images, at 224, 320 and 384 pixels.
_TRANSFER = {
    50: (79.5, 80.9, 81.1),
    101: (81.4, 82.7, 83.2),
    152: (82.7, 83.6, 84.0),
    200: (82.9, 84.1, 84.3),
}


def _build_nfnet(**options: Any) -> nn.Module:
    from edgezoo.models.nfnet import nfnet

    return nfnet(**options)


def _build_resnet(**options: Any) -> nn.Module:
    from edgezoo.models.nfnet import nf_resnet

    return nf_resnet(**options)


def _published_nfnet(number: int) -> Published:
    sam = _sam_row(number)
    if number not in _TABLE_3:
        return {**sam, "others": (_timm_row(number),)} if sam else {}
    top1, top5, params, giga_macs, tpu_ms, gpu_ms = _TABLE_3[number]
    others = (sam, _timm_row(number)) if sam else (_timm_row(number),)
    return {
        "top1": top1,
        "top5": top5,
        "params": million(params),
        "macs": million(giga_macs * 1e3),
        "training_step_ms": {"tpu_v3_32_images": tpu_ms, "v100_32_images": gpu_ms},
        "source": f"{_PAPER} Table 3",
        "others": others,
    }


def _sam_row(number: int) -> Published:
    if number not in _TABLE_3_SAM:
        return {}
    top1, top5, params, giga_macs, tpu_ms = _TABLE_3_SAM[number]
    return {
        "top1": top1,
        "top5": top5,
        "params": million(params),
        "macs": million(giga_macs * 1e3),
        "training_step_ms": {"tpu_v3_32_images": tpu_ms},
        "source": f"{_PAPER} Table 3, trained with SAM",
    }


def _timm_row(number: int) -> Published:
    return {"top1": _TIMM_TOP1[number], "source": _TIMM}


def _published_resnet(layers: int) -> Published:
    if layers not in _TRANSFER:
        return {}
    sides = zip((224, 320, 384), _TRANSFER[layers], strict=True)
    return {
        "top1_after_pretraining": {f"at_{side}_px": top1 for side, top1 in sides},
        "source": f"{_PAPER}, pre-trained on 300 million images",
    }


def _spec(name: str, side: int, **fields: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        family="nfnet",
        input=(1, 3, side, side),
        preprocessing=Preprocessing(size=side, resize=side + 32),
        weights=sources_of(name),
        **fields,
    )


def _options(flavour: str) -> Mapping[str, Any]:
    """What `--option` can set, with the defaults: flavours that hold the same parameters."""
    options = {"branch_gain": 0.0, "num_classes": 1000}
    return options if flavour == "timm" else {"flavour": flavour, **options}


def _nfnets(flavour: str) -> Iterator[ModelSpec]:
    for number, side, dropout, dm_params, timm_params, macs in NFNETS:
        is_timm = flavour == "timm"
        yield _spec(
            f"{'' if is_timm else 'dm_'}nfnet_f{number}",
            side,
            build=partial(_build_nfnet, depth=number + 1, dropout=dropout, flavour=flavour),
            params=timm_params if is_timm else dm_params,
            macs=macs,
            published={} if is_timm else _published_nfnet(number),
            options=_options(flavour),
        )


def _light() -> Iterator[ModelSpec]:
    # How timm trained them is not published; dropout and stochastic depth are off as in its code.
    settings = {"activation": "silu", "bottleneck": 0.25, "group_width": 64, "se_ratio": 0.25}
    off = {"dropout": 0.0, "drop_path_rate": 0.0, "flavour": "timm"}
    for name, side, depth, attention, head, params, macs in LIGHT:
        own = {"depth": depth, "attention": attention, "head_ratio": head}
        yield _spec(
            name,
            side,
            build=partial(_build_nfnet, **settings, **own, **off),
            params=params,
            macs=macs,
            published={},
            options=_options("timm"),
        )


def _resnets(flavour: str) -> Iterator[ModelSpec]:
    for layers, depths, dm_params, timm_params, macs in RESNETS:
        is_timm = flavour == "timm"
        yield _spec(
            f"{'' if is_timm else 'dm_'}nf_resnet{layers}",
            224,
            build=partial(_build_resnet, depths=depths, flavour=flavour),
            params=timm_params if is_timm else dm_params,
            macs=macs,
            published={} if is_timm else _published_resnet(layers),
            options=_options(flavour),
        )


SPECS: tuple[ModelSpec, ...] = (
    *_nfnets("dm_timm"),
    *_nfnets("timm"),
    *_light(),
    *_resnets("dm"),
    *_resnets("timm"),
)
