"""EfficientNet and EfficientNet-Lite (arXiv 1905.11946) and what was published of them; torch-free.

Each size exists in two flavours, ``efficientnet_*`` (timm's) and ``tf_efficientnet_*`` (Google's).
The Lite README's multiply-accumulates are 3 to 6 % above the counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from edgezoo.models.scaling import SCALINGS
from edgezoo.models.sources import sources_of, tf_preprocessing
from edgezoo.models.specs.row import Published, million
from edgezoo.types import ModelSpec, Preprocessing

if TYPE_CHECKING:
    from torch import nn

_EFFICIENTNET = "arXiv 1905.11946v1 Table 2"
_LITE_README = "github.com/tensorflow/tpu models/official/efficientnet/lite README"

# scaling, parameters, multiply-accumulates at the scaling's resolution
EFFICIENTNETS = (
    ("b0", 5_288_548, 385_814_752),
    ("b1", 7_794_184, 686_802_832),
    ("b2", 9_109_994, 993_561_872),
    ("b3", 12_233_232, 1_827_141_392),
    ("b4", 19_341_616, 4_393_771_024),
    ("b5", 30_389_784, 10_266_384_752),
    ("b6", 43_040_704, 19_067_593_536),
    ("b7", 66_347_960, 37_745_884_192),
    ("b8", 87_413_142, 62_597_461_568),
    ("lite0", 4_652_008, 385_187_552),
    ("lite1", 5_416_680, 600_185_232),
    ("lite2", 6_092_072, 859_736_272),
    ("lite3", 8_197_096, 1_383_321_872),
    ("lite4", 13_006_568, 2_553_034_336),
)
ALIASES: Mapping[str, str] = {}

# Top-1, top-5, parameters (M), multiply-accumulates (G).
_EFFICIENTNET_ROWS = {
    "b0": (76.3, 93.2, 5.3, 0.39),
    "b1": (78.8, 94.4, 7.8, 0.70),
    "b2": (79.8, 94.9, 9.2, 1.0),
    "b3": (81.1, 95.5, 12.0, 1.8),
    "b4": (82.6, 96.3, 19.0, 4.2),
    "b5": (83.3, 96.7, 30.0, 9.9),
    "b6": (84.0, 96.9, 43.0, 19.0),
    "b7": (84.4, 97.1, 66.0, 37.0),
}
_EFFICIENTNET_B8: Published = {
    "params": 87.4e6,
    "macs": 62.5e9,
    "source": "arXiv 2102.06171 Table 3",
}
# Parameters (M), multiply-accumulates (M), top-1, then Pixel 4 ms: CPU (4 threads), GPU, GPU in
# fp16; then of the int8 network: top-1 and CPU ms.
_LITE_ROWS = {
    "lite0": (4.7, 407.0, 75.1, 12.0, 9.0, 6.0, 74.4, 6.5),
    "lite1": (5.4, 631.0, 76.7, 18.0, 12.0, 8.0, 75.9, 9.1),
    "lite2": (6.1, 899.0, 77.6, 26.0, 16.0, 10.0, 77.0, 12.0),
    "lite3": (8.2, 1440.0, 79.8, 41.0, 23.0, 14.0, 79.0, 18.0),
    "lite4": (13.0, 2640.0, 81.5, 76.0, 36.0, 21.0, 80.2, 30.0),
}


def _build(**options: Any) -> nn.Module:
    from edgezoo.models.efficientnet import efficientnet

    return efficientnet(**options)


def _rows() -> Iterator[tuple[str, Published]]:
    yield "efficientnet_b8", _EFFICIENTNET_B8
    for size, (top1, top5, params, giga_macs) in _EFFICIENTNET_ROWS.items():
        yield (
            f"efficientnet_{size}",
            {
                "top1": top1,
                "top5": top5,
                "params": million(params),
                "macs": million(giga_macs * 1e3),
                "source": _EFFICIENTNET,
            },
        )
    for size, (params, macs, top1, cpu, gpu, gpu_fp16, top1_int8, cpu_int8) in _LITE_ROWS.items():
        latency_ms = {
            "pixel4_cpu_4_threads": cpu,
            "pixel4_gpu": gpu,
            "pixel4_gpu_fp16": gpu_fp16,
            "pixel4_cpu_4_threads_int8": cpu_int8,
        }
        yield (
            f"efficientnet_{size}",
            {
                "top1": top1,
                "top1_int8": top1_int8,
                "params": million(params),
                "macs": million(macs),
                "latency_ms": latency_ms,
                "source": _LITE_README,
            },
        )


def _specs(prefix: str, flavour: str) -> Iterator[ModelSpec]:
    published = dict(_rows())
    for size, params, macs in EFFICIENTNETS:
        scaling = SCALINGS[size]
        side = scaling.resolution
        name = f"efficientnet_{size}"
        preprocessing = (
            tf_preprocessing(side, lite=scaling.lite)
            if flavour == "tf"
            else Preprocessing(size=side, resize=side + 32)
        )
        yield ModelSpec(
            name=prefix + name,
            family="efficientnet",
            build=partial(_build, **asdict(scaling), flavour=flavour),
            input=(1, 3, side, side),
            params=params,
            macs=macs,
            published=published.get(name, {}),
            preprocessing=preprocessing,
            weights=sources_of(prefix + name),
            options={"flavour": flavour, "num_classes": 1000},
            preprocessing_with=(({"flavour": "tf"}, tf_preprocessing(side, lite=scaling.lite)),),
        )


SPECS: tuple[ModelSpec, ...] = (*_specs("", "timm"), *_specs("tf_", "tf"))
