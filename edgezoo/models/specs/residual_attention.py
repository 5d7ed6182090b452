"""The Residual Attention Networks (arXiv 1704.06904) and what was published about them; torch-free.

The authors released the graphs of the ImageNet networks, not their CIFAR networks: those are
inferred, and each says so in its published row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edgezoo.models.specs.row import INPUT, Published
from edgezoo.types import ModelSpec, Preprocessing

if TYPE_CHECKING:
    from torch import nn

_PAPER = "arXiv 1704.06904"
_README = "github.com/fwang91/residual-attention-network README"
_TENGSHAOFENG = "github.com/tengshaofeng/ResidualAttentionNetwork-pytorch"

# name, depth, kind of unit, parameters, multiply-accumulates at 224x224
IMAGENET = (
    ("residual_attention_56", 56, "pre_activation", 31_810_728, 6_270_836_736),
    ("residual_attention_92", 92, "pre_activation", 52_466_344, 10_533_789_696),
    ("residual_attention_next_56", 56, "resnext", 31_318_824, 6_419_106_816),
    ("residual_attention_next_92", 92, "resnext", 52_102_952, 10_704_337_920),
)
# depth, parameters, multiply-accumulates at 32x32
CIFAR = (
    (56, 1_030_394, 122_825_216),
    (92, 1_841_274, 211_913_216),
    (128, 2_652_154, 301_001_216),
    (164, 3_463_034, 390_089_216),
    (236, 5_084_794, 568_265_216),
    (452, 10_181_242, 984_386_048),
)
# What `--option` can set, with the defaults; the input's shape gives in_channels.
OPTIONS: Mapping[str, Any] = {
    "attention": "mixed",
    "learning": "residual",
    "extra_adds": False,
    "num_classes": 1000,
}
CIFAR_OPTIONS: Mapping[str, Any] = {**OPTIONS, "num_classes": 10}
ALIASES: Mapping[str, str] = {
    "residual_attention": "residual_attention_56",
    "residual_attention_next": "residual_attention_next_56",
}

_IMAGENET_ROWS: Mapping[str, Published] = {
    "residual_attention_56": {
        "top1": 78.24,
        "top5": 94.1,
        "params": 31.9e6,
        "macs": 6.3e9,
        "source": f"{_README}; {_PAPER} Table 6 (Table 2 prints 6.2e9 multiply-accumulates)",
    },
    "residual_attention_92": {
        "top1": 80.5,
        "top5": 95.2,
        "params": 51.3e6,
        "macs": 10.4e9,
        "source": f"{_README}; {_PAPER} Table 6",
        "note": (
            "accuracy at 320x320; the authors' released graph, which is the one here, has 2.3 % more "
            "parameters and 1.3 % more multiply-accumulates than their paper prints"
        ),
    },
    "residual_attention_next_56": {"top1": 78.8, "top5": 94.4, "source": _README},
}
_INFERRED = (
    "architecture inferred: the paper gives the depth 36m + 20 and the parameters of 92, 236 and 452; "
    "widths 64, 128, 256 and masks of 3, 2, 1 poolings follow from them"
)
_UNMATCHED = "with these masks 452 has 18 % more parameters than the paper prints"
# Depth: errors in percent on CIFAR-10 and CIFAR-100, parameters.
_CIFAR_ROWS: Mapping[int, tuple[float, float, float]] = {
    92: (4.99, 21.71, 1.9e6),
    236: (4.14, 21.16, 5.1e6),
    452: (3.90, 20.45, 8.6e6),
}
_WIDE_ROW: Published = {
    "top1": 96.84,
    "source": f"{_TENGSHAOFENG} README",
    "note": (
        "not the paper's: tengshaofeng's network, trained with mixup; its masks in the last stage "
        "have no poolings"
    ),
}

# Channel means and deviations of CIFAR-10's training pictures, taken whole.
CIFAR_PREPROCESSING = Preprocessing(
    size=32,
    resize=32,
    mean=(125.307, 122.961, 113.8575),
    std=(62.9932, 62.0887, 66.7048),
    interpolation="bilinear",
)


def tengshaofeng_preprocessing(size: int, resize: int) -> Preprocessing:
    """Return what tengshaofeng trained on: pixels scaled to 0-1, nothing subtracted."""
    return Preprocessing(size, resize, (0.0, 0.0, 0.0), (255.0, 255.0, 255.0), "bilinear")


def _build(**options: Any) -> nn.Module:
    from edgezoo.models.residual_attention import residual_attention

    return residual_attention(**options)


def _build_cifar(**options: Any) -> nn.Module:
    from edgezoo.models.residual_attention import residual_attention_cifar

    return residual_attention_cifar(**options)


def _build_cifar_wide(**options: Any) -> nn.Module:
    from edgezoo.models.residual_attention import residual_attention_cifar_wide

    return residual_attention_cifar_wide(**options)


def _cifar_row(depth: int) -> Published:
    if depth not in _CIFAR_ROWS:
        return {"note": _INFERRED, "source": f"{_PAPER} section 4.1"}
    error10, error100, params = _CIFAR_ROWS[depth]
    source = f"{_PAPER} Table 5"
    return {
        "top1": round(100 - error10, 2),
        "params": params,
        "source": f"{source}, CIFAR-10",
        "note": f"{_INFERRED}; {_UNMATCHED}" if depth == 452 else _INFERRED,
        "others": ({"top1": round(100 - error100, 2), "source": f"{source}, CIFAR-100"},),
    }


def _specs() -> Iterator[ModelSpec]:
    for name, depth, unit, params, macs in IMAGENET:
        yield ModelSpec(
            name=name,
            family="residual_attention",
            build=partial(_build, depth=depth, unit=unit),
            input=INPUT,
            params=params,
            macs=macs,
            published=_IMAGENET_ROWS.get(name, {}),
            options=OPTIONS,
            preprocessing_with=(({"extra_adds": True}, tengshaofeng_preprocessing(224, 256)),),
        )
    for depth, params, macs in CIFAR:
        yield ModelSpec(
            name=f"residual_attention_cifar_{depth}",
            family="residual_attention",
            build=partial(_build_cifar, depth=depth),
            input=(1, 3, 32, 32),
            params=params,
            macs=macs,
            published=_cifar_row(depth),
            preprocessing=CIFAR_PREPROCESSING,
            options=CIFAR_OPTIONS,
            labels="cifar-10",
        )
    yield ModelSpec(
        name="residual_attention_cifar_92_wide",
        family="residual_attention",
        build=_build_cifar_wide,
        input=(1, 3, 32, 32),
        params=12_170_730,
        macs=1_089_185_792,
        published=_WIDE_ROW,
        preprocessing=tengshaofeng_preprocessing(32, 32),
        options={**CIFAR_OPTIONS, "extra_adds": True},
        labels="cifar-10",
    )


SPECS: tuple[ModelSpec, ...] = tuple(_specs())
