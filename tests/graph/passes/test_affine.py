"""Constants fold into weights where nobody else sees the difference."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.graph.attrs import Fusable
from edgezoo.graph.passes.activations import fuse_activations
from edgezoo.graph.passes.affine import fold_affine
from edgezoo.graph.passes.pooling import average_as_convolution
from edgezoo.types import Shape
from tests.graph.case import PICTURE
from tests.graph.pass_checks import assert_leaves_alone, assert_same, conv, graph_of, ops


def test_batch_norm_folds_into_what_it_follows() -> None:
    layers: dict[str, tuple[nn.Module, nn.Module, Shape]] = {
        "conv": (nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), PICTURE),
        "transposed": (nn.ConvTranspose2d(4, 6, 3), nn.BatchNorm2d(6), PICTURE),
        "linear": (nn.Linear(5, 6), nn.BatchNorm1d(6), (3, 5)),
    }
    for layer, norm, shape in layers.values():
        for buffer in norm.buffers():
            if buffer.ndim:
                buffer.uniform_(0.5, 2)
        graph = graph_of(lambda x, a, b: b(a(x)), layer, norm, shape=shape)
        after = fold_affine(graph)
        assert len(after.nodes) == 1
        assert_same(graph, after)


def test_an_average_pool_takes_a_uniform_map_into_its_weights() -> None:
    graph = average_as_convolution(graph_of(lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=4)))
    after = fold_affine(graph)
    assert ops(after) == ["conv2d"]
    assert_same(graph, after)


@pytest.mark.parametrize(
    "operand", [torch.randn(4, 1, 1), torch.randn(1, 1, 1, 1), torch.tensor(0.3), torch.ones(9, 7)]
)
def test_constants_per_channel_fold(operand: Tensor) -> None:
    graph = graph_of(lambda x, m, c: (1.5 - m(x) * c) * 2 - c, conv(), c=operand)
    after = fold_affine(graph)
    expected = ["conv2d", "sub", "mul", "add"]  # 1.5 - x is no addition of a constant
    assert ops(after) == expected
    assert_same(graph, after)


@pytest.mark.parametrize("shape", [(9, 1), (7,), (1, 4, 9, 7), (2, 1, 1, 1), (2, 4, 1, 1)])
def test_constants_that_vary_over_pixels_or_enlarge_do_not_fold(shape: Shape) -> None:
    constant = torch.arange(1.0, 1 + torch.Size(shape).numel()).reshape(shape)
    graph = graph_of(lambda x, m, c: m(x) * c, conv(), c=constant)
    after = fold_affine(graph)
    assert_same(graph, after)
    assert ops(after) == ["conv2d", "mul"]


def test_a_scalar_that_adds_axes_does_not_fold() -> None:
    graph = graph_of(
        lambda x, m, c: m(x) * c, nn.Linear(5, 6), c=torch.ones(1, 1, 1) * 2, shape=(3, 5)
    )
    after = fold_affine(graph)
    assert_same(graph, after)
    assert after.shape(after.outputs[0]) == (1, 3, 6)


def test_a_convolution_with_another_reader_is_left_alone() -> None:
    def shared(x: Tensor, m: nn.Module) -> Any:
        y = m(x)
        return y * 2 + torch.sigmoid(y)

    def output(x: Tensor, m: nn.Module) -> tuple[Tensor, Tensor]:
        y = m(x)
        return y, y * 2

    for forward in (shared, output, lambda x, m: (y := m(x)) + y, lambda x, m: (y := m(x)) * y):
        assert_leaves_alone(fold_affine, graph_of(forward, conv()))


def test_a_folded_result_with_two_readers_can_not_fold_again() -> None:
    def forward(x: Tensor, m: nn.Module) -> Any:
        y = m(x) * 2
        return y * 3 + torch.sigmoid(y)

    graph = graph_of(forward, conv())
    after = fold_affine(graph)
    assert Counter(ops(after)) == {"conv2d": 1, "mul": 1, "sigmoid": 1, "add": 1}
    assert_same(graph, after)


def test_nothing_folds_through_an_activation() -> None:
    graph = graph_of(lambda x, m: F.relu(m(x)) * 2 + 1, conv())
    assert ops(fold_affine(graph)) == ["conv2d", "relu", "mul", "add"]
    fused = fuse_activations(graph)
    assert ops(fold_affine(fused)) == ["conv2d", "mul", "add"]
    assert_same(graph, fold_affine(fused))


def test_a_shared_weight_is_scaled_for_one_reader_only() -> None:
    layer = conv()
    graph = graph_of(lambda x, m: m(m(x) * 2) + m(x), layer)
    after = fold_affine(graph)
    assert "mul" not in ops(after)
    assert_same(graph, after)


def test_chains_of_constants_merge() -> None:
    graph = graph_of(lambda x: torch.sigmoid(x) * 2 * 3 + 1 - 4)
    after = fold_affine(graph)
    assert ops(after) == ["sigmoid", "mul", "add"]
    assert_same(graph, after)


def test_chains_that_enlarge_merge_only_when_the_shape_is_kept() -> None:
    graph = graph_of(lambda x, c: (x[:, :1] + c) + 2, c=torch.randn(4, 1, 1))
    after = fold_affine(graph)
    assert ops(after) == ["slice", "add"]
    assert_same(graph, after)
    grows = graph_of(lambda x, c: (x[:, :1] + 2) + c, c=torch.randn(4, 1, 1))
    assert_same(grows, fold_affine(grows))


def test_a_fused_activation_of_the_last_stays() -> None:
    graph = fuse_activations(graph_of(lambda x, m: F.relu6(m(x) * 2), conv()))
    after = fold_affine(graph)
    assert [node.attrs.activation for node in after.nodes if isinstance(node.attrs, Fusable)] == [
        "relu6"
    ]
    assert_same(graph, after)
