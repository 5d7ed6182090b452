"""Padding moves into a reader that fills with the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.graph.attrs import Conv2d
from edgezoo.graph.passes.padding import merge_padding
from tests.graph.pass_checks import assert_leaves_alone, assert_same, conv, graph_of, ops


def test_padding_moves_into_its_reader() -> None:
    graph = graph_of(lambda x, m: m(F.pad(x, (0, 1, 2, 3))), nn.Conv2d(4, 4, 3, 2, 1))
    after = merge_padding(graph)
    assert ops(after) == ["conv2d"]
    assert isinstance(after.nodes[0].attrs, Conv2d)
    assert after.nodes[0].attrs.padding == (3, 4, 1, 2)
    assert_same(graph, after)
    pooled = graph_of(lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2))
    assert ops(merge_padding(pooled)) == ["max_pool2d"]
    assert_same(pooled, merge_padding(pooled))
    average = graph_of(lambda x: F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2))
    assert ops(merge_padding(average)) == ["avg_pool2d"]
    assert_same(average, merge_padding(average))


@pytest.mark.parametrize(
    "forward",
    [
        lambda x, m: m(F.pad(x, (1, 1, 1, 1), value=0.5)),
        lambda x, m: m(F.pad(x, (1, 1, 1, 1, 1, 0))[:, :4]),
        lambda x, m: F.max_pool2d(F.pad(x, (1, 1)), 2),
        lambda x, m: F.avg_pool2d(F.pad(x, (1, 1), value=float("-inf")), 2),
        lambda x, m: F.pad(x, (1, 1)) + 1,
        lambda x, m: F.conv2d(F.pad(x, (0, 0, 0, 0, 1, 1)), torch.ones(2, 6, 1, 1)),
    ],
)
def test_other_padding_stays(forward: Callable[..., Tensor]) -> None:
    assert_leaves_alone(merge_padding, graph_of(forward, conv()))


def test_padding_with_two_readers_stays_for_the_other() -> None:
    def forward(x: Tensor, m: nn.Module) -> Any:
        padded = F.pad(x, (1, 1, 1, 1))
        return m(padded) + padded

    graph = graph_of(forward, conv())
    after = merge_padding(graph)
    assert Counter(ops(after)) == {"pad": 1, "conv2d": 1, "add": 1}
    assert_same(graph, after)
