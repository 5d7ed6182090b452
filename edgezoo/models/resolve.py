"""From what a user calls a model to a module with weights, and a record of where both came from.

MODEL is a zoo name, ``package.module:factory`` (the user's own network) or, in Python, a module or
a ``ModelSpec``. Random weights are never taken silently: where no weights are known, the caller is
asked for a file or the word ``random``.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgezoo.errors import UsageError, WeightsError
from edgezoo.models.factory import build_user_module, factory_name
from edgezoo.models.registry import get_model
from edgezoo.types import (
    LoadedModel,
    ModelInfo,
    ModelSpec,
    Origin,
    Preprocessing,
    Shape,
    WeightsSource,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

Options = dict[str, Any]  # Any: a builder's options are of many types


def load_model(
    model: str | nn.Module | ModelSpec,
    *,
    weights: str | None,
    seed: int = 0,
    input: Shape | None = None,
) -> LoadedModel:
    """Return ``model`` in eval mode, float32, without gradients, with its weights and its origin.

    ``weights`` is a file, the name of a published source, ``default`` (the first source) or
    ``random`` (drawn from ``seed``; the global generator is left as it was). ``None`` takes the
    first published source of a zoo network and the factory's own weights of a user's network.
    ``input`` (1, channels, height, width) overrides the zoo's and is required for a user's network.
    A module object is copied, never changed.

    Raises ``ModelNotFoundError``, ``WeightsError`` or ``UsageError``.
    """
    if isinstance(model, str) and ":" not in model:
        model = get_model(model)
    if isinstance(model, ModelSpec):
        return _load_zoo_model(model, weights, seed, _check_input(input or model.input))
    name = model if isinstance(model, str) else factory_name(model)
    if input is None:
        raise UsageError(f"the input shape of {name} is not known; give it as 1x3x224x224")
    return _load_user_model(model, name, weights, seed, _check_input(input))


def model_info(model: str | nn.Module | ModelSpec, input: Shape | None = None) -> ModelInfo:
    """Return the counts of a network; a zoo network's come from the table, without building it.

    Another ``input`` than the table's, or a user's network (``input`` is then required), is built
    and counted.
    """
    if isinstance(model, str) and ":" not in model:
        model = get_model(model)
    if isinstance(model, ModelSpec):
        return _zoo_info(model, _check_input(input or model.input))
    from edgezoo.models.counts import count_macs, count_params

    loaded = load_model(model, weights=None, input=input)
    return ModelInfo(
        name=loaded.name,
        family="user",
        params=count_params(loaded.module),
        macs=count_macs(loaded.module, loaded.origin.input),
        input=loaded.origin.input,
        published={},
        preprocessing=loaded.preprocessing,
    )


def _zoo_info(spec: ModelSpec, shape: Shape) -> ModelInfo:
    params, macs = spec.params, spec.macs
    if shape != spec.input:
        import torch

        from edgezoo.models.counts import count_macs, count_params

        with torch.device("meta"):
            module = spec.build(**_channel_options(spec, shape))
        params, macs = count_params(module), count_macs(module, shape)
    return ModelInfo(
        name=spec.name,
        family=spec.family,
        params=params,
        macs=macs,
        input=shape,
        published=spec.published,
        weights=tuple(source.name for source in spec.weights),
        preprocessing=resize_preprocessing(spec.preprocessing, shape),
    )


def _check_input(shape: Shape) -> Shape:
    if len(shape) != 4 or shape[0] != 1 or min(shape) < 1:
        given = "x".join(map(str, shape))
        raise UsageError(f"input {given} is not 1 x channels x height x width, as in 1x3x224x224")
    return tuple(shape)


def resize_preprocessing(preprocessing: Preprocessing, shape: Shape) -> Preprocessing:
    """Return ``preprocessing`` for an input of ``shape``, keeping the crop's share of the photo.

    For an input that is not square ``size`` is the longer side; photos cannot fill such an input.
    """
    size = max(shape[2:])
    if size == preprocessing.size:
        return preprocessing
    resize = round(preprocessing.resize * size / preprocessing.size)
    return replace(preprocessing, size=size, resize=resize)


def _channel_options(spec: ModelSpec, shape: Shape) -> Options:
    return {"in_channels": shape[1]} if shape[1] != spec.input[1] else {}


# ------------------------------------------------------------------------- zoo networks


def _load_zoo_model(spec: ModelSpec, weights: str | None, seed: int, shape: Shape) -> LoadedModel:
    options = _channel_options(spec, shape)
    preprocessing = spec.preprocessing
    source = _find_source(spec, weights)
    if weights == "random":
        module = _build_random(spec, options, seed)
        used = "random"
    elif source is not None:
        options = {**source.options, **options}
        preprocessing, used = source.preprocessing, source.name
        state = _load_file(source.locate())
        module = _build_with(spec, options, state, f"{source.name} ({source.source})")
    else:
        used = _require_file(spec, weights)
        state = _load_file(Path(used))
        options = {**_trained_with(state), **options}
        preprocessing = _preprocessing_of(spec, options)
        module = _build_with(spec, options, state, used)
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
    return next((source for source in spec.weights if source.name == weights), None)


def _require_file(spec: ModelSpec, weights: str | None) -> str:
    from edgezoo.models.weights import SUFFIXES

    assert weights is not None
    path = Path(weights)
    if not path.is_file() and path.suffix not in SUFFIXES:
        names = ", ".join(["random", *(source.name for source in spec.weights)])
        raise WeightsError(
            f"weights {weights!r} of {spec.name} are neither an existing file nor one of {names}"
        )
    return weights


def _trained_with(state: dict[str, Tensor]) -> Options:
    """Return the builder's options that the file's naming implies, such as SAME padding."""
    from edgezoo.models.weights import recognise

    return dict(recognise(state).options)


def _preprocessing_of(spec: ModelSpec, options: Options) -> Preprocessing:
    """Files trained with the same options as published weights want their photos the same way."""
    for source in spec.weights:
        if options and source.options == options:
            return source.preprocessing
    return spec.preprocessing


def _build_random(spec: ModelSpec, options: Options, seed: int) -> nn.Module:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return spec.build(**options)


def _build_with(
    spec: ModelSpec, options: Options, state: dict[str, Tensor], source: str
) -> nn.Module:
    import torch

    from edgezoo.models.weights import fit_state_dict

    with torch.device("meta"):  # spares the initialisation that the state overwrites
        module = spec.build(**options)
    module.to_empty(device="cpu")
    fit_state_dict(module, state, source=source)
    return module


# ---------------------------------------------------------------------- user's networks


def _load_user_model(
    model: str | nn.Module, name: str, weights: str | None, seed: int, shape: Shape
) -> LoadedModel:
    module, fresh = build_user_module(model, seed) if isinstance(model, str) else (model, False)
    if weights == "random" and not fresh:
        raise WeightsError(
            f"{name} is a built module and cannot draw random weights again; leave weights out"
        )
    if not fresh:
        module = copy.deepcopy(module)
    used = "factory"
    if weights is not None and weights != "random":
        from edgezoo.models.weights import fit_state_dict

        fit_state_dict(module, _load_file(Path(weights)), source=weights)
        used = weights
    return LoadedModel(
        name=name.replace(":", "."),
        module=_freeze(module.float()),
        origin=Origin(name, used, _sha256(module), seed, shape),
        preprocessing=resize_preprocessing(Preprocessing(), shape),
        labels=None,
    )


def _load_file(path: Path) -> dict[str, Tensor]:
    from edgezoo.models.weights import load_state_file

    return load_state_file(path)


def _sha256(module: nn.Module) -> str:
    from edgezoo.models.weights import state_sha256

    return state_sha256(module)


def _freeze(module: nn.Module) -> nn.Module:
    return module.eval().requires_grad_(False)
