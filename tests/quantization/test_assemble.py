"""Integer constants: scales of biases, channels of zeros, constants on their reader's grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgezoo.converters.capture import capture
from edgezoo.graph.graph import Graph, Node, QuantParams, check, dequantized
from edgezoo.graph.interpreter import compile_graph
from edgezoo.graph.passes import optimize
from edgezoo.quantization.assemble import Rounded, assemble, round_to_nearest
from edgezoo.quantization.assign import activation_grids, insert_borders, shared_grids
from edgezoo.quantization.qparams import activation_grid
from tests.graph.modules import Apply


def graph_of(module: nn.Module, shape: tuple[int, ...] = (1, 4, 6, 6)) -> Graph:
    return insert_borders(optimize(capture(module.eval(), shape)))


def grids_of(graph: Graph, low: float = -4.0, high: float = 4.0) -> dict[str, QuantParams]:
    return activation_grids(graph, shared_grids(graph), lambda group: activation_grid(low, high))


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "conv": (lambda: nn.Conv2d(4, 6, 3), (1, 4, 6, 6), 0),
    "depthwise": (lambda: nn.Conv2d(4, 4, 3, groups=4), (1, 4, 6, 6), 0),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3), (1, 4, 6, 6), 1),
    "linear": (lambda: nn.Linear(4, 6), (3, 4), 0),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_bias_is_int32_on_the_product_of_the_scales(name: str) -> None:
    build, shape, axis = LAYERS[name]
    torch.manual_seed(0)
    module = build()
    graph = graph_of(module, shape)
    grids = grids_of(graph)
    after = assemble(graph, grids)
    check(after)
    node = after.nodes[0]
    source, weight, bias = (after.values[name] for name in node.inputs)
    assert source.quant is not None and weight.quant is not None and bias.quant is not None
    assert (weight.dtype, bias.dtype) == ("int8", "int32")
    assert weight.quant.axis == axis and weight.quant.dtype == "int8"
    assert np.allclose(bias.quant.scale, source.quant.scale[0] * weight.quant.scale, rtol=1e-6)
    assert not bias.quant.zero_point.any()
    real = dequantized(after.constants[bias.name], bias.quant)
    assert isinstance(module.bias, Tensor)
    assert np.all(np.abs(real - module.bias.detach().numpy()) <= bias.quant.scale / 1.99)


def test_a_channel_of_zeros_has_room_for_its_bias() -> None:
    module = nn.Conv2d(4, 3, 1)
    with torch.no_grad():
        module.weight[1] = 0
        module.bias.copy_(torch.tensor([0.5, 100.0, 0.0]))  # type: ignore[union-attr]  # there is one
        module.weight[2] = 0
    graph = graph_of(module)
    after = assemble(graph, grids_of(graph))
    _, weight, bias = after.nodes[0].inputs
    quant = after.values[bias].quant
    assert quant is not None
    assert dequantized(after.constants[bias], quant)[1] == pytest.approx(100.0, rel=1e-6)
    assert not after.constants[weight][1:].any()
    assert np.abs(after.constants[bias].astype(np.int64)).max() < 2**30


def test_careful_weights_are_taken_unless_their_bias_overflows() -> None:
    module = nn.Conv2d(4, 3, 1)
    with torch.no_grad():
        module.weight[1] = 0
        module.bias.fill_(100.0)  # type: ignore[union-attr]  # there is one
    graph = graph_of(module)
    node = graph.nodes[0]
    weight, bias = (np.asarray(graph.constants[name]) for name in node.inputs[1:])
    for high, kept in ((4.0, True), (0.004, False)):
        grids = grids_of(graph, -high, high)
        careful = round_to_nearest(node, weight, bias, float(grids_of(graph)["input"].scale[0]))
        marked = replace(careful, weight=np.clip(careful.weight, -1, 1))
        after = assemble(graph, grids, {node.output: marked})
        stored = after.constants[after.nodes[0].inputs[1]]
        assert (np.abs(stored).max() == 1) == kept
        quant = after.values[after.nodes[0].inputs[2]].quant
        assert quant is not None
        real = dequantized(after.constants[after.nodes[0].inputs[2]], quant)
        assert real == pytest.approx(bias, rel=1e-5)


def test_a_shared_weight_is_rounded_for_each_reader() -> None:
    layer = nn.Conv2d(4, 4, 1)
    graph = graph_of(Apply(lambda x, m: m(torch.sigmoid(m(x))), layer))
    after = assemble(graph, grids_of(graph))
    first, second = (node for node in after.nodes if node.op == "conv2d")
    assert not set(first.inputs[1:]) & set(second.inputs[1:])


@pytest.mark.parametrize("function", [torch.add, torch.mul, torch.sub])
def test_other_constants_get_a_grid_of_their_own(function: Callable[[Any, Any], Any]) -> None:
    constant = torch.tensor([0.5, -3.0, 1.0, 2.0]).reshape(4, 1, 1)
    graph = graph_of(Apply(lambda x, c: function(x, c) * x, c=constant))
    after = assemble(graph, grids_of(graph))
    name = next(n for n in after.nodes[0].inputs if n in after.constants)
    quant = after.values[name].quant
    assert quant is not None
    sign = -1 if function is torch.sub else 1  # x - c became x + (-c)
    real = dequantized(after.constants[name], quant).reshape(-1) * sign
    assert np.all(np.abs(real - constant.numpy().reshape(-1)) <= quant.scale[0])


def test_constants_of_moving_ops_are_on_the_results_grid() -> None:
    graph = graph_of(Apply(lambda x, c: torch.cat((x, c), 1), c=torch.ones(1, 1, 6, 6)))
    after = assemble(graph, grids_of(graph))
    grids = {name: after.values[name].quant for name in (*after.nodes[0].inputs, *after.outputs)}
    first = grids[after.outputs[0]]
    assert first is not None and all(first.same_grid(other) for other in grids.values())


def test_float_values_carry_no_grid() -> None:
    graph = graph_of(Apply(lambda x, m: torch.sin(m(x)), nn.Conv2d(4, 4, 1)))
    after = assemble(graph, grids_of(graph))
    kinds = {node.op: after.values[node.output].quant is None for node in after.nodes}
    assert kinds == {"conv2d": False, "requantize": True, "sin": True}


def test_the_integer_graph_is_near_the_float_one() -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU6(), nn.Conv2d(8, 4, 3)).eval()
    graph = graph_of(module)
    after = assemble(graph, grids_of(graph, -4, 4))
    x = torch.randn(1, 4, 6, 6).clamp(-4, 4)
    (found,) = compile_graph(after).run(x)
    expected = module(x)
    # input and inner value are off by half a step of 8/255 each, weights by 1/254 of themselves
    assert (found - expected).abs().max() < 4 * 8 / 255


def test_rounded_holds_what_it_was_given() -> None:
    node = Node("linear", ("x", "w", "b"), "y")
    weight, bias = np.array([[1.27, -0.5]], np.float32), np.array([0.25], np.float32)
    rounded = round_to_nearest(node, weight, bias, 1.0)
    assert isinstance(rounded, Rounded)
    assert rounded.weight.tolist() == [[127, -50]]
    assert rounded.bias is bias
