"""A batch norm behind no convolution becomes one of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgezoo.graph.attrs import Conv2d
from edgezoo.graph.passes.activations import fuse_activations
from edgezoo.graph.passes.normalisation import normalisation_as_convolution
from tests.graph.pass_checks import assert_leaves_alone, assert_same, graph_of, ops


def lively_norm(channels: int = 4) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels)
    for tensor in (norm.running_mean, norm.running_var):
        assert tensor is not None
        tensor.uniform_(0.5, 2)
    return norm


def test_a_norm_with_its_activation_is_one_convolution() -> None:
    graph = fuse_activations(graph_of(lambda x, m: torch.relu(m(x)) + x, lively_norm()))
    after = normalisation_as_convolution(graph)
    assert ops(after) == ["conv2d", "add"]
    assert after.nodes[0].attrs == Conv2d("relu", groups=4)
    assert_same(graph, after)


@pytest.mark.parametrize(
    ("forward", "parts"),
    [
        (lambda x: x * 2 + 1, ()),  # numbers for all channels
        (lambda x: x * torch.ones(9, 7) + torch.ones(4, 1, 1), ()),
        (lambda x, m: m(x[:, :1]), (lively_norm(1),)),  # one channel: no depthwise convolution
        (lambda x, m: m(x.mean((2, 3))), (nn.BatchNorm1d(4),)),
        (lambda x: x * torch.ones(4, 1, 1) + x, ()),
        (lambda x: torch.relu(x * torch.ones(4, 1, 1)) + torch.ones(4, 1, 1), ()),
    ],
)
def test_other_arithmetic_stays(forward: Callable[..., Any], parts: tuple[nn.Module, ...]) -> None:
    assert_leaves_alone(normalisation_as_convolution, fuse_activations(graph_of(forward, *parts)))


def test_a_product_with_two_readers_stays() -> None:
    def forward(x: Tensor) -> Tensor:
        scaled = x * torch.ones(4, 1, 1).cumsum(0)
        return (scaled + torch.ones(4, 1, 1)) * scaled

    assert_leaves_alone(normalisation_as_convolution, graph_of(forward))
