"""The MnasNet networks (arXiv 1807.11626) and what was published about them; torch-free.

The README's multiply-accumulates are 1 to 2.7 % above the counts of convolutions and classifier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edgezoo.models.sources import sources_of
from edgezoo.models.specs.row import INPUT, Published, joined, million, multiplier
from edgezoo.types import ModelSpec

if TYPE_CHECKING:
    from torch import nn

_MNASNET = "arXiv 1807.11626"
_MNASNET_README = "github.com/tensorflow/tpu models/official/mnasnet README"
_TORCHVISION = "torchvision MNASNet weights"

# variant, width multiplier, parameters, multiply-accumulates
MNASNETS = (
    ("a1", 0.35, 1_747_018, 61_681_920),
    ("a1", 0.5, 2_082_006, 103_162_992),
    ("a1", 0.75, 2_912_278, 223_448_480),
    ("a1", 1.0, 3_887_038, 311_579_072),
    ("a1", 1.3, 5_468_486, 525_980_736),
    ("a1", 1.4, 6_105_992, 586_317_952),
    ("b1", 0.35, 1_788_232, 58_878_912),
    ("b1", 0.5, 2_218_512, 104_455_968),
    ("b1", 0.75, 3_170_208, 215_493_104),
    ("b1", 1.0, 4_383_312, 314_415_872),
    ("b1", 1.3, 6_282_256, 526_362_432),
    ("b1", 1.4, 7_115_728, 588_799_408),
)
# What `--option` can set, with the defaults; the input's shape gives in_channels.
OPTIONS: Mapping[str, Any] = {
    "flavour": "timm",
    "first_skip": True,
    "scale_stem": True,
    "num_classes": 1000,
}
ALIASES: Mapping[str, str] = {
    "mnasnet_a1": "mnasnet_a1_x1_0",
    "mnasnet_b1": "mnasnet_b1_x1_0",
}

# tensorflow/tpu's README of A1: parameters (M) by multiplier, then by input side: top-1, top-5,
# multiply-accumulates (M), Pixel 1 latency (ms).
_README_PARAMS = {"x1_4": 6.1, "x1_0": 3.9, "x0_75": 2.9, "x0_5": 2.1, "x0_35": 1.7}
_README_ROWS: Mapping[str, Mapping[int, tuple[float, float, float, float]]] = {
    "x1_4": {
        224: (77.2, 93.5, 591.5, 135.0),
        192: (76.1, 93.0, 435.1, 99.0),
        160: (74.8, 92.1, 302.8, 72.0),
        128: (72.5, 90.6, 194.5, 49.0),
        96: (68.6, 88.1, 110.3, 32.0),
    },
    "x1_0": {
        224: (75.2, 92.5, 315.2, 78.0),
        192: (74.0, 91.6, 232.0, 57.0),
        160: (72.0, 90.5, 161.6, 41.0),
        128: (69.3, 88.9, 104.1, 29.0),
        96: (64.4, 85.8, 59.3, 18.0),
    },
    "x0_75": {
        224: (73.3, 91.3, 226.7, 61.0),
        192: (72.1, 90.5, 166.9, 45.0),
        160: (70.1, 89.3, 116.4, 33.0),
        128: (67.0, 87.3, 75.0, 23.0),
        96: (62.1, 84.0, 42.9, 17.0),
    },
    "x0_5": {
        224: (68.9, 88.4, 105.2, 32.0),
        192: (67.2, 87.4, 77.6, 24.0),
        160: (64.9, 85.8, 54.4, 18.0),
        128: (60.8, 83.0, 35.3, 12.0),
        96: (54.7, 78.1, 20.5, 7.4),
    },
    "x0_35": {
        224: (64.1, 85.1, 63.2, 22.0),
        192: (62.4, 83.8, 46.8, 17.0),
        160: (59.3, 81.5, 32.9, 13.0),
        128: (54.8, 78.1, 21.6, 8.5),
        96: (49.3, 73.4, 12.7, 5.4),
    },
}
_README_TYPO = (
    "the README prints this top-1 as 52.3 in one column and as 59.3 in another; "
    "59.3 lies between its neighbours"
)
_README_NOTE = (
    "the README's multiply-accumulates come from another counting tool, "
    "1 to 2.7 % above the convolutions and the classifier"
)
# What else was printed of a network, the paper first.
_PRINTED: Mapping[str, tuple[Published, ...]] = {
    "mnasnet_a1_x1_0": (
        {
            "top1": 75.2,
            "top5": 92.5,
            "params": 3.9e6,
            "macs": 312e6,
            "latency_ms": {"pixel1_big_core": 78.0},
            "source": f"{_MNASNET} Table 1",
        },
        {"top1": 75.452, "top5": 92.608, "source": "timm results, semnasnet_100.rmsp_in1k"},
    ),
    "mnasnet_a1_x0_35": (
        {
            "top1": 64.1,
            "params": 1.7e6,
            "macs": 63e6,
            "latency_ms": {"pixel1_big_core": 22.8},
            "source": f"{_MNASNET} Table 4",
        },
    ),
    "mnasnet_b1_x1_0": (
        {
            "top1": 74.5,
            "top5": 92.1,
            "params": 4.4e6,
            "macs": 315e6,
            "latency_ms": {"pixel1_big_core": 77.0},
            "source": f"{_MNASNET} Table 2",
        },
        {"top1": 74.658, "top5": 92.114, "source": "gen-efficientnet README, mnasnet_b1"},
        {"top1": 73.456, "top5": 91.510, "source": _TORCHVISION},
    ),
    "mnasnet_b1_x0_5": ({"top1": 67.734, "top5": 87.490, "source": _TORCHVISION},),
    "mnasnet_b1_x0_75": ({"top1": 71.180, "top5": 90.496, "source": _TORCHVISION},),
    "mnasnet_b1_x1_3": ({"top1": 76.506, "top5": 93.522, "source": _TORCHVISION},),
    "mnasnet_small": (
        {
            "top1": 66.0,
            "params": 2.0e6,
            "macs": 68e6,
            "latency_ms": {"pixel1_big_core": 23.2},
            "source": f"{_MNASNET} Table 4",
        },
    ),
}
# Networks of the paper's Table 1 that have numbers and no architecture: never a model here.
PUBLISHED_ONLY: Mapping[str, Published] = {
    name: {
        "top1": top1,
        "top5": top5,
        "params": params,
        "macs": macs,
        "latency_ms": {"pixel1_big_core": latency},
        "source": f"{_MNASNET} Table 1",
        "note": f"no architecture of {name} was published, only its numbers: top-1 {top1} %, "
        f"{params / 1e6:g} M parameters, {macs / 1e6:g} M multiply-accumulates, {latency:g} ms",
    }
    for name, top1, top5, params, macs, latency in (
        ("mnasnet_a2", 75.6, 92.7, 4.8e6, 340e6, 84.0),
        ("mnasnet_a3", 76.7, 93.3, 5.2e6, 403e6, 103.0),
    )
}


def _build(**options: Any) -> nn.Module:
    from edgezoo.models.mnasnet import mnasnet

    return mnasnet(**options)


def _readme_rows(scale: str) -> Iterator[Published]:
    for side, (top1, top5, macs, latency) in _README_ROWS.get(scale, {}).items():
        row: dict[str, Any] = {
            "top1": top1,
            "top5": top5,
            "params": million(_README_PARAMS[scale]),
            "macs": million(macs),
            "latency_ms": {"pixel1": latency},
            "source": _MNASNET_README,
        }
        if side != INPUT[-1]:
            row["input"] = side
        if (scale, side) == ("x0_35", 160):
            row["note"] = _README_TYPO
        yield row


def _published(name: str) -> Published:
    family, _, scale = name.partition("_x")
    readme = list(_readme_rows(f"x{scale}")) if family == "mnasnet_a1" else []
    return joined([*_PRINTED.get(name, ()), *readme], _README_NOTE if readme else None)


def _specs() -> Iterator[ModelSpec]:
    rows = [
        (f"mnasnet_{variant}_{multiplier(width)}", variant, width, params, macs)
        for variant, width, params, macs in MNASNETS
    ]
    rows.append(("mnasnet_small", "small", 1.0, 2_030_264, 68_339_184))
    for name, variant, width, params, macs in rows:
        yield ModelSpec(
            name=name,
            family="mnasnet",
            build=partial(_build, variant=variant, width=width),
            input=INPUT,
            params=params,
            macs=macs,
            published=_published(name),
            weights=sources_of(name),
            options=OPTIONS,
        )


SPECS: tuple[ModelSpec, ...] = tuple(_specs())
