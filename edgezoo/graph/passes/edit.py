"""Rewrites a graph node by node, in order; what every pass is written with."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from edgezoo.graph.attrs import Attrs
from edgezoo.graph.graph import Graph, Node, Value, rebuild, use_counts
from edgezoo.graph.ops import infer_shape
from edgezoo.types import Shape

Array = np.ndarray[Any, np.dtype[Any]]


class Edit:
    """New nodes, values and constants on top of ``graph``.

    A pass walks ``graph.nodes`` once and calls ``keep`` (possibly with a changed node) or ``alias`` for
    each. Inputs are looked up through the aliases made so far; dead nodes disappear at the end.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.uses: Counter[str] = use_counts(graph)
        self.made: dict[str, Node] = {}
        self.modified = False
        self._nodes: list[Node] = []
        self._aliases: dict[str, str] = {}
        self._values: dict[str, Value] = {}
        self._constants: dict[str, Array] = {}

    def resolve(self, node: Node) -> Node:
        """Return ``node`` with its inputs looked up through the aliases."""
        inputs = tuple(self._aliases.get(name, name) for name in node.inputs)
        return node if inputs == node.inputs else replace(node, inputs=inputs)

    def keep(self, node: Node, *, changed: bool = False) -> None:
        """Append a node that writes one of the graph's own values."""
        self._nodes.append(node)
        self.made[node.output] = node
        self.modified |= changed

    def remake(self, node: Node) -> None:
        """Replace the node already kept for ``node.output``."""
        index = self._nodes.index(self.made[node.output])
        self._nodes[index] = self.made[node.output] = node
        self.modified = True

    def alias(self, name: str, target: str) -> None:
        """Let every later reader of ``name`` read ``target`` instead."""
        self._aliases[name] = self._aliases.get(target, target)
        self.modified = True

    def add(self, op: str, inputs: tuple[str, ...], name: str, attrs: Attrs, source: str) -> str:
        """Append a node that writes a new value and return the value's name."""
        output = self._fresh(name)
        shape = infer_shape(op, attrs, [self.value(i).shape for i in inputs])
        self._values[output] = Value(output, shape)
        self.keep(Node(op, inputs, output, attrs, source), changed=True)
        return output

    def constant(self, name: str, array: Array) -> str:
        """Add a constant and return its name."""
        unique = self._fresh(name)
        self._values[unique] = Value(unique, tuple(array.shape), str(array.dtype))
        self._constants[unique] = array
        return unique

    def value(self, name: str) -> Value:
        """Return a value, old or new."""
        return self._values[name] if name in self._values else self.graph.values[name]

    def shape(self, name: str) -> Shape:
        """Return the shape of a value, old or new."""
        return self.value(name).shape

    def array(self, name: str) -> Array | None:
        """Return a constant's array, or ``None`` for computed values."""
        found = self._constants.get(name)
        return self.graph.constants.get(name) if found is None else found  # type: ignore[return-value]  # np.generic is what arrays hold

    def single_use(self, name: str) -> bool:
        """Tell whether one node, and no output of the graph, reads ``name``."""
        return self.uses[name] == 1

    def finish(self) -> Graph:
        """Return the new graph, or the old one if nothing was changed."""
        if not self.modified:
            return self.graph
        outputs = tuple(self._aliases.get(name, name) for name in self.graph.outputs)
        return rebuild(
            self.graph,
            self._nodes,
            values=self._values,
            constants=self._constants,
            outputs=outputs,
        )

    def _fresh(self, name: str) -> str:
        unique, count = name, 1
        while unique in self._values or unique in self.graph.values:
            unique, count = f"{name}_{count}", count + 1
        return unique
