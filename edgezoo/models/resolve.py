"""From what a user calls a model to a module with weights, and a record of where both came from.

MODEL is a zoo name, ``package.module:factory`` (the user's own network) or, in Python, a module or
a ``ModelSpec``. Random weights are never taken silently: where no weights are known, the caller is
asked for a file or the word ``random``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgezoo.errors import UsageError, WeightsError
from edgezoo.models.factory import build_user_module, factory_name
from edgezoo.models.registry import get_model
from edgezoo.models.sources import find_source
from edgezoo.types import (
    LoadedModel,
    ModelSpec,
    Origin,
    Preprocessing,
    Shape,
    WeightsSource,
)

if TYPE_CHECKING:
    from torch import nn

    from edgezoo.models.state_files import Checkpoint

Options = dict[str, Any]  # Any: a builder's options are of many types
Progress = Callable[[str], None]
KINDS: Mapping[type, str] = {
    int: "whole number",
    float: "number with a point",
    bool: "true or false",
    str: "word",
}


def load_model(
    model: str | nn.Module | ModelSpec,
    *,
    weights: str | None,
    seed: int = 0,
    input: Shape | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress = lambda message: None,
) -> LoadedModel:
    """Return ``model`` in eval mode, float32, without gradients, with its weights and its origin.

    ``weights`` is a file, the name of a published source, ``default`` (the first source) or
    ``random`` (drawn from ``seed``; the global generator is left as it was). ``None`` takes the
    first published source of a zoo network and the factory's own weights of a user's network.
    ``input`` (batch, channels, height, width) overrides the zoo's. For a user's network it is
    (batch, …) and required, unless the module has it in an attribute ``default_input``, as the
    zoo's do. ``options`` are a zoo network's builder's and win over those that the weights imply.
    A module object is copied, never changed.

    Raises ``ModelNotFoundError``, ``WeightsError`` or ``UsageError``.
    """
    if isinstance(model, str) and ":" not in model:
        model = get_model(model)
    if isinstance(model, ModelSpec):
        shape = check_zoo_input(input or model.input)
        asked = check_options(model, options or {})
        return _load_zoo_model(model, weights, seed, shape, asked, progress)
    name = model if isinstance(model, str) else factory_name(model)
    if options:
        raise UsageError(
            f"{name} is called without arguments and takes no options ({', '.join(options)}); "
            "write a factory that sets them"
        )
    return _load_user_model(model, name, weights, seed, input)


def _check_input(shape: Shape) -> Shape:
    if len(shape) < 2 or min(shape) < 1:
        given = "x".join(map(str, shape))
        raise UsageError(f"input {given} is not batch x …, all positive, as in 1x3x224x224")
    return tuple(shape)


def check_zoo_input(shape: Shape) -> Shape:
    """Return ``shape``; raises ``UsageError`` unless it is (batch, channels, height, width)."""
    if len(shape) != 4 or min(shape) < 1:
        given = "x".join(map(str, shape))
        raise UsageError(
            f"input {given} is not batch x channels x height x width, as in 1x3x224x224"
        )
    return tuple(shape)


def check_options(spec: ModelSpec, options: Mapping[str, Any]) -> Options:
    """Return the builder's options that the user sets.

    Raises ``UsageError`` for names that ``spec`` does not have, all of them at once, and for values
    of another type than the default.
    """
    known = ", ".join(f"{name}={value}" for name, value in spec.options.items())
    unknown = [name for name in options if name not in spec.options]
    if unknown:
        raise UsageError(
            f"{spec.name} has no option {' or '.join(unknown)}; it has {known} (the defaults)"
        )
    for name, value in options.items():
        kind = type(spec.options[name])
        if type(value) is not kind:
            raise UsageError(
                f"option {name}={value} of {spec.name} is no {KINDS[kind]}; "
                f"the default is {name}={spec.options[name]}"
            )
    return dict(options)


def resize_preprocessing(preprocessing: Preprocessing, shape: Shape) -> Preprocessing:
    """Return ``preprocessing`` for an input of ``shape``, keeping the crop's share of the photo.

    For an input that is not square ``size`` is the longer side; an input that is not of rank 4
    leaves ``preprocessing`` as it is.
    """
    size = max(shape[2:], default=0) if len(shape) == 4 else 0
    if size in (0, preprocessing.size):
        return preprocessing
    resize = round(preprocessing.resize * size / preprocessing.size)
    return replace(preprocessing, size=size, resize=resize)


def channel_options(spec: ModelSpec, shape: Shape) -> Options:
    """Return the builder's option that an input of other channels than the table's needs."""
    return {"in_channels": shape[1]} if shape[1] != spec.input[1] else {}


# ------------------------------------------------------------------------- zoo networks


def _load_zoo_model(
    spec: ModelSpec,
    weights: str | None,
    seed: int,
    shape: Shape,
    asked: Options,
    progress: Progress,
) -> LoadedModel:
    options = {**channel_options(spec, shape), **asked}
    source = None if weights == "random" else _find_source(spec, weights)
    if weights == "random":
        used = "random"
        module = _build_random(spec, options, seed)
    elif source is not None:
        used = source.name
        options = {**source.options, **options}
        checkpoint = _read(source.locate(progress))
        module = _build_with(spec, options, checkpoint, f"{source.name} ({source.source})")
    else:
        used = _require_file(spec, weights)
        checkpoint = _read(Path(used))
        options = {**implied_options(spec, checkpoint), **options}
        module = _build_with(spec, options, checkpoint, used)
    preprocessing = source.preprocessing if source else preprocessing_of(spec, options)
    return LoadedModel(
        name=spec.name,
        module=_freeze(module),
        origin=Origin(spec.name, used, _sha256(module), seed, shape, options),
        preprocessing=resize_preprocessing(preprocessing, shape),
        labels=spec.labels,
        spec=spec,
    )


def _find_source(spec: ModelSpec, weights: str | None) -> WeightsSource | None:
    if weights is None or weights == "default":
        if not spec.weights:
            raise WeightsError(
                f"no weights are known for {spec.name}; "
                "give a file with --weights FILE or take random ones with --weights random"
            )
        return spec.weights[0]
    return find_source(spec.weights, weights)


def _require_file(spec: ModelSpec, weights: str | None) -> str:
    from edgezoo.models.state_files import SUFFIXES

    assert weights is not None
    path = Path(weights)
    if not path.is_file() and not weights.endswith(SUFFIXES):
        names = ", ".join(["random", *(source.name for source in spec.weights)])
        raise WeightsError(
            f"weights {weights!r} of {spec.name} are neither an existing file nor one of {names}"
        )
    return weights


def implied_options(spec: ModelSpec, checkpoint: Checkpoint) -> Options:
    """Return the builder's options that the file's naming implies, such as SAME padding."""
    from edgezoo.models.namings import recognise
    from edgezoo.models.state_files import strip_prefixes

    naming = recognise(strip_prefixes(checkpoint))
    if naming.family not in (None, spec.family):
        return {}
    return {name: value for name, value in naming.options.items() if name in spec.options}


def preprocessing_of(spec: ModelSpec, options: Mapping[str, Any]) -> Preprocessing:
    """Return what networks built with ``options`` were trained on, where no source tells.

    Options that a published source implies stand for all files of its kind, such as torchvision's.
    """
    published = ((source.options, source.preprocessing) for source in spec.weights)
    for needed, preprocessing in (*spec.preprocessing_with, *published):
        if needed and all(options.get(name) == value for name, value in needed.items()):
            return preprocessing
    return spec.preprocessing


def module_preprocessing(module: nn.Module) -> Preprocessing:
    """Return how the photos of a built module are prepared.

    The weights that ``load_weights`` put into it decide, else what it was built as; of a module from
    outside the zoo nothing is known.
    """
    loaded, name = getattr(module, "preprocessing", None), getattr(module, "zoo_name", None)
    if isinstance(loaded, Preprocessing):
        return loaded
    if isinstance(name, str):
        options: Any = module.zoo_options  # set beside the name
        return preprocessing_of(get_model(name), options)
    return Preprocessing()


def build(spec: ModelSpec, options: Options) -> nn.Module:
    """Build the network; a value that the builder refuses is the user's mistake."""
    try:
        return spec.build(**options)
    except ValueError as error:
        raise UsageError(f"{spec.name} cannot be built: {error}") from error


