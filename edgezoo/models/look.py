"""What is known of a network without making anything: counts, published numbers, weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgezoo.errors import EdgezooError, UsageError
from edgezoo.models.registry import PUBLISHED_ONLY, get_model
from edgezoo.models.resolve import (
    Options,
    build,
    channel_options,
    check_options,
    check_zoo_input,
    load_model,
    preprocessing_of,
    resize_preprocessing,
)
from edgezoo.types import ModelInfo, ModelSpec, Shape

if TYPE_CHECKING:
    from torch import nn

Bounds = tuple[float | None, float | None]


def table_info(spec: ModelSpec) -> ModelInfo:
    """Return what the zoo's table holds of a network, without torch and without its stages."""
    return ModelInfo(
        name=spec.name,
        family=spec.family,
        params=spec.params,
        macs=spec.macs,
        input=spec.input,
        published=spec.published,
        weights=tuple(source.name for source in spec.weights),
        options=spec.options,
        preprocessing=spec.weights[0].preprocessing if spec.weights else spec.preprocessing,
        sources=spec.weights,
        labels=spec.labels,
    )


def unbuildable_info(name: str) -> ModelInfo:
    """Return what was published of a network that has numbers and no architecture."""
    family = name.partition("_")[0]
    return ModelInfo(
        name, family, None, None, None, published=PUBLISHED_ONLY[name], labels="imagenet-1k"
    )


def model_info(
    model: str | nn.Module | ModelSpec,
    input: Shape | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    layers: bool = False,
) -> ModelInfo:
    """Return the counts of a network, in all, per stage and, with ``layers``, per layer.

    A zoo network is built without memory for its weights; a user's network is built as it is, on the
    given ``input``.
    """
    if isinstance(model, str) and model in PUBLISHED_ONLY:
        if input or options:
            raise UsageError(
                f"{PUBLISHED_ONLY[model]['note']}; there is nothing to count, leave the input and "
                "options out"
            )
        return unbuildable_info(model)
    if isinstance(model, str) and ":" not in model:
        model = get_model(model)
    if isinstance(model, ModelSpec):
        shape = check_zoo_input(input or model.input)
        return _zoo_info(model, shape, check_options(model, options or {}), layers)
    loaded = load_model(model, weights=None, input=input, options=options)
    shape = loaded.origin.input
    with _running(loaded.name, shape):
        counted = _counts(loaded.module, shape, layers)
    return ModelInfo(
        name=loaded.name,
        family="user",
        input=shape,
        published={},
        preprocessing=loaded.preprocessing,
        **counted,
    )


def _zoo_info(spec: ModelSpec, shape: Shape, options: Options, layers: bool) -> ModelInfo:
    import torch

    from edgezoo.models.counts import count_macs

    with torch.device("meta"):
        module = build(spec, {**channel_options(spec, shape), **options})
    with _running(spec.name, shape):
        counted = _counts(module, shape, layers)
    # As for the weights that are taken where none are asked for.
    published = bool(spec.weights) and not options
    prepared = spec.weights[0].preprocessing if published else preprocessing_of(spec, options)
    sides = {row["input"] for row in spec.published.get("others", ()) if "input" in row}
    return replace(
        table_info(spec),
        input=shape,
        options={**spec.options, **options},
        preprocessing=resize_preprocessing(prepared, shape),
        macs_at={side: count_macs(module, (*shape[:2], side, side)) for side in sorted(sides)},
        **counted,
    )


def _counts(module: nn.Module, shape: Shape, layers: bool) -> dict[str, Any]:
    """Return the fields of ``ModelInfo`` that counting gives."""
    from edgezoo.models.counts import count_layers, count_stages

    stages = count_stages(module, shape)
    return {
        "params": sum(stage.params for stage in stages),
        "macs": sum(stage.macs for stage in stages),
        "stages": stages,
        "layers": count_layers(module, shape) if layers else (),
    }


