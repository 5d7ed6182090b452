"""The ShuffleNet v1 networks (arXiv 1707.01083) and what was published about them; torch-free.

Top-1 is 100 minus the printed error. The paper leaves the classifier out of its
multiply-accumulates, the counts here hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edgezoo.models.sources import MEGVII_PREPROCESSING
from edgezoo.models.specs.row import INPUT, Published, joined, million, multiplier
from edgezoo.types import ModelSpec

if TYPE_CHECKING:
    from torch import nn

_SHUFFLENET = "arXiv 1707.01083v2"
_MEGVII = "github.com/megvii-model/ShuffleNet-Series ShuffleNetV1 README"

# groups, scale, parameters, multiply-accumulates
SHUFFLENETS = (
    (1, 0.25, 208_908, 13_162_320),
    (1, 0.5, 533_484, 38_517_408),
    (1, 1.0, 1_530_936, 143_078_976),
    (1, 1.5, 2_992_032, 308_096_352),
    (1, 2.0, 4_917_744, 550_334_592),
    (2, 0.25, 252_732, 12_638_784),
    (2, 0.5, 677_520, 40_906_464),
    (2, 1.0, 1_732_848, 140_836_512),
    (2, 1.5, 3_341_000, 308_992_448),
    (2, 2.0, 5_256_896, 539_138_624),
    (3, 0.25, 305_124, 13_300_656),
    (3, 0.5, 717_324, 37_589_856),
    (3, 1.0, 1_864_728, 137_460_672),
    (3, 1.5, 3_441_168, 292_443_552),
    (3, 2.0, 5_449_776, 524_045_184),
    (4, 0.25, 314_004, 12_323_328),
    (4, 0.5, 834_984, 40_710_528),
    (4, 1.0, 1_967_344, 134_339_776),
    (4, 1.5, 3_678_712, 295_086_976),
    (4, 2.0, 5_592_528, 510_289_536),
    (8, 0.25, 453_504, 12_426_240),
    (8, 0.5, 1_010_448, 40_469_760),
    (8, 1.0, 2_433_768, 138_365_952),
    (8, 1.5, 4_268_952, 290_188_800),
    (8, 2.0, 6_521_232, 521_942_016),
)
# What `--option` can set, with the defaults; the input's shape gives in_channels.
OPTIONS: Mapping[str, Any] = {
    "shuffle": "paper",
    "squeeze_excite": False,
    "shallow": False,
    "classifier_bias": False,
    "num_classes": 1000,
}
# The variants of Table 5 that are described by their names alone: groups, scale, the builder's
# option, parameters, multiply-accumulates, published row, what is inferred.
VARIANTS: tuple[tuple[int, float, str, int, int, Published, str], ...] = (
    (
        3,
        2.0,
        "squeeze_excite",
        7_909_083,
        526_487_712,
        {"top1": 75.3, "macs": 527e6},
        "inferred: squeeze-and-excite with a reduction of 16 at the end of each unit's main branch "
        "reproduces the printed 527M; the paper tells neither place nor reduction",
    ),
    (
        3,
        0.5,
        "shallow",
        949_914,
        41_634_216,
        {"top1": 57.2, "macs": 40e6},
        "inferred: half the units, (2, 4, 2), made 1.5 times wider come nearest to the printed 40M; "
        "the paper does not tell the widths",
    ),
)
SUFFIXES: Mapping[str, str] = {"squeeze_excite": "se", "shallow": "shallow"}
ALIASES: Mapping[str, str] = {"shufflenet_v1": "shufflenet_v1_g3_x1_0"}

# Top-1 error in percent, Table 2, for groups 1, 2, 3, 4, 8.
_SHUFFLENET_ERRORS: Mapping[str, tuple[float, ...]] = {
    "x1_0": (33.6, 32.7, 32.6, 32.8, 32.4),
    "x0_5": (45.1, 44.4, 43.2, 41.6, 42.3),
    "x0_25": (57.1, 56.8, 55.0, 54.2, 52.7),
}
# What the other tables add: multiply-accumulates, and Snapdragon 820 latency (one thread).
_SHUFFLENET_EXTRA: Mapping[str, Published] = {
    "g1_x1_0": {"macs": 143e6, "source": f"{_SHUFFLENET} Tables 1, 2"},
    "g2_x1_0": {"macs": 140e6, "source": f"{_SHUFFLENET} Tables 1, 2"},
    "g3_x1_0": {
        "macs": 137e6,
        "latency_ms": {
            "snapdragon_820_1_thread": 37.8,
            "snapdragon_820_1_thread_640x480": 222.2,
            "snapdragon_820_1_thread_1280x720": 684.5,
        },
        "source": f"{_SHUFFLENET} Tables 1, 2, 8",
    },
    "g4_x1_0": {"macs": 133e6, "source": f"{_SHUFFLENET} Tables 1, 2"},
    "g8_x1_0": {"macs": 137e6, "source": f"{_SHUFFLENET} Tables 1, 2"},
    "g3_x0_5": {
        "macs": 38e6,
        "latency_ms": {
            "snapdragon_820_1_thread": 15.2,
            "snapdragon_820_1_thread_640x480": 87.4,
            "snapdragon_820_1_thread_1280x720": 260.1,
        },
        "source": f"{_SHUFFLENET} Tables 2, 8",
    },
    "g3_x1_5": {"top1": 71.5, "macs": 292e6, "source": f"{_SHUFFLENET} Table 5"},
    "g3_x2_0": {
        "top1": 73.7,
        "macs": 524e6,
        "latency_ms": {
            "snapdragon_820_1_thread": 108.8,
            "snapdragon_820_1_thread_640x480": 617.0,
            "snapdragon_820_1_thread_1280x720": 1857.6,
        },
        "source": f"{_SHUFFLENET} Tables 5, 8",
    },
}
# megvii's README: top-1 and top-5 error (percent), parameters and multiply-accumulates (M).
_MEGVII_ROWS: Mapping[str, tuple[float, float, float, float]] = {
    "g3_x2_0": (25.9, 8.6, 5.4, 524.0),
    "g8_x2_0": (27.1, 9.2, 6.5, 522.0),
    "g3_x1_5": (28.4, 9.8, 3.4, 292.0),
    "g8_x1_5": (29.0, 10.4, 4.3, 290.0),
    "g3_x1_0": (32.2, 12.3, 1.9, 138.0),
    "g8_x1_0": (32.0, 13.6, 2.4, 138.0),
    "g3_x0_5": (42.7, 20.0, 0.7, 38.0),
    "g8_x0_5": (41.2, 19.0, 1.0, 40.0),
}
_TABLE_1_NOTE = (
    "Table 1 leaves the classifier out of its multiply-accumulates, the counts here hold it"
)


def _build(**options: Any) -> nn.Module:
    from edgezoo.models.shufflenet import ShuffleNetV1

    return ShuffleNetV1(**options)


def _paper_rows() -> Mapping[str, Published]:
    rows: dict[str, dict[str, Any]] = {}
    for scale, errors in _SHUFFLENET_ERRORS.items():
        for groups, error in zip((1, 2, 3, 4, 8), errors, strict=True):
            row = {"top1": round(100 - error, 1), "source": f"{_SHUFFLENET} Table 2"}
            rows[f"g{groups}_{scale}"] = row
    for key, extra in _SHUFFLENET_EXTRA.items():
        rows[key] = rows.get(key, {}) | dict(extra)
    return rows


def _published(key: str, paper: Mapping[str, Published]) -> Published:
    rows = [paper[key]] if key in paper else []
    if key in _MEGVII_ROWS:
        error1, error5, params, macs = _MEGVII_ROWS[key]
        rows.append(
            {
                "top1": round(100 - error1, 1),
                "top5": round(100 - error5, 1),
                "params": million(params),
                "macs": million(macs),
                "source": _MEGVII,
            }
        )
    return joined(rows, _TABLE_1_NOTE if key.endswith("x1_0") else None)


def _spec(
    name: str, params: int, macs: int, published: Published, built: Mapping[str, Any]
) -> ModelSpec:
    return ModelSpec(
        name=name,
        family="shufflenet",
        build=partial(_build, **built),
        input=INPUT,
        params=params,
        macs=macs,
        published=published,
        options={name: built.get(name, default) for name, default in OPTIONS.items()},
        preprocessing_with=(({"shuffle": "megvii"}, MEGVII_PREPROCESSING),),
    )


def _specs() -> Iterator[ModelSpec]:
    paper = _paper_rows()
    for groups, scale, params, macs in SHUFFLENETS:
        key = f"g{groups}_{multiplier(scale)}"
        built = {"groups": groups, "scale": scale}
        yield _spec(f"shufflenet_v1_{key}", params, macs, _published(key, paper), built)
    for groups, scale, option, params, macs, row, note in VARIANTS:
        name = f"shufflenet_v1_g{groups}_{multiplier(scale)}_{SUFFIXES[option]}"
        published = joined([{**row, "source": f"{_SHUFFLENET} Table 5"}], note)
        built = {"groups": groups, "scale": scale, option: True}
        yield _spec(name, params, macs, published, built)


SPECS: tuple[ModelSpec, ...] = tuple(_specs())
