"""The table of the zoo: one row registers a network under its name.

Nothing here imports torch, so that ``edgezoo list`` is fast: a row's builder imports its family's
module when it is called, and the exact counts are literals that the tests prove.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from edgezoo.errors import ModelNotFoundError
from edgezoo.models.published import PUBLISHED
from edgezoo.models.scaling import SCALINGS
from edgezoo.models.sources import EFFICIENTNET_LITE0, MEGVII_PREPROCESSING, tf_preprocessing
from edgezoo.types import ModelSpec, Preprocessing, WeightsSource

if TYPE_CHECKING:
    from torch import nn

INPUT = (1, 3, 224, 224)

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
SOURCES: Mapping[str, tuple[WeightsSource, ...]] = {
    "efficientnet_lite0": (EFFICIENTNET_LITE0,),
    "tf_efficientnet_lite0": (EFFICIENTNET_LITE0,),
}
# What `--option` can set, by family, with the defaults; the input's shape gives in_channels.
SHUFFLENET_OPTIONS: Mapping[str, Any] = {"shuffle": "paper", "num_classes": 1000}
MNASNET_OPTIONS: Mapping[str, Any] = {"flavour": "timm", "first_skip": True, "num_classes": 1000}
ALIASES: Mapping[str, str] = {
    "shufflenet_v1": "shufflenet_v1_g3_x1_0",
    "mnasnet_a1": "mnasnet_a1_x1_0",
    "mnasnet_b1": "mnasnet_b1_x1_0",
}


def _build_shufflenet(**options: Any) -> nn.Module:
    from edgezoo.models.shufflenet import ShuffleNetV1

    return ShuffleNetV1(**options)


def _build_mnasnet(**options: Any) -> nn.Module:
    from edgezoo.models.mnasnet import mnasnet

    return mnasnet(**options)


def _build_efficientnet(**options: Any) -> nn.Module:
    from edgezoo.models.efficientnet import efficientnet

    return efficientnet(**options)


def _multiplier(value: float) -> str:
    return "x" + str(value).replace(".", "_")


def _shufflenet_specs() -> Iterator[ModelSpec]:
    for groups, scale, params, macs in SHUFFLENETS:
        name = f"shufflenet_v1_g{groups}_{_multiplier(scale)}"
        yield ModelSpec(
            name=name,
            family="shufflenet",
            build=partial(_build_shufflenet, groups=groups, scale=scale),
            input=INPUT,
            params=params,
            macs=macs,
            published=PUBLISHED.get(name, {}),
            options=SHUFFLENET_OPTIONS,
            preprocessing_with=(({"shuffle": "megvii"}, MEGVII_PREPROCESSING),),
        )


def _mnasnet_specs() -> Iterator[ModelSpec]:
    rows = [
        (f"mnasnet_{variant}_{_multiplier(width)}", variant, width, params, macs)
        for variant, width, params, macs in MNASNETS
    ]
    rows.append(("mnasnet_small", "small", 1.0, 2_030_264, 68_339_184))
    for name, variant, width, params, macs in rows:
        yield ModelSpec(
            name=name,
            family="mnasnet",
            build=partial(_build_mnasnet, variant=variant, width=width),
            input=INPUT,
            params=params,
            macs=macs,
            published=PUBLISHED.get(name, {}),
            options=MNASNET_OPTIONS,
        )


def _efficientnet_specs(prefix: str, flavour: str) -> Iterator[ModelSpec]:
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
            build=partial(_build_efficientnet, **asdict(scaling), flavour=flavour),
            input=(1, 3, side, side),
            params=params,
            macs=macs,
            published=PUBLISHED.get(name, {}),
            preprocessing=preprocessing,
            weights=SOURCES.get(prefix + name, ()),
            options={"flavour": flavour, "num_classes": 1000},
            preprocessing_with=(({"flavour": "tf"}, tf_preprocessing(side, lite=scaling.lite)),),
        )


def _by_name(specs: Iterable[ModelSpec]) -> Mapping[str, ModelSpec]:
    table: dict[str, ModelSpec] = {}
    for spec in specs:
        if spec.name in table:
            raise ValueError(f"two networks are registered as {spec.name}")
        table[spec.name] = spec
    return table


MODELS: Mapping[str, ModelSpec] = _by_name(
    (
        *_shufflenet_specs(),
        *_mnasnet_specs(),
        *_efficientnet_specs("", "timm"),
        *_efficientnet_specs("tf_", "tf"),
    )
)


def list_models() -> tuple[ModelSpec, ...]:
    """Return every network of the zoo, family by family."""
    return tuple(MODELS.values())


def get_model(name: str) -> ModelSpec:
    """Return the network called ``name`` or by its short alias.

    Raises ``ModelNotFoundError`` with the nearest names.
    """
    spec = MODELS.get(ALIASES.get(name, name))
    if spec is not None:
        return spec
    wanted = name.lower().replace("-", "_")
    nearest = difflib.get_close_matches(wanted, [*ALIASES, *MODELS], n=3)
    advice = f"did you mean {' or '.join(nearest)}" if nearest else "see `edgezoo list`"
    raise ModelNotFoundError(
        f"no network is called {name!r}; {advice}, or give your own as package.module:factory"
    )
