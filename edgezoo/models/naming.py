"""What a convention for parameter names is; each family's are in its own file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Naming:
    """A convention for parameter names: how to recognise it and how to translate it.

    ``options`` are the builder's options that files of this naming were always trained with; they
    concern networks of ``family`` only (``None``: of any). Where the names are edgezoo's own,
    ``wrapped_in`` is what gives a file away: the dicts and prefixes around its state dict.
    """

    name: str
    recognise: Callable[[Mapping[str, Tensor]], bool]
    translate: Callable[[Mapping[str, Tensor], nn.Module], dict[str, Tensor]]
    options: Mapping[str, Any] = field(default_factory=dict)
    family: str | None = None
    wrapped_in: tuple[str, ...] = ()


def same_names(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Return ``state`` as it is: the names are edgezoo's."""
    return dict(state)


def rename_layers(state: Mapping[str, Tensor], rename: Callable[[str], str]) -> dict[str, Tensor]:
    """Return ``state`` with ``layer.parameter`` as ``rename(layer).parameter``."""
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        layer, dot, leaf = key.rpartition(".")
        renamed[f"{rename(layer)}.{leaf}" if dot else key] = tensor
    return renamed


def block_places(module: nn.Module, stages: str) -> list[str]:
    """Return ``stage.block`` of every block of ``module``, in the order of the forward pass.

    Those who number blocks through need it to tell where a stage ends. A module without such stages
    has none.
    """
    found = getattr(module, stages, None)
    if not isinstance(found, nn.Module):
        return []
    return [f"{s}.{b}" for s, stage in found.named_children() for b, _ in stage.named_children()]
