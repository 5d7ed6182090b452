"""The numeric schemes: pure data, one table."""

from __future__ import annotations

from collections.abc import Mapping

from edgezoo.errors import UsageError
from edgezoo.types import Recipe

# Floors: float files differ from PyTorch by summation order only (113 dB measured on Lite0). Int8
# ImageNet networks reach 15 dB and more; under 6 dB half of the signal is noise.
RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("fp32", weight_bits=None, activation_bits=None, floor_db=80.0),
        Recipe("w8a8", weight_bits=8, activation_bits=8, floor_db=6.0),
    )
}


def get_recipe(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in RECIPES:
        raise UsageError(f"recipe {name!r} is not known; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def get_quantized_recipe(name: str) -> Recipe:
    """Return a recipe that quantizes.

    Raises:
        UsageError: there is none of that name, or it keeps everything in float32.
    """
    quantizing = [r.name for r in RECIPES.values() if r.weight_bits is not None]
    if name not in quantizing:
        known = "does not quantize" if name in RECIPES else "is not known"
        raise UsageError(f"recipe {name!r} {known}; choose one of {', '.join(quantizing)}")
    return RECIPES[name]
