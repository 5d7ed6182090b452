"""The verbs that only look: what the zoo holds, and what is known of one network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgezoo import artifacts
from edgezoo.errors import UsageError
from edgezoo.types import SUFFIXES, ModelInfo, ModelSpec, Shape

if TYPE_CHECKING:
    from torch import nn


def get_model(name: str) -> ModelSpec:
    """Return a zoo model's specification; ``get_model(name).build()`` gives the module.

    Raises:
        ModelNotFoundError: no such model; the nearest names are listed.
    """
    from edgezoo.models.registry import get_model as find

    return find(name)


def list_models(
    family: str | None = None,
    *,
    min_params: float | None = None,
    max_params: float | None = None,
    min_macs: float | None = None,
    max_macs: float | None = None,
    min_top1: float | None = None,
    max_latency_ms: Mapping[str, float] | None = None,
    sort: str | None = None,
) -> tuple[ModelInfo, ...]:
    """Return what the zoo's table holds of its models: of all, of a family, or within bounds.

    Bounds are inclusive; ``min_top1`` is percent, and a device of ``max_latency_ms`` stands for all
    published ones whose name starts so (``pixel1``). ``sort`` is ``name``, ``params``, ``macs``,
    ``top1`` (best first) or ``latency``; without it they come family by family.

    Raises:
        UsageError: there is no such family, device or order.
    """
    from edgezoo.models.look import choose, table_info
    from edgezoo.models.registry import list_models as specs

    families = tuple(dict.fromkeys(spec.family for spec in specs()))
    if family not in (None, *families):
        raise UsageError(f"no family is called {family!r}; choose from {', '.join(families)}")
    return choose(
        (table_info(spec) for spec in specs() if family in (None, spec.family)),
        params=(min_params, max_params),
        macs=(min_macs, max_macs),
        min_top1=min_top1,
        max_latency_ms=max_latency_ms,
        sort=sort,
    )


def plot_models(path: str | Path) -> Path:
    """Write a page with the whole zoo's published accuracy over its multiply-accumulates.

    One HTML file that needs no network.

    Raises:
        UsageError: the path does not end in .html.
        OutputError: it cannot be written.
    """
    if Path(path).suffix not in (".html", ".htm"):
        raise UsageError(f"{path} would hold a web page; give it a name ending in .html")
    from edgezoo.models.look import unbuildable_info
    from edgezoo.models.registry import PUBLISHED_ONLY
    from edgezoo.report.zoo import write_zoo_page

    unbuildable = tuple(unbuildable_info(name) for name in PUBLISHED_ONLY)
    return write_zoo_page((*list_models(), *unbuildable), Path(path))


def info(
    model: str | Path | nn.Module | ModelSpec,
    *,
    input: Shape | None = None,
    options: Mapping[str, Any] | None = None,
    layers: bool = False,
) -> ModelInfo:
    """Return exact parameters and MACs of a network, in all and per stage, and published numbers.

    ``layers`` adds the counts of every layer.

    Raises:
        ModelNotFoundError: MODEL names nothing.
        UsageError: a user's network without ``input`` (batch, channels, height, width).
    """
    from edgezoo.models.look import model_info

    if isinstance(model, (str, Path)) and Path(model).suffix in SUFFIXES.values():
        origin = artifacts.origin_of(artifacts.read_manifest(Path(model)))
        built_with = {**artifacts.builder_options(origin), **(options or {})}
        return model_info(origin.model, input or origin.input, built_with, layers=layers)
    return model_info(
        str(model) if isinstance(model, Path) else model, input, options, layers=layers
    )


def refuse_unknown(model: object) -> None:
    """Raise ``ModelNotFoundError`` for a misspelt zoo name at once, before torch is imported."""
    if isinstance(model, str) and ":" not in model and Path(model).suffix not in SUFFIXES.values():
        get_model(model)
