"""Runs an artifact right after it is written, and finds the place where a bad one goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgezoo.compare import compare, sqnr_db
from edgezoo.converters.formats import ENTRIES, Runner
from edgezoo.errors import NonFiniteError, VerificationError
from edgezoo.graph.graph import Graph, Value
from edgezoo.graph.interpreter import compile_graph
from edgezoo.types import Comparison, Format, Recipe

Array = np.ndarray[Any, np.dtype[Any]]

JUMP_DB = 6.0  # half of the amplitude lost in one node


@dataclass(frozen=True, slots=True)
class Check:
    """Inputs (n, …) to verify with, PyTorch's outputs for them, and what the inputs are."""

    inputs: Array = field(repr=False)
    reference: Sequence[Array] = field(repr=False)
    source: str
    held_out: bool | None = None


def verify_file(
    runner: Runner,
    path: Path,
    format: Format,
    recipe: Recipe,
    check: Check,
    float_graph: Callable[[], Graph],
    *,
    name: Path | None = None,
) -> Comparison:
    """Run ``path``, which ``runner`` has loaded, and compare its outputs with PyTorch's.

    ``float_graph`` is asked for only where something is wrong; ``name`` is what messages call the
    file, which may still lie under a temporary name.

    Raises:
        NonFiniteError: the file computes NaN or infinity.
        VerificationError: the SQNR is under the recipe's floor; the first bad value is named.
    """
    shown = (name or path).name
    outputs = runner.run(check.inputs)
    if not all(np.isfinite(array).all() for array in outputs):
        raise NonFiniteError(
            f"{shown} computes NaN or infinity on inputs where PyTorch does not; "
            "check the range of its inputs and weights"
        )
    try:
        comparison = compare(check.reference, outputs, inputs=check.source, held_out=check.held_out)
    except ValueError as error:
        raise VerificationError(f"{shown} gives {error}; convert the model again") from error
    if comparison.sqnr_db < recipe.floor_db:
        where = _describe_jump(path, format, check.inputs, float_graph())
        raise VerificationError(
            f"{shown} is at {comparison.sqnr_db:.1f} dB SQNR against PyTorch, under the "
            f"{recipe.floor_db:g} dB that {recipe.name} needs; {where}"
        )
    return comparison


def first_jump(
    reference: dict[str, Array], candidate: dict[str, Array], graph: Graph
) -> tuple[str, float, float] | None:
    """Return the first value whose SQNR falls by ``JUMP_DB`` below its inputs': (name, dB, dB before).

    Where nothing falls at once, the value with the largest fall is returned.
    """
    levels: dict[str, float] = {}
    falls: list[tuple[float, str, float, float]] = []
    for node in graph.nodes:
        before = min((levels[name] for name in node.inputs if name in levels), default=60.0)
        if node.output not in candidate or node.output not in reference:
            levels[node.output] = before
            continue
        level = sqnr_db(reference[node.output], candidate[node.output])
        levels[node.output] = level
        fall = min(before, 60.0) - level
        falls.append((fall, node.output, level, before))
        if fall >= JUMP_DB and level < 20.0:
            return node.output, level, before
    if not falls:
        return None
    _, name, level, before = max(falls)
    return name, level, before


def float_values(graph: Graph, inputs: Array) -> dict[str, Array]:
    """Return every value of the float graph for one batch of ``inputs``, by name."""
    found: dict[str, Array] = {}

    def keep(value: Value, tensor: torch.Tensor) -> None:
        found[value.name] = tensor.detach().contiguous().numpy().copy()

    batch = graph.shape(graph.inputs[0])[0]
    program = compile_graph(graph, fake_quantize=False)
    with torch.inference_mode():
        program.run(torch.from_numpy(inputs[:batch]), observe=keep)
    return found


def first_non_finite(graph: Graph, inputs: Array) -> str | None:
    """Return the name of the first value that holds NaN or infinity."""
    values = float_values(graph, inputs)
    bad = (node.output for node in graph.nodes if not np.isfinite(values[node.output]).all())
    return next(bad, None)


def _describe_jump(path: Path, format: Format, inputs: Array, graph: Graph) -> str:
    candidate = ENTRIES[format].intermediates(path, inputs, graph)
    found = first_jump(float_values(graph, inputs), candidate, graph)
    if found is None:
        return "no value inside the file could be compared"
    name, level, before = found
    return f"the difference jumps at {name} ({level:.1f} dB, {before:.1f} dB before it)"
