"""The MnasNet networks (arXiv 1807.11626) and what was published about them; torch-free.

The README's multiply-accumulates are 1 to 2.5 % above the counts of convolutions and classifier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edgezoo.models.sources import sources_of
from edgezoo.models.specs.row import INPUT, Published, million, multiplier
from edgezoo.types import ModelSpec

if TYPE_CHECKING:
    from torch import nn

_MNASNET = "arXiv 1807.11626"
_MNASNET_README = "github.com/tensorflow/tpu models/official/mnasnet README"

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

# Multiplier: top-1, top-5, parameters (M), multiply-accumulates (M), Pixel 1 latency (ms).
_MNASNET_A1 = {
    "x1_4": (77.2, 93.5, 6.1, 591.5, 135.0),
    "x0_75": (73.3, 91.3, 2.9, 226.7, 61.0),
    "x0_5": (68.9, 88.4, 2.1, 105.2, 32.0),
    "x0_35": (64.1, 85.1, 1.7, 63.2, 22.0),
}
_MNASNET_ROWS: Mapping[str, Published] = {
    "mnasnet_a1_x1_0": {
        "top1": 75.2,
        "top5": 92.5,
        "params": 3.9e6,
        "macs": 312e6,
        "latency_ms": {"pixel1_big_core": 78.0},
        "source": f"{_MNASNET} Table 1",
    },
    "mnasnet_b1_x1_0": {"params": 4.4e6, "macs": 315e6, "source": f"{_MNASNET} Table 2"},
    "mnasnet_small": {
        "top1": 66.0,
        "params": 2.0e6,
        "macs": 68e6,
        "latency_ms": {"pixel1_big_core": 23.2},
        "source": f"{_MNASNET} Table 4",
    },
}
_MNASNET_B1_TORCHVISION = {  # multiplier: top-1, top-5
    "x0_5": (67.734, 87.490),
    "x0_75": (71.180, 90.496),
    "x1_3": (76.506, 93.522),
}


def _build(**options: Any) -> nn.Module:
    from edgezoo.models.mnasnet import mnasnet

    return mnasnet(**options)


def _rows() -> Iterator[tuple[str, Published]]:
    yield from _MNASNET_ROWS.items()
    for scale, (top1, top5, params, macs, latency) in _MNASNET_A1.items():
        yield (
            f"mnasnet_a1_{scale}",
            {
                "top1": top1,
                "top5": top5,
                "params": million(params),
                "macs": million(macs),
                "latency_ms": {"pixel1": latency},
                "source": _MNASNET_README,
            },
        )
    for scale, (top1, top5) in _MNASNET_B1_TORCHVISION.items():
        yield (
            f"mnasnet_b1_{scale}",
            {"top1": top1, "top5": top5, "source": "torchvision MNASNet weights"},
        )


def _specs() -> Iterator[ModelSpec]:
    published = dict(_rows())
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
            published=published.get(name, {}),
            weights=sources_of(name),
            options=OPTIONS,
        )


SPECS: tuple[ModelSpec, ...] = tuple(_specs())
