"""A batch norm that follows no convolution as a depthwise convolution of one pixel.

Pre-activation networks normalise sums (arXiv 1603.05027). XNNPACK multiplies, adds and clips in one go
where it sees such a convolution, and its int8 form rounds once instead of twice.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgezoo.graph.attrs import Conv2d, Fusable
from edgezoo.graph.graph import Graph, Node
from edgezoo.graph.passes.edit import Array, Edit


def normalisation_as_convolution(graph: Graph) -> Graph:
    """Return ``graph`` with every ``x * s + t`` per channel of a picture as one ``conv2d``."""
    edit = Edit(graph)
    for original in graph.nodes:
        node = edit.resolve(original)
        made = _convolution(edit, node)
        edit.keep(node if made is None else made, changed=made is not None)
    return edit.finish()


def _convolution(edit: Edit, node: Node) -> Node | None:
    product = edit.made.get(node.inputs[0])
    if node.op != "add" or product is None or product.op != "mul":
        return None
    if product.attrs != Fusable() or not edit.single_use(product.output):
        return None
    channels = edit.shape(node.output)[1:2]
    scale = _per_channel(edit, product)
    shift = _per_channel(edit, node)
    if channels in ((), (1,)) or scale is None or shift is None:
        return None
    assert isinstance(node.attrs, Fusable)
    inputs = (
        product.inputs[0],
        edit.constant(f"{node.output}/weight", scale.reshape(-1, 1, 1, 1)),
        edit.constant(f"{node.output}/bias", shift),
    )
    attrs = Conv2d(node.attrs.activation, groups=channels[0])
    return replace(node, op="conv2d", inputs=inputs, attrs=attrs)


def _per_channel(edit: Edit, node: Node) -> Array | None:
    """Return the node's constant as a vector over the channels of a picture."""
    constant, shape = edit.array(node.inputs[1]), edit.shape(node.output)
    if constant is None or len(shape) != 4 or edit.shape(node.inputs[0]) != shape:
        return None
    if constant.shape != (1, shape[1], 1, 1):
        return None
    return constant.reshape(-1).astype(np.float64)
