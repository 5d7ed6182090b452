"""What the tests of the passes share: small graphs, and graphs that compute the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from edgezoo.converters.capture import capture
from edgezoo.graph.graph import Graph, check
from edgezoo.graph.interpreter import compile_graph
from edgezoo.graph.ops import infer_shape
from edgezoo.graph.passes import Pass
from edgezoo.types import Shape
from tests.graph.case import PICTURE
from tests.graph.modules import Apply


def outputs(graph: Graph, seed: int = 0) -> list[Tensor]:
    """Run a graph on noise in float64."""
    generator = torch.Generator().manual_seed(seed)
    inputs = [
        torch.randn(graph.shape(name), generator=generator, dtype=torch.float64)
        for name in graph.inputs
    ]
    with torch.inference_mode():
        return list(compile_graph(graph, dtype=torch.float64).run(*inputs))


def assert_same(before: Graph, after: Graph, tolerance: float = 1e-10) -> None:
    """Compare all outputs, relative to the largest; also hold the graph to its promises."""
    check(after)
    for node in after.nodes:
        shapes = [after.shape(name) for name in node.inputs]
        assert infer_shape(node.op, node.attrs, shapes) == after.shape(node.output)
    assert len(set(after.outputs)) == len(after.outputs)
    for expected, found in zip(outputs(before), outputs(after), strict=True):
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= tolerance * expected.abs().max()


def graph_of(function: Callable[..., Any], *parts: nn.Module, **options: Any) -> Graph:
    """Capture ``function(x, *parts)``; ``shape`` is the input's, other keywords are constants."""
    shape: Shape = options.pop("shape", PICTURE)
    torch.manual_seed(0)
    return capture(Apply(function, *parts, **options).eval(), shape)


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def conv(out: int = 4, inputs: int = 4) -> nn.Conv2d:
    return nn.Conv2d(inputs, out, 3, padding=1)


def assert_leaves_alone(apply: Pass, graph: Graph) -> None:
    assert apply(graph) is graph
