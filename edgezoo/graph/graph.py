"""The graph in the middle: values, nodes with one output each, constants as numpy arrays.

Layouts are PyTorch's (NCHW, weights OIHW); only the TFLite writer knows NHWC. A graph is frozen:
passes return new ones. What a newcomer gets wrong: a constant is a value like any other, its array
lives in ``constants``; a quantized constant holds integers there, and ``Value.quant`` says which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from edgezoo.graph.attrs import Attrs
from edgezoo.types import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTEGER_RANGES = {"int8": (-128, 127), "int32": (-(2**31), 2**31 - 1)}


@dataclass(frozen=True, slots=True, eq=False)
class QuantParams:
    """An affine integer grid: ``real = scale * (q - zero_point)``, q in the range of ``dtype``.

    ``scale`` is float32 and ``zero_point`` int64, both of shape (1,) per tensor or (channels,) along
    ``axis``. Specification: https://ai.google.dev/edge/litert/models/quantization_spec.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int | None = None
    dtype: str = "int8"

    def __post_init__(self) -> None:
        if self.scale.shape != self.zero_point.shape or self.scale.ndim != 1:
            raise ValueError("scale and zero_point are vectors of one length")
        if self.axis is None and self.scale.size != 1:
            raise ValueError("a per-tensor grid has one scale")
        if not (np.all(np.isfinite(self.scale)) and np.all(self.scale > 0)):
            raise ValueError("scales are finite and positive")

    def same_grid(self, other: QuantParams | None) -> bool:
        """Tell whether both map integers to the same real numbers."""
        return (
            other is not None
            and self.axis == other.axis
            and self.dtype == other.dtype
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor that flows through the graph; ``dtype`` is numpy's name of what it holds."""

    name: str
    shape: Shape
    dtype: str = "float32"
    quant: QuantParams | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: ``output = op(*inputs, attrs)``; ``source`` is the module path it came from."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attrs: Attrs = Attrs()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in execution order over named values; see the module docstring."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    values: Mapping[str, Value] = field(repr=False)
    constants: Mapping[str, NDArray[np.generic]] = field(repr=False)

    def shape(self, name: str) -> Shape:
        """Return the shape of a value."""
        return self.values[name].shape


def producers(graph: Graph) -> dict[str, Node]:
    """Map each computed value to the node that makes it."""
    return {node.output: node for node in graph.nodes}


def use_counts(graph: Graph) -> Counter[str]:
    """Count the readers of each value; being a graph output counts as one."""
    counts = Counter(name for node in graph.nodes for name in node.inputs)
    counts.update(graph.outputs)
    return counts


def rebuild(
    graph: Graph,
    nodes: Iterable[Node],
    *,
    values: Mapping[str, Value] | None = None,
    constants: Mapping[str, NDArray[np.generic]] | None = None,
    outputs: tuple[str, ...] | None = None,
) -> Graph:
    """Return ``graph`` with other nodes, dropping what no output needs any more.

    ``values`` and ``constants`` are additions; inputs of the graph always stay.
    """
    kept_outputs = graph.outputs if outputs is None else outputs
    needed, live = set(kept_outputs), []
    for node in reversed(tuple(nodes)):
        if node.output in needed:
            live.append(node)
            needed.update(node.inputs)
    needed.update(graph.inputs)
    all_values = {**graph.values, **(values or {})}
    all_constants = {**graph.constants, **(constants or {})}
    return replace(
        graph,
        nodes=tuple(reversed(live)),
        outputs=kept_outputs,
        values={name: value for name, value in all_values.items() if name in needed},
        constants={name: array for name, array in all_constants.items() if name in needed},
    )


def check(graph: Graph) -> None:
    """Raise ``ValueError`` where the graph breaks its own promises (a bug in a pass, not in a model)."""
    known = set(graph.inputs) | set(graph.constants)
    names = [*graph.inputs, *graph.constants, *(node.output for node in graph.nodes)]
    if missing := [name for name in names if name not in graph.values]:
        raise ValueError(f"{missing} have no Value")
    for name, value in graph.values.items():
        if name != value.name:
            raise ValueError(f"{name} is called {value.name}")
    for name, array in graph.constants.items():
        value = graph.values[name]
        if array.shape != value.shape or str(array.dtype) != value.dtype:
            raise ValueError(f"constant {name}: {array.dtype}{array.shape} is not {value}")
    for node in graph.nodes:
        missing = [name for name in node.inputs if name not in known]
        if missing:
            raise ValueError(f"{node.op} {node.output} reads {missing} before they exist")
        if node.output in known:
            raise ValueError(f"{node.output} is written twice")
        known.add(node.output)
    if lost := [name for name in graph.outputs if name not in known]:
        raise ValueError(f"outputs {lost} are never computed")


def dequantized(array: NDArray[np.generic], quant: QuantParams) -> NDArray[np.float64]:
    """Return ``scale * (array - zero_point)`` in float64, per channel along ``quant.axis``."""
    shape = [1] * array.ndim
    if quant.axis is not None:
        shape[quant.axis] = -1
    scale = quant.scale.astype(np.float64).reshape(shape)
    return (array.astype(np.float64) - quant.zero_point.reshape(shape)) * scale