def _build_random(spec: ModelSpec, options: Options, seed: int) -> nn.Module:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(spec, options)


def _build_with(
    spec: ModelSpec, options: Options, checkpoint: Checkpoint, source: str
) -> nn.Module:
    import torch

    from edgezoo.models.weights import load_checkpoint

    with torch.device("meta"):  # spares the initialisation that the state overwrites
        module = build(spec, options)
    module.to_empty(device="cpu")
    load_checkpoint(module, checkpoint, source=source)
    return module


# ---------------------------------------------------------------------- user's networks


def _load_user_model(
    model: str | nn.Module, name: str, weights: str | None, seed: int, input: Shape | None
) -> LoadedModel:
    module, fresh = build_user_module(model, seed) if isinstance(model, str) else (model, False)
    _refuse_scripted(module, name)
    shape = _user_input(module, name, input)
    if weights == "random" and not fresh:
        raise WeightsError(
            f"{name} is a built module and cannot draw random weights again; leave weights out"
        )
    if not fresh:
        module = copy.deepcopy(module)
    used = "factory" if isinstance(model, str) else "object"
    if weights is not None and weights != "random":
        from edgezoo.models.weights import load_checkpoint

        load_checkpoint(module, _read(Path(weights)), source=weights)
        used = weights
    return LoadedModel(
        name=name.replace(":", "."),
        module=_freeze(module.float()),
        origin=Origin(name, used, _sha256(module), seed, shape),
        preprocessing=resize_preprocessing(module_preprocessing(module), shape),
        labels=None,
    )


def _user_input(module: nn.Module, name: str, input: Shape | None) -> Shape:
    shape = getattr(module, "default_input", None) if input is None else input
    if not isinstance(shape, tuple):
        raise UsageError(
            f"the input shape of {name} is not known; give it as in --input 1x3x224x224"
        )
    return _check_input(shape)


def _refuse_scripted(module: nn.Module, name: str) -> None:
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        raise UsageError(
            f"{name} is a TorchScript module, which torch.export cannot trace; "
            "give the torch.nn.Module that it was made from"
        )


def _read(path: Path) -> Checkpoint:
    from edgezoo.models.state_files import read_state_file

    return read_state_file(path)


def _sha256(module: nn.Module) -> str:
    from edgezoo.models.weights import state_sha256

    return state_sha256(module)


def _freeze(module: nn.Module) -> nn.Module:
    return module.eval().requires_grad_(False)