@contextmanager
def _running(name: str, shape: Shape) -> Iterator[None]:
    """Report as one sentence what a network's forward() raises on an input that it cannot take."""
    given = "x".join(map(str, shape))
    try:
        yield
    except EdgezooError as error:
        raise UsageError(f"{name} does not run on an input of {given}: {error}") from error
    except Exception as error:  # the user's forward() may raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(
            f"{name} does not run on an input of {given} ({type(error).__name__}: "
            f"{reason[0]}); choose another --input"
        ) from error


# ------------------------------------------------------------------------------ choosing

SORTINGS = ("name", "params", "macs", "top1", "latency")


def choose(
    infos: Iterable[ModelInfo],
    *,
    params: Bounds = (None, None),
    macs: Bounds = (None, None),
    min_top1: float | None = None,
    max_latency_ms: Mapping[str, float] | None = None,
    sort: str | None = None,
) -> tuple[ModelInfo, ...]:
    """Return the networks within all bounds (lowest, highest), in the table's order or by ``sort``.

    ``max_latency_ms`` bounds published latencies: a device is every one whose name starts with the
    given word (``pixel1``), and a network without a published number there is left out. ``top1``
    sorts the best on ImageNet first, everything else the smallest; ``latency`` takes the fastest
    that is within the bounds. Raises ``UsageError`` for a device or an order that does not exist and
    for a ``min_top1`` that is no percentage.
    """
    infos, devices = tuple(infos), max_latency_ms or {}
    known = sorted({device for info in infos for device in latencies_ms(info)})
    for device in devices:
        if not any(name.startswith(device) for name in known):
            raise UsageError(
                f"no latency was published for the device {device!r}; "
                f"choose from {', '.join(known) or 'none: no network here has one'}"
            )
    if sort not in (None, *SORTINGS):
        raise UsageError(f"no order is called {sort!r}; choose from {', '.join(SORTINGS)}")
    if min_top1 is not None and not 0 <= min_top1 <= 100:
        raise UsageError(f"a top-1 of {min_top1} is no percentage; give one from 0 to 100")
    chosen = [
        info
        for info in infos
        if _within(info.params, params)
        and _within(info.macs, macs)
        and _within(_imagenet_top1(info), (min_top1, None))
        and all(_within(_fastest_ms(info, name), (None, most)) for name, most in devices.items())
    ]
    if sort is not None:
        chosen.sort(key=lambda info: _order(info, sort, tuple(devices)))
    return tuple(chosen)


def _within(value: float | None, bounds: Bounds) -> bool:
    lowest, highest = bounds
    if bounds == (None, None):
        return True
    if value is None:
        return False
    return (lowest is None or value >= lowest) and (highest is None or value <= highest)


def _order(info: ModelInfo, sort: str, devices: tuple[str, ...]) -> tuple[bool, float, str]:
    """Return a key: without a number last, then by the number, then by name."""
    top1 = _imagenet_top1(info)
    fastest = [ms for name in devices or ("",) if (ms := _fastest_ms(info, name)) is not None]
    value = {
        "name": 0.0,
        "params": info.params,
        "macs": info.macs,
        "top1": None if top1 is None else -top1,
        "latency": min(fastest, default=None),
    }[sort]
    return value is None, value or 0.0, info.name


def _imagenet_top1(info: ModelInfo) -> float | None:
    """Return the accuracy that may be compared with others'."""
    return top1_of(info) if info.labels in (None, "imagenet-1k") else None


def top1_of(info: ModelInfo) -> float | None:
    """Return the first published top-1 in percent, the paper's where it has one.

    As ``latencies_ms`` it passes over what was published for another input size.
    """
    return next((row["top1"] for row in _own_rows(info) if "top1" in row), None)


def latencies_ms(info: ModelInfo) -> dict[str, float]:
    """Return the published latencies at the network's own input size, by device; the first wins."""
    found: dict[str, float] = {}
    for row in _own_rows(info):
        found = {**row.get("latency_ms", {}), **found}
    return found


def _own_rows(info: ModelInfo) -> list[Mapping[str, Any]]:
    rows = (info.published, *info.published.get("others", ()))
    return [row for row in rows if "input" not in row]


def _fastest_ms(info: ModelInfo, device: str) -> float | None:
    return min(
        (ms for name, ms in latencies_ms(info).items() if name.startswith(device)), default=None
    )
