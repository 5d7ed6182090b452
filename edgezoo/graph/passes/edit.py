"""Rewrites a graph node by node, in order; what every pass is written with."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from edgezoo.graph.graph import Graph, Node, Value, rebuild, use_counts
from edgezoo.graph.ops import infer_shape
from edgezoo.types import Shape

Array = np.ndarray[Any, np.dtype[Any]]


class Edit:
    """New nodes and constants on top of ``graph``.

    A pass walks ``graph.nodes`` once, calls ``resolve`` on each and then ``keep`` (possibly with a changed
    node), ``alias`` or ``absorb``. Dead nodes disappear at the end.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made: dict[str, Node] = {}
        self.modified = False
        self._uses: Counter[str] = use_counts(graph)
        self._reading: tuple[str, ...] = ()
        self._nodes: list[Node] = []
        self._aliases: dict[str, str] = {}
        self._values: dict[str, Value] = {}
        self._constants: dict[str, Array] = {}

    def resolve(self, node: Node) -> Node:
        """Take up the next node, its inputs looked up through the aliases."""
        inputs = tuple(self._aliases.get(name, name) for name in node.inputs)
        self._reading = inputs
        return node if inputs == node.inputs else replace(node, inputs=inputs)

    def keep(self, node: Node, *, changed: bool = False) -> None:
        """Append the node that was taken up, or what it has become."""
        self._settle()
        self._uses.update(node.inputs)
        self._nodes.append(node)
        self.made[node.output] = node
        self.modified |= changed

    def remake(self, node: Node) -> None:
        """Replace the node already kept for ``node.output``."""
        before = self.made[node.output]
        self._uses.subtract(before.inputs)
        self._uses.update(node.inputs)
        self._nodes[self._nodes.index(before)] = self.made[node.output] = node
        self.modified = True

    def alias(self, name: str, target: str) -> None:
        """Drop the node that was taken up: readers of ``name`` read ``target`` instead."""
        self._settle()
        self._aliases[name] = target
        self._uses[target] += self._uses.pop(name, 0)
        self.modified = True

    def absorb(self, node: Node, into: Node) -> None:
        """Let ``into``, kept before, also do the work of ``node``, which was taken up."""
        self.remake(into)
        self.alias(node.output, into.output)

    def may_alias(self, name: str, target: str) -> bool:
        """Tell whether ``name`` can become ``target``: each output of the graph needs its own node."""
        if name not in self.graph.outputs:
            return True
        taken = {self._aliases.get(output, output) for output in self.graph.outputs}
        return target in self.made and target not in taken

    def insert(self, node: Node) -> str:
        """Append a node that writes a new value, named after ``node.output``; return the name."""
        output = self._fresh(node.output)
        shape = infer_shape(node.op, node.attrs, [self.shape(name) for name in node.inputs])
        self._values[output] = Value(output, shape)
        self._uses.update(node.inputs)
        made = replace(node, output=output)
        self._nodes.append(made)
        self.made[output] = made
        self.modified = True
        return output

    def constant(self, name: str, array: Array) -> str:
        """Add a constant and return its name."""
        unique = self._fresh(name)
        self._values[unique] = Value(unique, tuple(array.shape), str(array.dtype))
        self._constants[unique] = array
        return unique

    def shape(self, name: str) -> Shape:
        """Return the shape of a value, old or new."""
        return (self._values[name] if name in self._values else self.graph.values[name]).shape

    def array(self, name: str) -> Array | None:
        """Return a constant's array, or ``None`` for computed values."""
        found = self._constants.get(name)
        return self.graph.constants.get(name) if found is None else found

    def single_use(self, name: str) -> bool:
        """Tell whether one node, and no output of the graph, reads ``name``."""
        return self._uses[name] == 1

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

    def _settle(self) -> None:
        """Forget what the node taken up reads: it is replaced, or counted anew."""
        self._uses.subtract(self._reading)
        self._reading = ()
