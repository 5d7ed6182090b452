"""Reshapes, permutations and expansions that say nothing."""

from __future__ import annotations

from collections import Counter

from torch import Tensor

from edgezoo.graph.passes.identities import remove_identities
from tests.graph.case import PICTURE
from tests.graph.pass_checks import assert_leaves_alone, assert_same, graph_of, ops


def test_reshapes_merge_and_vanish() -> None:
    graph = graph_of(lambda x: x.reshape(4, 63).reshape(2, 2, 63).reshape(4, 63) * 2)
    assert ops(remove_identities(graph)) == ["reshape", "mul"]
    back = graph_of(lambda x: x.reshape(4, 63).reshape(PICTURE) * 2)
    assert ops(remove_identities(back)) == ["mul"]


def test_a_reshape_with_two_readers_stays_for_the_other() -> None:
    def forward(x: Tensor) -> Tensor:
        flat = x.reshape(4, 63)
        return flat.reshape(PICTURE) * 2 + flat.sum()

    graph = graph_of(forward)
    after = remove_identities(graph)
    assert_same(graph, after)
    assert "reshape" in ops(after)


def test_permutations_merge() -> None:
    graph = graph_of(lambda x: x.permute(0, 2, 3, 1).permute(0, 1, 3, 2) + 1)
    assert ops(remove_identities(graph)) == ["permute", "add"]
    back = graph_of(lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2) + 1)
    assert ops(remove_identities(back)) == ["add"]


def test_a_mean_drops_its_axes_itself() -> None:
    graph = graph_of(lambda x: x.mean((2, 3), keepdim=True).flatten(1) + 1)
    after = remove_identities(graph)
    assert ops(after) == ["mean", "add"]
    assert_same(graph, after)


def test_a_mean_with_two_readers_stays() -> None:
    def forward(x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        return (x * mean).mean((2, 3)) + mean.flatten(1)

    assert_leaves_alone(remove_identities, graph_of(forward))


def test_an_expansion_that_broadcasts_anyway_goes() -> None:
    graph = graph_of(lambda x: x * x[:, :1].expand_as(x))
    assert ops(remove_identities(graph)) == ["slice", "mul"]


def test_an_expansion_that_makes_the_shape_stays() -> None:
    assert_leaves_alone(remove_identities, graph_of(lambda x: x[:, :1].expand(1, 4, 9, 7) + 1))
    both = graph_of(lambda x: x[:, :1].expand_as(x) * x[:, 1:2].expand_as(x))
    after = remove_identities(both)
    assert Counter(ops(after))["expand"] == 1
    assert_same(both, after)


def test_an_output_keeps_a_node_of_its_own() -> None:
    assert_leaves_alone(remove_identities, graph_of(lambda x: x.reshape(PICTURE)))
    assert_leaves_alone(remove_identities, graph_of(lambda x: (y := x * 2, y.reshape(PICTURE))))
    single = remove_identities(graph_of(lambda x: (x * 2).reshape(PICTURE)))
    assert ops(single) == ["mul"]
