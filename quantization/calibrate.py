"""Static quantization of a graph: observe, try range rules, keep what held-out photos prefer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgezoo.compare import EXACT_DB, sqnr_db
from edgezoo.errors import NonFiniteError
from edgezoo.graph.graph import Graph, QuantParams, Value
from edgezoo.graph.interpreter import compile_graph
from edgezoo.quantization.assemble import Rounded, assemble
from edgezoo.quantization.assign import (
    SHARED,
    activation_grids,
    insert_borders,
    shared_grids,
)
from edgezoo.quantization.expand import expand_hardswish
from edgezoo.quantization.moments import Moments, MomentWatch
from edgezoo.quantization.observe import Observer
from edgezoo.quantization.qparams import activation_grid
from edgezoo.quantization.ranges import RULES, Rule, min_max
from edgezoo.quantization.rounding import ROUNDED, round_layers

Array = np.ndarray[Any, np.dtype[Any]]


REPAIRS = ("compensated_rounding", "bias_correction")
MOMENT_PHOTOS = 24  # enough for the covariances, and a third of calibration's time
SELECTION_PHOTOS = 8  # enough to tell the rules apart


@dataclass(frozen=True, slots=True)
class Observations:
    """What calibration saw: one observer per group of values that share a grid, and the moments
    of every layer's inputs, by the layer's output.
    """

    groups: Mapping[str, str]
    observers: Mapping[str, Observer]
    moments: Mapping[str, Moments]


@dataclass(frozen=True, slots=True)
class Quantized:
    """A quantized graph, the rule that was kept, and what every rule reached in dB."""

    graph: Graph
    rule: str
    rules: Mapping[str, float]
    repairs: tuple[str, ...]


def run_all(graph: Graph, inputs: Sequence[Array], *, fake_quantize: bool = True) -> list[Array]:
    """Return the graph's outputs for all batches ``inputs``, in float32."""
    program = compile_graph(graph, fake_quantize=fake_quantize)
    with torch.inference_mode():
        results = [program.run(torch.from_numpy(batch)) for batch in inputs]
    return [torch.cat(parts).numpy() for parts in zip(*results, strict=True)]


def observe(graph: Graph, inputs: Sequence[Array]) -> Observations:
    """Run calibration inputs through a graph with borders and watch every free value.

    Values that only move data are skipped: their elements were seen at the source.

    Raises:
        NonFiniteError: an activation is NaN or infinite.
    """
    groups = shared_grids(graph)
    moving = {node.output for node in graph.nodes if node.op in SHARED}
    observers: dict[str, Observer] = {}
    moments = MomentWatch(graph, (node for node in graph.nodes if node.op in ROUNDED))

    def watch(value: Value, tensor: Tensor) -> None:
        group = groups.get(value.name)
        if group is not None and value.name not in moving:
            _update(observers.setdefault(group, Observer()), value, tensor)

    def watch_closely(value: Value, tensor: Tensor) -> None:
        watch(value, tensor)
        moments.take(value, tensor)

    program = compile_graph(graph)
    stride = max(len(inputs) // MOMENT_PHOTOS, 1)
    with torch.inference_mode():
        for index, batch in enumerate(inputs):
            close = index % stride == 0 and index // stride < MOMENT_PHOTOS
            program.run(torch.from_numpy(batch), observe=watch_closely if close else watch)
    for name, group in groups.items():
        if name in graph.constants:
            constant = torch.from_numpy(np.array(graph.constants[name]))
            _update(observers.setdefault(group, Observer()), graph.values[name], constant)
    return Observations(groups, observers, moments.moments)


def _update(observer: Observer, value: Value, tensor: Tensor) -> None:
    observer.update(tensor)
    if not np.isfinite(observer.low + observer.high):
        raise NonFiniteError(
            f"{value.name} holds NaN or infinity during calibration; check the weights"
        )


def grids_by(graph: Graph, observed: Observations, rule: Rule) -> dict[str, QuantParams]:
    """Return the grid of every integer value under one range rule."""

    def grid_of(group: str) -> QuantParams:
        observer = observed.observers.get(group)
        return activation_grid(0.0, 1.0) if observer is None else activation_grid(*rule(observer))

    return activation_grids(graph, observed.groups, grid_of)


def quantize(
    graph: Graph,
    calibration: Sequence[Array],
    selection: Sequence[Array],
    *,
    rules: Mapping[str, Rule] = RULES,
    progress: Callable[[str], None] = lambda message: None,
) -> Quantized:
    """Return ``graph`` (optimized, float) in int8, ranges from the batches ``calibration``.

    Each rule of ``rules`` is tried; the one with the best SQNR on ``selection``, which calibration
    never saw, is kept. Weights are rounded against their inputs' moments, unless plain rounding does
    better there.
    """
    prepared = insert_borders(expand_hardswish(graph))
    progress(f"observing activations on {len(calibration)} inputs")
    observed = observe(prepared, calibration)
    progress("rounding weights")
    rounded = round_layers(prepared, observed.moments, grids_by(prepared, observed, min_max))
    held_out = selection[:SELECTION_PHOTOS]
    reference = run_all(prepared, held_out, fake_quantize=False)

    def attempt(rule: Rule, weights: Mapping[str, Rounded]) -> tuple[float, Graph]:
        candidate = assemble(prepared, grids_by(prepared, observed, rule), weights)
        return round(score(reference, run_all(candidate, held_out)), 3), candidate

    scores: dict[str, float] = {}
    best: tuple[float, str, Graph] | None = None
    for name, rule in rules.items():
        progress(f"trying range rule {name}")
        scores[name], candidate = attempt(rule, rounded)
        if best is None or scores[name] > best[0]:
            best = (scores[name], name, candidate)
    assert best is not None
    plain_score, plain = attempt(rules[best[1]], {})
    if plain_score > best[0]:
        return Quantized(plain, best[1], {**scores, f"{best[1]}, nearest": plain_score}, ())
    return Quantized(best[2], best[1], scores, REPAIRS)


def score(reference: list[Array], candidate: list[Array]) -> float:
    """Return the SQNR in dB over all outputs; NaN or infinity is as bad as it gets."""
    pairs = zip(reference, candidate, strict=True)
    levels = [sqnr_db(e, o) if np.isfinite(o).all() else -EXACT_DB for e, o in pairs]
    return float(np.mean(levels))
