"""Collects nodes and constants while a program is lowered to the graph.

A handler gets ``Ref`` for values that depend on the input and plain torch tensors for constants;
``emit`` turns constants into graph constants and infers the shape of the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from edgezoo.graph.attrs import Attrs
from edgezoo.graph.graph import Graph, Node, Value
from edgezoo.graph.ops import OPS, infer_shape
from edgezoo.types import Shape


@dataclass(frozen=True, slots=True)
class Ref:
    """A value computed at run time."""

    name: str
    shape: Shape


Operand = Ref | Tensor


@dataclass(slots=True)
class Builder:
    """A graph under construction; ``scope`` and ``label`` name the next nodes."""

    name: str
    scope: str = ""
    label: str = ""
    nodes: list[Node] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    known: dict[int, tuple[Tensor, str]] = field(default_factory=dict)
    parameter_names: dict[int, str] = field(default_factory=dict)

    def input(self, name: str, shape: Shape) -> Ref:
        """Declare an input of the graph."""
        unique = self._unique(name)
        self.values[unique] = Value(unique, shape)
        self.inputs.append(unique)
        return Ref(unique, shape)

    def constant(self, tensor: Tensor, name: str | None = None) -> Ref:
        """Store a constant as float32, once per tensor object; float64 waits for the last pass."""
        if id(tensor) in self.known:
            kept = self.known[id(tensor)][1]
            return Ref(kept, self.values[kept].shape)
        base = name or self.parameter_names.get(id(tensor)) or f"{self._base()}/constant"
        unique = self._unique(base)
        exact = tensor.detach() if tensor.dtype is torch.float64 else tensor.detach().float()
        array = exact.contiguous().numpy()
        self.values[unique] = Value(unique, tuple(array.shape), str(array.dtype))
        self.constants[unique] = array
        self.known[id(tensor)] = (tensor, unique)  # holding it keeps the id from being reused
        return Ref(unique, tuple(array.shape))

    def emit(self, op: str, *operands: Operand, attrs: Attrs | None = None) -> Ref:
        """Append a node and return its output."""
        refs = [o if isinstance(o, Ref) else self.constant(o) for o in operands]
        attrs = OPS[op].attrs() if attrs is None else attrs
        shape = infer_shape(op, attrs, [ref.shape for ref in refs])
        output = self._unique(self._base())
        self.values[output] = Value(output, shape)
        self.nodes.append(Node(op, tuple(ref.name for ref in refs), output, attrs, self.scope))
        return Ref(output, shape)

    def graph(self, outputs: tuple[str, ...]) -> Graph:
        """Return the finished graph."""
        return Graph(
            self.name, tuple(self.inputs), outputs, tuple(self.nodes), self.values, self.constants
        )

    def _base(self) -> str:
        return "/".join(part for part in (self.scope, self.label) if part) or "value"

    def _unique(self, name: str) -> str:
        unique, count = name, 1
        while unique in self.values:
            unique, count = f"{name}_{count}", count + 1
        return unique
