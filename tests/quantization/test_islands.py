"""What stays float, and that it is no more than what belongs together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.converters.capture import capture
from edgezoo.graph.graph import Graph
from edgezoo.graph.passes import optimize
from edgezoo.quantization.assign import INTEGER, insert_borders, integer_values
from edgezoo.quantization.calibrate import quantize, run_all
from edgezoo.quantization.islands import float_values
from tests.graph.modules import Apply

SHAPE = (1, 4, 8)


def captured(function: Callable[..., Tensor], *modules: nn.Module) -> Graph:
    torch.manual_seed(0)
    return optimize(capture(Apply(function, *modules).eval(), SHAPE))


def floats(graph: Graph) -> set[str]:
    real = float_values(graph, lambda node: node.op in INTEGER)
    return {node.op for node in graph.nodes if node.output in real}


def test_a_layer_norm_is_one_island() -> None:
    graph = captured(
        lambda x, a, n, b: b(n(a(x))), nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 8)
    )
    assert floats(graph) == {"mean", "sub", "mul", "add", "rsqrt"}
    after = insert_borders(graph)
    borders = [node for node in after.nodes if node.op == "requantize"]
    assert [node.output.rsplit("/", 1)[1] for node in borders] == ["real", "integer"]
    integer = integer_values(after)
    assert all(node.output in integer for node in after.nodes if node.op == "linear")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, a, b: b(F.relu(a(x))), set()),
        (lambda x, a, b: b(a(x) * torch.sigmoid(a(x))), set()),
        (lambda x, a, b: b(F.mish(a(x))), {"neg", "abs", "exp", "add", "log"}),
        (lambda x, a, b: b(a(x)) + torch.sin(x), {"sin"}),  # the sum has an integer side
        (lambda x, a, b: b(torch.exp(a(x)) * 2 + 1), {"exp", "mul", "add"}),
    ],
    ids=["relu", "silu", "mish", "residual", "affine"],
)
def test_it_grows_over_arithmetic_and_stops_at_weights(
    function: Callable[..., Tensor], expected: set[str]
) -> None:
    graph = captured(function, nn.Linear(8, 8), nn.Linear(8, 8))
    assert floats(graph) == expected


def test_a_residual_that_others_read_stays_integer() -> None:
    graph = captured(lambda x, a, n: (y := x + a(x)) + n(y), nn.Linear(8, 8), nn.LayerNorm(8))
    integer = integer_values(insert_borders(graph))
    first, last = (node for node in graph.nodes if node.op == "add" and len(set(node.inputs)) == 2
                   and not set(node.inputs) & set(graph.constants))  # fmt: skip
    assert {first.output, last.output} <= integer


def test_a_small_epsilon_keeps_its_meaning() -> None:
    """``F.normalize`` divides zeros by 1e-12; on a grid of its own that would be by zero."""
    graph = captured(
        lambda x, a, b: b(F.normalize(a(x), dim=-1)), nn.Linear(8, 8, False), nn.Linear(8, 8)
    )
    inputs = [np.zeros(SHAPE, np.float32), np.ones(SHAPE, np.float32)]
    result = quantize(graph, inputs, inputs)
    assert np.isfinite(run_all(result.graph, inputs)[0]).all()
    assert max(result.rules.values()) > 20
