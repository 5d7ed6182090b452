"""Average pools as depthwise convolutions."""

from __future__ import annotations

import torch.nn.functional as F

from edgezoo.graph.attrs import Conv2d
from edgezoo.graph.passes.pooling import average_as_convolution
from tests.graph.pass_checks import assert_same, graph_of, ops


def test_an_average_pool_becomes_a_depthwise_convolution() -> None:
    graph = graph_of(lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 0)))
    after = average_as_convolution(graph)
    assert ops(after) == ["conv2d"]
    assert after.nodes[0].attrs == Conv2d(None, (2, 1), (1, 1, 0, 0), (1, 1), 4)
    assert_same(graph, after)
