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
from edgezoo.models.specs.row import Published, joined, million
from edgezoo.types import ModelSpec, Preprocessing

if TYPE_CHECKING:
    from torch import nn

_EFFICIENTNET = "arXiv 1905.11946v1 Table 2"
_README = "github.com/tensorflow/tpu models/official/efficientnet README"
_NFNET = "arXiv 2102.06171 Table 3"
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
    ("l2", 480_309_308, 475_703_653_280),
    ("l2_475", 480_309_308, 170_892_857_680),
    ("lite0", 4_652_008, 385_187_552),
    ("lite1", 5_416_680, 600_185_232),
    ("lite2", 6_092_072, 859_736_272),
    ("lite3", 8_197_096, 1_383_321_872),
    ("lite4", 13_006_568, 2_553_034_336),
)
ALIASES: Mapping[str, str] = {}

# Top-1 and top-5 of version 1 of the paper, then of version 5; parameters (M), multiply-accumulates
# (G), the same in both.
_PAPER_ROWS = {
    "b0": (76.3, 93.2, 77.1, 93.3, 5.3, 0.39),
    "b1": (78.8, 94.4, 79.1, 94.4, 7.8, 0.70),
    "b2": (79.8, 94.9, 80.1, 94.9, 9.2, 1.0),
    "b3": (81.1, 95.5, 81.6, 95.7, 12.0, 1.8),
    "b4": (82.6, 96.3, 82.9, 96.4, 19.0, 4.2),
    "b5": (83.3, 96.7, 83.6, 96.7, 30.0, 9.9),
    "b6": (84.0, 96.9, 84.0, 96.8, 43.0, 19.0),
    "b7": (84.4, 97.1, 84.3, 97.0, 66.0, 37.0),
}
_TRAININGS = ("baseline", "AutoAugment", "RandAugment", "AdvProp", "NoisyStudent, extra photos")
# Top-1 in the README by training, in that order.
_README_ROWS: Mapping[str, tuple[float | None, ...]] = {
    "b0": (76.7, 77.1, None, 77.6, 78.8),
    "b1": (78.7, 79.1, None, 79.6, 81.5),
    "b2": (79.8, 80.1, None, 80.5, 82.4),
    "b3": (81.1, 81.6, None, 81.9, 84.1),
    "b4": (82.5, 82.9, None, 83.3, 85.3),
    "b5": (83.1, 83.6, 83.7, 84.3, 86.1),
    "b6": (None, 84.0, None, 84.8, 86.4),
    "b7": (None, 84.3, 84.7, 85.2, 86.9),
    "b8": (None, None, None, 85.5, None),
    "l2": (None, None, None, None, 88.4),
    "l2_475": (None, None, None, None, 88.2),
}
_TORCHVISION_TOP1 = {  # weights of version 1; B1 has a second one
    "b0": (77.692,),
    "b1": (78.642, 79.838),
    "b2": (80.608,),
    "b3": (82.008,),
    "b4": (83.384,),
    "b5": (83.444,),
    "b6": (84.008,),
    "b7": (84.122,),
}
_TIMM_TOP1 = {  # of tf_efficientnet_*.in1k
    "b0": 76.542,
    "b1": 78.546,
    "b2": 79.612,
    "b3": 80.878,
    "b4": 82.598,
    "b5": 83.170,
}
_CPU_LATENCY_MS = {"b1": 98.0, "b7": 3100.0}  # one core, batch 1, mean of 20 runs
# What the paper says of one network beside its tables, with the count where the print is off.
_NOTES = {
    "b1": "0.70B is printed for 0.687G, rounded up",
    "b2": "9.2M is printed for 9.11M parameters, rounded up; 1.0B for 0.994G",
    "b3": "1.8B is printed for 1.827G, rounded",
    "b4": "the paper's 4.2B is 4.4 % under the exact count, 4.394G, which torchvision prints too",
    "b5": "the paper's 9.9B is 3.6 % under the exact count, 10.266G, which torchvision prints too",
    "b7": "37B is printed for 37.75G, cut off",
}
_LITE_NOTE = (
    "the README's multiply-accumulates come from another counting tool, 3 to 6 % above the "
    "convolutions and the classifier"
)
_LITE_SIZES = {"lite3": (280, 300), "lite4": (300, 380)}  # the authors' side, timm's
# Parameters (M), multiply-accumulates (M), top-1, then Pixel 4 ms: CPU (4 threads), GPU, GPU in
# fp16; then of the int8 network: top-1 and CPU ms.
_LITE_ROWS = {
    "lite0": (4.7, 407.0, 75.1, 12.0, 9.0, 6.0, 74.4, 6.5),
    "lite1": (5.4, 631.0, 76.7, 18.0, 12.0, 8.0, 75.9, 9.1),
    "lite2": (6.1, 899.0, 77.6, 26.0, 16.0, 10.0, 77.0, 12.0),
    "lite3": (8.2, 1440.0, 79.8, 41.0, 23.0, 14.0, 79.0, 18.0),
    "lite4": (13.0, 2640.0, 81.5, 76.0, 36.0, 21.0, 80.2, 30.0),
}

