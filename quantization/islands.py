"""Which nodes stay float: those without an int8 kernel, and the arithmetic that belongs to them.

A layer norm is mean, subtract, square, mean, add, rsqrt, multiply; only rsqrt has no int8 kernel, but a
variance in eight bits is worth little, and a small epsilon is zero on its grid.
"""

from __future__ import annotations

from collections.abc import Callable

from edgezoo.graph.graph import Graph, Node

# what may follow a float neighbour out of the integers; never what carries weights
ARITHMETIC = frozenset({"add", "sub", "mul", "mean", "sum", "max", "min", "clip", "relu"})
RESCALING = frozenset({"mul", "add", "sub", "div"})


def float_values(graph: Graph, has_kernel: Callable[[Node], bool]) -> frozenset[str]:
    """Return the names of all values that are computed in float.

    Starts at the nodes without an int8 kernel and grows: forward to what scales by their result or
    shifts it by constants, backward to arithmetic whose every reader is float.
    """
    real = {node.output for node in graph.nodes if not has_kernel(node)}
    readers: dict[str, list[str]] = {name: ["the caller"] for name in graph.outputs}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node.output)
    size = -1
    while len(real) != size:
        size = len(real)
        for node in graph.nodes:
            if node.op in RESCALING and _follows(graph, node, real):
                real.add(node.output)
        for node in reversed(graph.nodes):
            if node.op in ARITHMETIC and all(n in real for n in readers.get(node.output, ())):
                real.add(node.output)
    return frozenset(real)


def _follows(graph: Graph, node: Node, real: set[str]) -> bool:
    """Tell whether a node multiplies by a float statistic, or moves a float value by constants."""
    from_real = [name for name in node.inputs if name in real]
    others = [name for name in node.inputs if name not in real and name not in graph.constants]
    if not from_real:
        return False
    is_statistic = any(graph.shape(name) != graph.shape(node.output) for name in from_real)
    return not others or (node.op in ("mul", "div") and is_statistic)
