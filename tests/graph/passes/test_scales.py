"""Numbers that are multiplied in front of a layer end in its weights, others on the gate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.graph.passes.affine import fold_affine
from edgezoo.graph.passes.scales import absorb_scales, scale_gates
from edgezoo.types import Shape
from tests.graph.case import PICTURE
from tests.graph.pass_checks import assert_leaves_alone, assert_same, conv, graph_of, ops

LAYERS: dict[str, tuple[nn.Module, Shape]] = {
    "padded": (nn.Conv2d(4, 6, 3, padding=1), PICTURE),
    "grouped": (nn.Conv2d(4, 6, 3, groups=2), PICTURE),
    "transposed": (nn.ConvTranspose2d(4, 6, 3), PICTURE),
    "linear": (nn.Linear(5, 6), (3, 5)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("number", [1.7, -0.5, 0.0])
def test_a_layer_takes_the_number_in_front_of_it(name: str, number: float) -> None:
    layer, shape = LAYERS[name]
    graph = graph_of(lambda x, m: m(F.gelu(x) * number), layer, shape=shape)
    after = absorb_scales(graph)
    assert "mul" not in ops(after)
    assert_same(graph, after)


def test_two_layers_take_it_and_a_third_reader_keeps_it() -> None:
    graph = graph_of(lambda x, a, b: (a(x * 2) + b(x * 2), x * 2), conv(), conv())
    assert ops(absorb_scales(graph)).count("mul") == 1

    def forward(x: Tensor, a: nn.Module, b: nn.Module) -> Tensor:
        scaled = F.gelu(x) * 1.7
        total: Tensor = a(scaled) + b(scaled)
        return total

    shared = graph_of(forward, conv(), conv())
    after = absorb_scales(shared)
    assert sorted(ops(after)) == ["add", "conv2d", "conv2d", "gelu"]
    assert_same(shared, after)


@pytest.mark.parametrize("keepdim", [False, True])
def test_a_mean_is_taken_before_its_input_is_scaled(keepdim: bool) -> None:
    graph = graph_of(lambda x: (F.gelu(x) * 1.7).mean((2, 3), keepdim=keepdim))
    after = absorb_scales(graph)
    assert ops(after) == ["gelu", "mean", "mul"]
    assert_same(graph, after)
    head = graph_of(lambda x, m: m((F.gelu(x) * 1.7).mean((2, 3))), nn.Linear(4, 3))
    assert ops(absorb_scales(head)) == ["gelu", "mean", "linear"]
    assert_same(head, absorb_scales(head))


@pytest.mark.parametrize(
    "forward",
    [
        lambda x, m: m(x * torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(4, 1, 1)),
        lambda x, m: m(F.relu(x * 2)),
        lambda x, m: m(x + 2),
        lambda x, m: m(x[:, :1, :1, :1] * torch.ones(1, 4, 1, 1)),
    ],
)
def test_anything_else_stays(forward: Callable[..., Tensor]) -> None:
    assert_leaves_alone(absorb_scales, fold_affine(graph_of(forward, conv())))


def test_a_mean_leaves_a_product_alone_that_others_read() -> None:
    def forward(x: Tensor) -> Tensor:
        scaled = x * 2
        return scaled.mean((2, 3), keepdim=True) + scaled

    assert_leaves_alone(absorb_scales, graph_of(forward))


def gated(x: Tensor, squeeze: nn.Module) -> Tensor:
    gate = torch.sigmoid(squeeze(x.mean((2, 3), keepdim=True)))
    return x * gate * 0.3 + x


def test_a_number_behind_a_gate_scales_the_gate() -> None:
    graph = graph_of(gated, nn.Conv2d(4, 4, 1))
    after = scale_gates(graph)
    assert_same(graph, after)
    products = [node for node in after.nodes if node.op == "mul"]
    assert [after.shape(node.output) for node in products] == [(1, 4, 1, 1), PICTURE]


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: x * torch.sigmoid(x) * 0.3,  # a gate as large as what it gates
        lambda x: torch.relu(x * x.mean((2, 3), keepdim=True)) * 0.3,
        lambda x: x * x.mean((2, 3), keepdim=True) * torch.ones(4, 1, 1).cumsum(0),
    ],
)
def test_other_products_stay(forward: Callable[..., Tensor]) -> None:
    assert_leaves_alone(scale_gates, graph_of(forward))


def test_a_product_with_two_readers_stays() -> None:
    def forward(x: Tensor) -> Tensor:
        product = x * x.mean((2, 3), keepdim=True)
        return product * 0.3 + product

    assert_leaves_alone(scale_gates, graph_of(forward))