_LITE_TPU_MS = {"lite0": 3.8, "lite1": 5.4, "lite2": 7.9, "lite3": 9.7}  # int8


def _build(**options: Any) -> nn.Module:
    from edgezoo.models.efficientnet import efficientnet

    return efficientnet(**options)


def _paper(size: str) -> Iterator[Published]:
    if size not in _PAPER_ROWS:
        return
    top1, top5, later_top1, later_top5, params, giga_macs = _PAPER_ROWS[size]
    counts = {"params": million(params), "macs": million(giga_macs * 1e3)}
    yield {"top1": top1, "top5": top5, **counts, "source": _EFFICIENTNET}
    later = {"top1": later_top1, "top5": later_top5, **counts}
    yield {**later, "source": "arXiv 1905.11946v5 Table 2"}
    if size in _CPU_LATENCY_MS:
        latency_ms = {"xeon_e5_2690_1_core": _CPU_LATENCY_MS[size]}
        yield {"latency_ms": latency_ms, "source": "arXiv 1905.11946v1 Table 4"}


def _others(size: str) -> Iterator[Published]:
    if size == "b8":
        yield {"params": 87.4e6, "macs": 62.5e9, "source": _NFNET}
    if size.startswith("l2"):
        yield {"params": 480e6, "source": _README}
    for training, top1 in zip(_TRAININGS, _README_ROWS.get(size, ()), strict=False):
        if top1 is not None:
            yield {"top1": top1, "training": training, "source": _README}
    for version, top1 in enumerate(_TORCHVISION_TOP1.get(size, ()), start=1):
        yield {"top1": top1, "source": f"torchvision EfficientNet weights, IMAGENET1K_V{version}"}
    if size in _TIMM_TOP1:
        yield {
            "top1": _TIMM_TOP1[size],
            "source": f"timm results, tf_efficientnet_{size}.in1k",
        }


def _lite(size: str) -> Iterator[Published]:
    params, macs, top1, cpu, gpu, gpu_fp16, top1_int8, cpu_int8 = _LITE_ROWS[size]
    yield {
        "top1": top1,
        "top1_int8": top1_int8,
        "params": million(params),
        "macs": million(macs),
        "latency_ms": {
            "pixel4_cpu_4_threads": cpu,
            "pixel4_gpu": gpu,
            "pixel4_gpu_fp16": gpu_fp16,
            "pixel4_cpu_4_threads_int8": cpu_int8,
            **({"edge_tpu_int8": _LITE_TPU_MS[size]} if size in _LITE_TPU_MS else {}),
        },
        "source": _LITE_README,
    }


def _published(size: str) -> Published:
    if size in _LITE_ROWS:
        note = _LITE_NOTE
        if size in _LITE_SIZES:
            ours, theirs = _LITE_SIZES[size]
            note += f"; {ours} pixels are the authors' builder's, timm takes {theirs}"
        return joined(_lite(size), note)
    return joined([*_paper(size), *_others(size)], _NOTES.get(size))


def _specs(prefix: str, flavour: str) -> Iterator[ModelSpec]:
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
            published=_published(size),
            preprocessing=preprocessing,
            weights=sources_of(prefix + name),
            options={"flavour": flavour, "num_classes": 1000},
            preprocessing_with=(({"flavour": "tf"}, tf_preprocessing(side, lite=scaling.lite)),),
        )


SPECS: tuple[ModelSpec, ...] = (*_specs("", "timm"), *_specs("tf_", "tf"))
