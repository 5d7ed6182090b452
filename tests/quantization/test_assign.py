"""Which value gets which grid: groups, fixed grids, borders between integers and floats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.converters.capture import capture
from edgezoo.graph.graph import Graph, QuantParams, check
from edgezoo.graph.interpreter import compile_graph
from edgezoo.graph.ops import OPS
from edgezoo.graph.passes import optimize
from edgezoo.quantization.assign import (
    FIXED,
    INTEGER,
    SHARED,
    SHARED_WITH_MORE,
    WEIGHTED,
    activation_grids,
    insert_borders,
    integer_values,
    shared_grids,
    shares_grid,
)
from edgezoo.quantization.qparams import activation_grid
from tests.graph.cases import CASES
from tests.graph.modules import Apply


def prepared(function: Callable[..., Any], *parts: nn.Module, **constants: Tensor) -> Graph:
    torch.manual_seed(0)
    module = Apply(function, *parts, **constants).eval()
    graph = insert_borders(optimize(capture(module, (1, 4, 6, 6))))
    check(graph)
    return graph


def conv() -> nn.Conv2d:
    return nn.Conv2d(4, 4, 1)


def ops(graph: Graph) -> Counter[str]:
    return Counter(node.op for node in graph.nodes)


def one_grid(graph: Graph, *names: str) -> bool:
    groups = shared_grids(graph)
    return len({groups[name] for name in names}) == 1


def output_of(graph: Graph, op: str, which: int = 0) -> str:
    return [node.output for node in graph.nodes if node.op == op][which]


def test_the_table_knows_only_ops() -> None:
    assert set(OPS) >= INTEGER
    assert not (SHARED & SHARED_WITH_MORE) and not (set(FIXED) & WEIGHTED)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_borders_change_nothing_in_float(case: Any) -> None:
    graph = optimize(case.graph())
    after = insert_borders(graph)
    check(after)
    x = case.inputs()
    for expected, found in zip(
        compile_graph(graph).run(x), compile_graph(after).run(x), strict=True
    ):
        assert torch.equal(expected, found)
    groups = shared_grids(after)
    integer = integer_values(after)
    for node in after.nodes:
        if node.op == "requantize":
            continue
        for name in node.inputs:
            if name not in after.constants:
                held = name in integer or name in after.inputs
                assert held == (node.output in integer)  # no operator mixes integers and floats
    assert integer <= set(groups)


@pytest.mark.parametrize(
    "move",
    [
        lambda x: x.flatten(1),
        lambda x: x.permute(0, 2, 3, 1),
        lambda x: x[:, 1:],
        lambda x: F.pad(x, (1, 1)),
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.interpolate(x, (3, 3), mode="bilinear"),
        lambda x: torch.channel_shuffle(x, 2),
        lambda x: x.amax(1),
        lambda x: x.clamp(-0.3, 0.4),
        lambda x: x[:, :1].expand(-1, 3, -1, -1),
    ],
)
def test_what_moves_or_limits_shares_its_inputs_grid(move: Callable[[Tensor], Tensor]) -> None:
    graph = prepared(lambda x, m: move(m(x)), conv())
    assert one_grid(graph, graph.outputs[0], output_of(graph, "conv2d"))


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x.mean((2, 3)),
        lambda x: x * x,
        lambda x: F.leaky_relu(x),
        lambda x: F.relu6(torch.tanh(x)),
        lambda x: F.hardswish(x),
    ],
)
def test_what_computes_has_a_grid_of_its_own(compute: Callable[[Tensor], Tensor]) -> None:
    graph = prepared(lambda x, m: compute(m(x)), conv())
    assert not one_grid(graph, graph.outputs[0], output_of(graph, "conv2d"))


def test_a_concatenation_and_its_parts_share_one_grid() -> None:
    graph = prepared(lambda x, a, b: torch.cat((a(x), b(x).amax(2, keepdim=True).expand_as(x)), 1),
                     conv(), conv())  # fmt: skip
    assert one_grid(graph, graph.outputs[0], *(output_of(graph, "conv2d", i) for i in (0, 1)))


def test_a_constant_in_a_concatenation_is_in_its_group() -> None:
    graph = prepared(lambda x, m, c: torch.cat((m(x), c), 1), conv(), c=torch.ones(1, 1, 6, 6) * 9)
    (constant,) = (n for node in graph.nodes if node.op == "concat" for n in node.inputs
                   if n in graph.constants)  # fmt: skip
    assert one_grid(graph, graph.outputs[0], constant)


def wide(group: str) -> QuantParams:
    return activation_grid(-8.0, 8.0)


@pytest.mark.parametrize(
    ("function", "op"),
    [(torch.sigmoid, "sigmoid"), (torch.tanh, "tanh"), (lambda x: x.softmax(1), "softmax"),
     (lambda x: x.log_softmax(1), "log_softmax")],
)  # fmt: skip
def test_the_specification_fixes_grids_through_what_moves_them(
    function: Callable[[Tensor], Tensor], op: str
) -> None:
    graph = prepared(lambda x, m: function(m(x)).flatten(1)[:, 3:], conv())
    grids = activation_grids(graph, shared_grids(graph), wide)
    assert grids[output_of(graph, op)].same_grid(FIXED[op])
    assert grids[graph.outputs[0]].same_grid(FIXED[op])
    assert ops(graph)["requantize"] == 0


@pytest.mark.parametrize(
    "join",
    [
        lambda s, y: torch.cat((s, y), 1),
        lambda s, y: torch.cat((s.permute(0, 1, 3, 2)[:, 1:], y), 1),
        lambda s, y: torch.maximum(s, y),
        lambda s, y: torch.cat((s, torch.tanh(y)), 1),
        lambda s, y: F.pad(s, (1, 1), value=3.0),
        lambda s, y: torch.cat((s, torch.full((1, 1, 6, 6), 3.0)), 1),
    ],
)
def test_a_fixed_grid_ends_where_other_values_join(
    join: Callable[[Tensor, Tensor], Tensor],
) -> None:
    graph = prepared(lambda x, m: join(torch.sigmoid(m(x)), m(x)), conv())
    grids = activation_grids(graph, shared_grids(graph), wide)
    assert ops(graph)["requantize"] >= 1
    assert grids[output_of(graph, "sigmoid")].same_grid(FIXED["sigmoid"])
    assert grids[graph.outputs[0]].same_grid(wide(""))


def test_values_on_one_fixed_grid_join_as_they_are() -> None:
    graph = prepared(
        lambda x, a, b: torch.cat((torch.sigmoid(a(x)), torch.sigmoid(b(x))), 1), conv(), conv()
    )
    assert ops(graph)["requantize"] == 0
    grids = activation_grids(graph, shared_grids(graph), wide)
    assert grids[graph.outputs[0]].same_grid(FIXED["sigmoid"])


def test_float_islands_have_borders_on_both_sides() -> None:
    graph = prepared(lambda x, m: m(torch.exp(torch.sin(m(x))) + 1) + torch.sin(m(x)), conv())
    kinds = Counter(
        node.output.rsplit("/", 1)[1] for node in graph.nodes if node.op == "requantize"
    )
    # m(x) is one node per call: two leave, exp and sin come back
    assert kinds == {"real": 2, "integer": 2}


def test_one_border_serves_all_readers() -> None:
    graph = prepared(lambda x, m: torch.sin(y := m(x)) + torch.cos(y), conv())
    assert ops(graph)["requantize"] == 1  # off the grid; the sum of two floats stays one


def test_limits_that_are_activations_need_no_shared_grid() -> None:
    activations: tuple[Callable[[Tensor], Tensor], ...] = (F.relu, F.relu6, F.hardtanh)
    for function in activations:
        assert not any(shares_grid(node) for node in prepared(function).nodes)
    assert all(shares_grid(node) for node in prepared(lambda x: x.clamp(0.0, 1.0)).nodes)


def test_no_grid_is_finer_than_the_kernels_bear() -> None:
    def tiny(group: str) -> QuantParams:
        return activation_grid(-1e-9, 1e-9) if group != "input" else activation_grid(-1.0, 1.0)

    graph = prepared(lambda x: (x - x[:, :1]).softmax(1))
    grids = activation_grids(graph, shared_grids(graph), tiny)
    difference = output_of(graph, "sub")
    # LiteRT's ADD needs more than 2^-20 of its inputs' scale, its SOFTMAX more than 2^-26
    assert grids[difference].scale[0] >= 2.0**-20
    assert grids[difference].scale[0] >= grids["input"].scale[0] * 2.0**-12
