"""Weights fitted into modules, whatever naming they come in: all of them or none.

Weights that do not fit are refused as a whole: the message names what is missing, unexpected and of
another shape, the error's attributes hold all of it, and the module stays untouched. Weights that
fit but were trained for another function (other padding, another channel shuffle) are refused too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgezoo.errors import WeightsError, WeightsMismatchError
from edgezoo.models.naming import Naming
from edgezoo.models.namings import recognise
from edgezoo.models.state_files import Checkpoint, strip_prefixes

MOST_NAMED = 10  # keys of each kind in a message
# Where networks of the zoo have their classifier.
CLASSIFIERS = ("classifier", "classifier.0", "head.fc", "fc")


def fit_state_dict(module: nn.Module, state: Mapping[str, Tensor], *, source: str) -> Naming:
    """Load ``state`` into ``module`` and return the naming it was in; all of it or nothing.

    As ``load_checkpoint``, for a state dict that nothing wraps.
    """
    return load_checkpoint(module, Checkpoint(state), source=source)


def load_checkpoint(
    module: nn.Module,
    checkpoint: Checkpoint,
    *,
    source: str,
    naming: Naming | None = None,
    options: Mapping[str, Any] | None = None,
) -> Naming:
    """Load a checkpoint into ``module`` and return the naming it was in; all of it or nothing.

    ``naming`` is recognised by the keys where it is not given. ``options`` are what the weights were
    trained with; a module that says that it was built otherwise is refused. Missing
    ``num_batches_tracked`` counters become 0, and a module without a classifier leaves the file's
    out. ``source`` names the weights in messages.

    Raises ``WeightsMismatchError`` with all missing, unexpected and mis-shaped keys, and
    ``WeightsError`` for other options and for a tensor that holds NaN or infinity.
    """
    target = module.state_dict()
    checkpoint = strip_prefixes(checkpoint, target)
    naming = naming or recognise(checkpoint)
    fitted = naming.translate(checkpoint.state, module)
    for key, tensor in target.items():
        if key.endswith("num_batches_tracked") and key not in fitted:
            fitted[key] = torch.zeros_like(tensor)
    for key in _spare_classifier(module, fitted):
        del fitted[key]
    conflicts = option_conflicts(module, options or {})
    _refuse_mismatches(_compare(fitted, target), f"{source} do not fit {_kind(module)}", conflicts)
    if conflicts:
        raise WeightsError(
            f"weights {source} were trained with {_pairs(conflicts)} and would compute something "
            f"else in this {_kind(module)}; build it with {_pairs(conflicts)}, or give "
            "flavour='native' to load them all the same"
        )
    _refuse_non_finite(fitted, source)
    module.load_state_dict(fitted)
    return naming


def option_conflicts(module: nn.Module, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those ``options`` under which ``module`` would compute something else.

    Zoo modules keep in ``fits`` the values of an option that are one function to them; what a module
    does not mention is no conflict.
    """
    fits = getattr(module, "fits", {})
    return {name: value for name, value in options.items() if value not in fits.get(name, (value,))}


def _pairs(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


def _kind(module: nn.Module) -> str:
    return str(getattr(module, "zoo_name", type(module).__name__))


def _spare_classifier(module: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Return the classifier's keys of ``state`` where ``module`` was built without a classifier."""
    modules = dict(module.named_modules())
    for name in CLASSIFIERS:
        holder = name.removesuffix(".0")
        empty = holder in modules and not any(True for _ in modules[holder].parameters())
        if empty and f"{name}.weight" in state:
            return [key for key in (f"{name}.weight", f"{name}.bias") if key in state]
    return []


def _refuse_non_finite(state: Mapping[str, Tensor], source: str) -> None:
    for key, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"weights {source} hold NaN or infinity in {key}; give an undamaged file"
            )


# -------------------------------------------------------------------------- mismatches


@dataclass(frozen=True, slots=True)
class Differences:
    """How a state dict differs from a module's; ``misshaped`` maps keys to both kinds of tensor."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshaped: Mapping[str, tuple[Tensor, Tensor]]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.misshaped)


def _compare(state: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Differences:
    return Differences(
        missing=tuple(key for key in target if key not in state),
        unexpected=tuple(key for key in state if key not in target),
        misshaped={
            key: (state[key], tensor)
            for key, tensor in target.items()
            if key in state and _shape(state[key]) != _shape(tensor)
        },
    )


def _shape(tensor: Tensor) -> str:
    """Describe what must agree: shape, and whether the values are floating point."""
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    return shape if tensor.is_floating_point() else f"{shape} of integers"


def _refuse_mismatches(found: Differences, what: str, conflicts: Mapping[str, Any]) -> None:
    if not found:
        return
    misshaped = tuple(
        f"{key} {_shape(given)} instead of {_shape(wanted)}"
        for key, (given, wanted) in found.misshaped.items()
    )
    lists = (
        ("missing", found.missing),
        ("unexpected", found.unexpected),
        ("mis-shaped", misshaped),
    )
    problems = [f"{len(keys)} {word} ({_first(keys)})" for word, keys in lists if keys]
    raise WeightsMismatchError(
        f"weights {what}: {'; '.join(problems)}; {_advice(found, conflicts)}",
        missing=found.missing,
        unexpected=found.unexpected,
        misshaped=misshaped,
    )


def _first(keys: Sequence[str]) -> str:
    more = len(keys) - MOST_NAMED
    return ", ".join(keys[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _advice(found: Differences, conflicts: Mapping[str, Any]) -> str:
    if found.missing or found.unexpected:
        return "give the weights of this network"
    classes = _classes(found)
    if classes is not None:
        return (
            f"the file's classifier has {classes} classes: build the network with as many "
            f"(--num-classes {classes}), or give weights with its number of classes"
        )
    if conflicts:
        return f"build the network with {_pairs(conflicts)}"
    return "give the weights of this network"


def _classes(found: Differences) -> int | None:
    """Return the file's number of classes if nothing but the classifier differs, and only in that."""
    layers = {key.rpartition(".")[0] for key in found.misshaped}
    pairs = found.misshaped.values()
    rows = {tuple(given.shape)[:1] for given, _ in pairs}
    same_inside = all(
        given.ndim == wanted.ndim > 0 and given.shape[1:] == wanted.shape[1:]
        for given, wanted in pairs
    )
    if len(layers) != 1 or len(rows) != 1 or not same_inside or not layers <= {*CLASSIFIERS}:
        return None
    return int(next(iter(rows))[0])


# ---------------------------------------------------------------------------- identity


def state_sha256(module: nn.Module) -> str:
    """Return the SHA-256 over name, dtype, shape and bytes of every tensor of the state dict."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
