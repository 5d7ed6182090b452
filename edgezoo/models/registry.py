"""The table of the zoo: every family's networks by name.

A new family is one file in ``specs`` and one entry in ``FAMILIES``. Nothing here imports torch, so
that ``edgezoo list`` is fast: a spec's builder imports its network's module when it is called, and
the exact counts are literals that the tests prove.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from edgezoo.errors import ModelNotFoundError
from edgezoo.models.specs import efficientnet, mnasnet, nfnet, residual_attention, shufflenet
from edgezoo.types import ModelSpec

if TYPE_CHECKING:
    from torch import nn

FAMILIES = (shufflenet, mnasnet, efficientnet, nfnet, residual_attention)
# Options that every family's builder has, with their least values.
LEAST: Mapping[str, int] = {"num_classes": 0, "in_channels": 1}


def _by_name(specs: Iterable[ModelSpec]) -> Mapping[str, ModelSpec]:
    table: dict[str, ModelSpec] = {}
    for spec in specs:
        if spec.name in table:
            raise ValueError(f"two networks are registered as {spec.name}")
        table[spec.name] = replace(spec, build=partial(_build, spec))
    return table


def _build(spec: ModelSpec, **options: Any) -> nn.Module:
    """Build a network that knows its name, its options and its input.

    Named weights can be found for it, and its photos be prepared. Raises ``ValueError`` for options
    that it cannot be built with.
    """
    for name, least in LEAST.items():
        if options.get(name, least) < least:
            raise ValueError(f"{name}={options[name]} is less than {least}")
    module = spec.build(**options)
    known: dict[str, object] = {"zoo_name": spec.name, "zoo_options": options}
    if not hasattr(module, "default_input"):
        channels = options.get("in_channels", spec.input[1])
        known["default_input"] = (spec.input[0], channels, *spec.input[2:])
    for name, value in known.items():
        object.__setattr__(module, name, value)  # no layer and no tensor, so nothing to register
    return module


MODELS: Mapping[str, ModelSpec] = _by_name(spec for family in FAMILIES for spec in family.SPECS)
# Short names where a default is obvious.
ALIASES: Mapping[str, str] = {
    alias: name for family in FAMILIES for alias, name in family.ALIASES.items()
}
# Names in the papers that have numbers and no architecture: `info` tells them, nothing builds them.
PUBLISHED_ONLY = mnasnet.PUBLISHED_ONLY


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
    if name in PUBLISHED_ONLY:
        raise ModelNotFoundError(f"{PUBLISHED_ONLY[name]['note']}; take another network")
    wanted = name.lower().replace("-", "_")
    nearest = difflib.get_close_matches(wanted, [*ALIASES, *MODELS], n=3)
    advice = f"did you mean {' or '.join(nearest)}" if nearest else "see `edgezoo list`"
    raise ModelNotFoundError(
        f"no network is called {name!r}; {advice}, or give your own as package.module:factory"
    )
