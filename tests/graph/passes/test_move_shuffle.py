"""Channel shuffles fold into dense convolutions, or move behind strided depthwise ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.graph.attrs import ChannelShuffle
from edgezoo.graph.passes.activations import fuse_activations
from edgezoo.graph.passes.move_shuffle import move_channel_shuffle
from tests.graph.pass_checks import assert_leaves_alone, assert_same, graph_of, ops


def shuffle(x: Tensor, groups: int = 3) -> Tensor:
    return torch.channel_shuffle(x, groups)


def dense() -> nn.Conv2d:
    return nn.Conv2d(4, 12, 3, padding=1)


def depthwise(stride: int = 2, out: int = 12) -> nn.Conv2d:
    return nn.Conv2d(12, out, 3, stride, 1, groups=12)


@pytest.mark.parametrize("groups", [2, 3, 4, 6])
def test_a_shuffle_folds_into_the_dense_convolution_in_front(groups: int) -> None:
    graph = graph_of(lambda x, m: shuffle(m(x), groups), dense())
    after = move_channel_shuffle(graph)
    assert ops(after) == ["conv2d"]
    assert_same(graph, after)
    clipped = fuse_activations(graph_of(lambda x, m: shuffle(F.relu6(m(x)), groups), dense()))
    assert ops(move_channel_shuffle(clipped)) == ["conv2d"]
    assert_same(clipped, move_channel_shuffle(clipped))


@pytest.mark.parametrize("groups", [2, 3, 4, 6])
def test_a_shuffle_moves_behind_a_strided_depthwise_convolution(groups: int) -> None:
    shape = (1, 12, 8, 8)
    graph = graph_of(lambda x, m: F.relu(m(shuffle(x, groups))), depthwise(), shape=shape)
    graph = fuse_activations(graph)
    after = move_channel_shuffle(graph)
    assert ops(after) == ["conv2d", "channel_shuffle"]
    assert after.nodes[1].attrs == ChannelShuffle(groups)
    assert after.outputs == graph.outputs
    assert_same(graph, after)
    assert_leaves_alone(move_channel_shuffle, after)


def test_both_at_once() -> None:
    graph = graph_of(lambda x, a, b: b(shuffle(a(x))), dense(), depthwise())
    after = move_channel_shuffle(graph)
    assert ops(after) == ["conv2d", "conv2d"]  # folded first: nothing is left to move
    assert_same(graph, after)


@pytest.mark.parametrize(
    "forward",
    [
        lambda x, a, b: shuffle(y := a(x)) + y,
        lambda x, a, b: (shuffle(y := a(x)), y),
        lambda x, a, b: shuffle(torch.exp(a(x))),
        lambda x, a, b: shuffle(b(torch.exp(x.repeat(1, 3, 1, 1)))),
    ],
)
def test_a_shuffle_behind_anything_else_stays(forward: Callable[..., Any]) -> None:
    assert_leaves_alone(move_channel_shuffle, graph_of(forward, dense(), depthwise(1)))


@pytest.mark.parametrize(
    "part", [depthwise(1), depthwise(2, 24), nn.Conv2d(12, 12, 3, 2, groups=4)]
)
def test_a_shuffle_in_front_of_anything_else_stays(part: nn.Module) -> None:
    graph = graph_of(lambda x, m: m(shuffle(x)), part, shape=(1, 12, 8, 8))
    assert_leaves_alone(move_channel_shuffle, graph)


def test_a_shuffle_with_two_readers_stays() -> None:
    graph = graph_of(
        lambda x, m: m(y := shuffle(x)).sum() + y.sum(), depthwise(), shape=(1, 12, 8, 8)
    )
    assert_leaves_alone(move_channel_shuffle, graph)


def test_one_channel_is_no_depthwise_convolution() -> None:
    graph = graph_of(lambda x, m: m(shuffle(x, 1)), nn.Conv2d(1, 1, 3, 2), shape=(1, 1, 8, 8))
    assert_leaves_alone(move_channel_shuffle, graph)
