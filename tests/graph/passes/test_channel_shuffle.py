"""Channel shuffle is recognised however it is spelled, and nothing else is."""

from __future__ import annotations

import pytest
from torch import Tensor

from edgezoo.graph.graph import Graph
from edgezoo.graph.passes.channel_shuffle import recognise_channel_shuffle
from tests.graph.pass_checks import assert_leaves_alone, assert_same, graph_of, ops


def shuffled(first: int, second: int, order: tuple[int, ...] = (0, 2, 1, 3, 4)) -> Graph:
    return graph_of(
        lambda x: x.reshape(1, first, second, 4, 5).permute(order).reshape(1, 12, 4, 5) + 1,
        shape=(1, 12, 4, 5),
    )


@pytest.mark.parametrize(("first", "second"), [(3, 4), (4, 3), (2, 6), (12, 1)])
def test_a_channel_shuffle_is_recognised(first: int, second: int) -> None:
    graph = shuffled(first, second)
    after = recognise_channel_shuffle(graph)
    assert ops(after) == ["channel_shuffle", "add"]
    assert_same(graph, after)


def test_what_looks_like_a_channel_shuffle_stays() -> None:
    moved = graph_of(lambda x: x.reshape(1, 3, 4, 4, 5).permute(0, 1, 3, 2, 4).reshape(1, 12, 4, 5),
                     shape=(1, 12, 4, 5))  # fmt: skip
    rows = graph_of(lambda x: x.reshape(1, 4, 12, 4, 5).transpose(1, 2).reshape(1, 48, 4, 5),
                    shape=(1, 12, 16, 5))  # fmt: skip
    other_end = graph_of(lambda x: x.reshape(1, 3, 4, 4, 5).transpose(1, 2).reshape(1, 12, 5, 4),
                         shape=(1, 12, 4, 5))  # fmt: skip
    batch = graph_of(lambda x: x.reshape(1, 2, 6, 4, 5).transpose(1, 2).reshape(2, 6, 4, 5),
                     shape=(2, 6, 4, 5))  # fmt: skip
    for graph in (moved, rows, other_end, batch):
        assert_leaves_alone(recognise_channel_shuffle, graph)


def test_a_shuffle_whose_middle_is_read_elsewhere_keeps_the_middle() -> None:
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        swapped = x.reshape(1, 3, 4, 4, 5).transpose(1, 2)
        return swapped.reshape(1, 12, 4, 5), swapped * 2

    graph = graph_of(forward, shape=(1, 12, 4, 5))
    after = recognise_channel_shuffle(graph)
    assert "channel_shuffle" in ops(after) and "permute" in ops(after)
    assert_same(graph, after)
