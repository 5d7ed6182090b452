"""Average pools as depthwise convolutions with constant weights.

An int8 AVERAGE_POOL_2D leaves the XNNPACK partition, a depthwise convolution does not: with the
other passes it takes int8 ShuffleNet from 4 partitions to 1 (measured), at no cost in float32.
"""

from __future__ import annotations

import numpy as np

from edgezoo.graph.attrs import Conv2d, Pool2d
from edgezoo.graph.graph import Graph, Node
from edgezoo.graph.passes.edit import Edit


def average_as_convolution(graph: Graph) -> Graph:
    """Return ``graph`` with every ``avg_pool2d`` as a depthwise ``conv2d``."""
    edit = Edit(graph)
    for original in graph.nodes:
        node = edit.resolve(original)
        if node.op == "avg_pool2d" and isinstance(node.attrs, Pool2d):
            edit.keep(_convolution(edit, node, node.attrs), changed=True)
        else:
            edit.keep(node)
    return edit.finish()


def _convolution(edit: Edit, node: Node, pool: Pool2d) -> Node:
    channels = edit.shape(node.inputs[0])[1]
    height, width = pool.kernel
    weight = np.full((channels, 1, height, width), 1 / (height * width), np.float64)
    inputs = (
        node.inputs[0],
        edit.constant(f"{node.output}/weight", weight),
        edit.constant(f"{node.output}/bias", np.zeros(channels)),
    )
    attrs = Conv2d(pool.activation, pool.stride, pool.padding, (1, 1), channels)
    return Node("conv2d", inputs, node.output, attrs, node.source)
