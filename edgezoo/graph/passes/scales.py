"""Get rid of multiplications by a number, or do them where there is less to multiply.

Normalizer-free networks scale every activation and every branch (arXiv 2102.06171, section 2). A
number multiplied in front of a convolution is a convolution with other weights; one behind a gate of
one pixel per channel belongs to the gate. What follows its own convolution ``fold_affine`` takes.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from edgezoo.graph.attrs import Fusable, Reduce
from edgezoo.graph.graph import Graph, Node
from edgezoo.graph.passes.edit import Array, Edit

LINEAR = frozenset({"conv2d", "conv_transpose2d", "linear"})


def absorb_scales(graph: Graph) -> Graph:
    """Return ``graph`` with products by a number in the weights that read them, or on smaller tensors."""
    edit = Edit(graph)
    for original in graph.nodes:
        node = edit.resolve(original)
        scaled = _scaled_input(edit, node)
        moved = None if scaled is None else _absorbed(edit, node, *scaled)
        edit.keep(node if moved is None else moved, changed=moved is not None)
    return edit.finish()


def _scaled_input(edit: Edit, node: Node) -> tuple[Node, float] | None:
    """Return the product by a number that is the node's first input, and the number."""
    before = edit.made.get(node.inputs[0])
    if before is None or before.op != "mul" or before.attrs != Fusable():
        return None
    factor = _number(edit.array(before.inputs[1]))
    grows = edit.shape(before.inputs[0]) != edit.shape(before.output)
    return None if factor is None or grows else (before, factor)


def _number(array: Array | None) -> float | None:
    return float(array.flat[0]) if array is not None and array.size == 1 else None


def _absorbed(edit: Edit, node: Node, product: Node, factor: float) -> Node | None:
    """Return ``node`` without the product in front of it."""
    if node.op in LINEAR and (weight := edit.array(node.inputs[1])) is not None:
        # what pads a convolution is 0, scaled or not
        scaled = edit.constant(node.inputs[1], np.multiply(weight, factor, dtype=np.float64))
        return replace(node, inputs=(product.inputs[0], scaled, *node.inputs[2:]))
    if node.op == "mean" and edit.single_use(product.output):
        return _swapped(edit, node, product)
    return None


def _swapped(edit: Edit, node: Node, product: Node) -> Node | None:
    """Take the mean first: one number per channel is left to scale."""
    assert isinstance(node.attrs, Reduce)
    mean = edit.insert(replace(node, inputs=(product.inputs[0],), output=f"{node.output}/unscaled"))
    factor = edit.array(product.inputs[1])
    assert factor is not None
    flat = edit.constant(product.inputs[1], factor.reshape((1,) * len(edit.shape(mean))))
    return replace(product, inputs=(mean, flat), output=node.output, source=node.source)


def scale_gates(graph: Graph) -> Graph:
    """Return ``graph`` with ``(x * gate) * number`` as ``x * (gate * number)`` for smaller gates."""
    edit = Edit(graph)
    for original in graph.nodes:
        node = edit.resolve(original)
        gated = _gated(edit, node)
        edit.keep(node if gated is None else gated, changed=gated is not None)
    return edit.finish()


def _gated(edit: Edit, node: Node) -> Node | None:
    product = edit.made.get(node.inputs[0])
    if node.op != "mul" or _number(edit.array(node.inputs[1])) is None or product is None:
        return None
    if product.op != "mul" or product.attrs != Fusable() or not edit.single_use(product.output):
        return None
    size, rank = prod(edit.shape(node.output)), len(edit.shape(node.output))
    for index, gate in enumerate(product.inputs):
        computed = edit.array(gate) is None
        if computed and prod(edit.shape(gate)) < size and len(edit.shape(gate)) == rank:
            scaled = edit.insert(
                Node("mul", (gate, node.inputs[1]), f"{node.output}/gate", Fusable(), node.source)
            )
            inputs = (product.inputs[1 - index], scaled)
            return replace(node, inputs=inputs)
    return None
