"""Activations fuse into what they clip, and are dropped where they do nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.graph.graph import Graph, QuantParams, Value
from edgezoo.graph.passes.activations import fuse_activations, non_negative
from tests.graph.pass_checks import assert_leaves_alone, assert_same, conv, graph_of, ops, outputs


@pytest.mark.parametrize(
    ("activation", "name"),
    [(F.relu, "relu"), (F.relu6, "relu6"), (F.hardtanh, "relu_n1_to_1"),
     (lambda x: x.clamp(min=0), "relu")],
)  # fmt: skip
def test_activations_fuse_into_what_they_clip(
    activation: Callable[[Tensor], Tensor], name: str
) -> None:
    bodies: dict[str, Callable[..., Tensor]] = {
        "conv2d": lambda x, m: m(x),
        "add": lambda x, m: x + x[:, :1],
        "sub": lambda x, m: x - x[:, :1],
        "mul": lambda x, m: x * x[:, :1],
        "div": lambda x, m: x / (x[:, :1].abs() + 1),
        "max_pool2d": lambda x, m: F.max_pool2d(x, 2),
        "avg_pool2d": lambda x, m: F.avg_pool2d(x, 2),
    }
    for op, body in bodies.items():
        graph = graph_of(lambda x, m, body=body: activation(body(x, m)), conv())
        after = fuse_activations(graph)
        last = after.nodes[-1]
        assert (last.op, getattr(last.attrs, "activation", None)) == (op, name)
        assert_same(graph, after)


@pytest.mark.parametrize("activation", [F.relu, F.relu6])
def test_an_activation_behind_something_else_stays(activation: Callable[[Tensor], Tensor]) -> None:
    graphs = (
        graph_of(activation),
        graph_of(lambda x: activation(torch.tanh(x))),
        graph_of(lambda x, m: activation(m(x)), nn.ConvTranspose2d(4, 4, 2)),
        graph_of(lambda x: activation(x.mean(1))),
        graph_of(lambda x, m: (activation(y := m(x)), y), conv()),
        graph_of(lambda x, m: activation(y := m(x)) + y, conv()),
    )
    for graph in graphs:
        assert_leaves_alone(fuse_activations, graph)


def test_a_second_activation_stays_but_for_a_relu() -> None:
    clipped = graph_of(lambda x, m: F.relu6(F.hardtanh(m(x))), conv())
    after = fuse_activations(clipped)
    assert ops(after) == ["conv2d", "clip"]
    assert_same(clipped, after)
    rectified = graph_of(lambda x, m: F.relu(F.relu6(m(x))), conv())
    assert ops(fuse_activations(rectified)) == ["conv2d"]
    assert_same(rectified, fuse_activations(rectified))


def test_relu6_is_not_dropped_on_what_is_not_negative() -> None:
    graph = graph_of(lambda x: F.relu6(torch.exp(x)))
    assert_leaves_alone(fuse_activations, graph)
    assert ops(fuse_activations(graph_of(lambda x: F.relu(torch.exp(x)) + 1))) == ["exp", "add"]


def test_relu_is_pulled_through_a_concatenation() -> None:
    graph = graph_of(
        lambda x, a, b: F.relu(torch.cat((a(x), F.max_pool2d(F.relu(b(x)), 3, 1, 1)), 1)),
        conv(), conv(),
    )  # fmt: skip
    after = fuse_activations(graph)
    assert Counter(ops(after)) == {"conv2d": 2, "max_pool2d": 1, "concat": 1}
    assert_same(graph, after)


def test_relu6_is_pulled_through_a_concatenation_into_every_part() -> None:
    graph = graph_of(lambda x, a, b: F.relu6(torch.cat((a(x), b(x)), 1)), conv(), conv())
    after = fuse_activations(graph)
    assert ops(after) == ["conv2d", "conv2d", "concat"]
    assert_same(graph, after)


@pytest.mark.parametrize(
    "forward",
    [
        lambda x, a, b: F.relu(torch.cat((a(x), x), 1)),
        lambda x, a, b: F.relu(torch.cat((y := a(x), y), 1)),
        lambda x, a, b: F.relu(torch.cat((y := a(x), b(y)), 1)),
        lambda x, a, b: (F.relu(z := torch.cat((a(x), b(x)), 1)), z),
        lambda x, a, b: F.relu6(torch.cat((a(x), torch.sigmoid(x)), 1)),
        lambda x, a, b: F.relu(torch.cat((a(x), torch.ones(1, 1, 9, 7) * -1), 1)),
    ],
)
def test_relu_stays_behind_a_concatenation_of_anything_else(forward: Callable[..., Any]) -> None:
    assert_leaves_alone(fuse_activations, graph_of(forward, conv(), conv()))


def test_a_dropped_relu_leaves_its_readers_to_the_producer() -> None:
    def forward(x: Tensor) -> Tensor:
        y = F.relu(F.max_pool2d(torch.exp(x), 2))
        return F.relu6(y) + y

    graph = graph_of(forward)
    after = fuse_activations(graph)
    assert Counter(ops(after)) == {"exp": 1, "max_pool2d": 1, "clip": 1, "add": 1}
    assert_same(graph, after)


def test_two_outputs_never_become_one() -> None:
    graph = graph_of(lambda x: (y := torch.exp(x), F.relu(y), F.relu(y)))
    assert_leaves_alone(fuse_activations, graph)
    single = graph_of(lambda x: F.relu(torch.exp(x)))
    assert ops(fuse_activations(single)) == ["exp"]


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (lambda x: torch.sigmoid(x) * torch.exp(x), True),
        (lambda x: torch.sigmoid(x) - 1, False),
        (lambda x: torch.sigmoid(x) * -1, False),
        (lambda x: torch.sigmoid(x) + 1, True),
        (lambda x: F.pad(torch.exp(x), (1, 1), value=-1.0), False),
        (lambda x: F.pad(torch.exp(x), (1, 1)), True),
        (lambda x: torch.cat((torch.exp(x), x), 1), False),
        (lambda x: torch.maximum(torch.exp(x), x), True),
        (lambda x: torch.minimum(torch.exp(x), x), False),
        (lambda x: torch.exp(x).clamp(-1, 5), True),
        (lambda x: torch.exp(x).clamp(max=-1), False),
        (lambda x: F.hardtanh(x), False),
        (lambda x: F.avg_pool2d(torch.exp(x), 2), True),
        (lambda x: F.conv2d(torch.exp(x), torch.ones(1, 4, 1, 1)), True),
        (lambda x: F.conv2d(torch.exp(x), torch.ones(1, 4, 1, 1), torch.tensor([-1.0])), False),
        (lambda x: torch.abs(x).permute(0, 2, 3, 1)[:, :2].sum(1), True),
    ],
)
def test_what_is_never_negative(forward: Callable[..., Tensor], expected: bool) -> None:
    graph = graph_of(forward)
    found = graph.outputs[0] in non_negative(graph)
    assert found == expected
    if found:
        assert outputs(graph)[0].min() >= 0


def test_integers_count_as_the_numbers_they_mean() -> None:
    quant = QuantParams(np.array([0.1], np.float32), np.array([50]))
    values = {"x": Value("x", (2,)), "c": Value("c", (2,), "int8", quant)}
    graph = Graph("g", ("x",), ("c",), (), values, {"c": np.array([0, 60], np.int8)})
    assert non_negative(graph) == frozenset()
    above = Graph("g", ("x",), ("c",), (), values, {"c": np.array([50, 60], np.int8)})
    assert non_negative(above) == {"c"}
