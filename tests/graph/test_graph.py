"""The graph's own promises, and grids on the real numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgezoo.graph.attrs import Axis, Reshape
from edgezoo.graph.graph import (
    Graph,
    Node,
    QuantParams,
    Value,
    check,
    dequantized,
    producers,
    rebuild,
    use_counts,
)


def graph() -> Graph:
    """Return ``output = concat(relu(x), w)``."""
    names = {"x": (1, 2), "a": (1, 2), "w": (1, 3), "output": (1, 5)}
    return Graph(
        "small",
        ("x",),
        ("output",),
        (Node("relu", ("x",), "a"), Node("concat", ("a", "w"), "output", Axis(1))),
        {name: Value(name, shape) for name, shape in names.items()},
        {"w": np.ones((1, 3), np.float32)},
    )


def grid(scale: Any, zero_point: Any, axis: int | None = None, dtype: str = "int8") -> QuantParams:
    return QuantParams(np.asarray(scale, np.float32), np.asarray(zero_point, np.int64), axis, dtype)


def test_a_sound_graph_passes() -> None:
    check(graph())


BROKEN: dict[str, tuple[Any, str]] = {
    "reads what comes later": (
        lambda g: replace(g, nodes=g.nodes[::-1]),
        r"concat output reads \['a'\] before",
    ),
    "reads what nobody makes": (
        lambda g: replace(g, nodes=g.nodes[1:]),
        r"concat output reads \['a'\] before",
    ),
    "writes twice": (
        lambda g: replace(g, nodes=(*g.nodes, Node("relu", ("x",), "a"))),
        "a is written twice",
    ),
    "writes a constant": (
        lambda g: replace(g, nodes=(*g.nodes, Node("relu", ("x",), "w"))),
        "w is written twice",
    ),
    "writes an input": (
        lambda g: replace(g, nodes=(*g.nodes, Node("relu", ("a",), "x"))),
        "x is written twice",
    ),
    "outputs what nobody makes": (
        lambda g: replace(g, outputs=("y",)),
        r"outputs \['y'\] are never",
    ),
    "a constant of another shape": (
        lambda g: replace(g, constants={"w": np.ones((3, 1), np.float32)}),
        r"constant w: float32\(3, 1\)",
    ),
    "a constant of another type": (
        lambda g: replace(g, constants={"w": np.ones((1, 3), np.float64)}),
        r"constant w: float64\(1, 3\)",
    ),
    "a value without description": (
        lambda g: replace(g, values={k: v for k, v in g.values.items() if k != "a"}),
        r"\['a'\] have no Value",
    ),
    "a value under another name": (
        lambda g: replace(g, values={**g.values, "a": Value("b", (1, 2))}),
        "a is called b",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_named(name: str) -> None:
    damage, message = BROKEN[name]
    with pytest.raises(ValueError, match=message):
        check(damage(graph()))


def test_who_makes_and_who_reads() -> None:
    assert {name: node.op for name, node in producers(graph()).items()} == {
        "a": "relu",
        "output": "concat",
    }
    assert use_counts(graph()) == {"x": 1, "a": 1, "w": 1, "output": 1}
    doubled = replace(graph(), outputs=("output", "a"))
    assert use_counts(doubled)["a"] == 2


def test_rebuild_drops_what_nobody_needs() -> None:
    before = graph()
    after = rebuild(before, before.nodes, outputs=("a",))
    assert [node.output for node in after.nodes] == ["a"]
    assert set(after.values) == {"x", "a"} and not after.constants
    check(after)
    unread = rebuild(before, [Node("reshape", ("w",), "output", Reshape((3,)))])
    assert unread.inputs == ("x",) and "x" in unread.values


def test_rebuild_adds() -> None:
    before = graph()
    node = Node("concat", ("a", "v"), "output", Axis(1))
    after = rebuild(
        before,
        (before.nodes[0], node),
        values={"v": Value("v", (1, 3))},
        constants={"v": np.zeros((1, 3), np.float32)},
    )
    assert set(after.constants) == {"v"}
    check(after)


@pytest.mark.parametrize(
    ("scale", "zero_point", "axis", "message"),
    [
        ([0.1, 0.2], [0], 0, "vectors of one length"),
        ([[0.1]], [[0]], None, "vectors of one length"),
        ([0.1, 0.2], [0, 0], None, "per-tensor grid has one scale"),
        ([0.0], [0], None, "finite and positive"),
        ([-0.1], [0], None, "finite and positive"),
        ([np.nan], [0], None, "finite and positive"),
        ([np.inf], [0], None, "finite and positive"),
    ],
)
def test_a_grid_that_is_none(scale: Any, zero_point: Any, axis: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid(scale, zero_point, axis)


def test_grids_are_compared_by_their_numbers() -> None:
    assert grid([0.1], [3]).same_grid(grid([0.1], [3]))
    for other in (grid([0.2], [3]), grid([0.1], [4]), grid([0.1], [3], 0), None,
                  grid([0.1], [3], None, "int32")):  # fmt: skip
        assert not grid([0.1], [3]).same_grid(other)


def test_integers_on_the_real_numbers() -> None:
    integers = np.array([[1, 2], [3, -4]], np.int8)
    assert np.allclose(dequantized(integers, grid([0.5], [1])), [[0.0, 0.5], [1.0, -2.5]])
    per_row = grid([0.5, 2.0], [0, 1], 0)
    assert np.allclose(dequantized(integers, per_row), [[0.5, 1.0], [4.0, -10.0]])
    per_column = grid([0.5, 2.0], [0, 1], 1)
    assert np.allclose(dequantized(integers, per_column), [[0.5, 2.0], [1.5, -10.0]])
