"""Int8 files in LiteRT against the interpreter's fake quantization, counted in steps of the output."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgezoo.compare import sqnr_db
from edgezoo.converters.capture import capture
from edgezoo.converters.tflite.runner import TfliteRunner
from edgezoo.converters.tflite.writer import tflite_bytes
from edgezoo.graph.graph import Graph
from edgezoo.graph.interpreter import compile_graph
from edgezoo.graph.passes import optimize
from edgezoo.models.registry import get_model
from edgezoo.quantization.assign import INTEGER
from edgezoo.quantization.calibrate import quantize
from tests.graph.case import Case
from tests.graph.cases import CASES
from tests.graph.random_graphs import random_graph

Array = NDArray[np.float32]

# LiteRT multiplies by fixed-point numbers of 31 bits and rounds ties away from zero, the interpreter
# multiplies real numbers and rounds ties to even: a number near a tie may fall on either side
ONE_OP_STEPS = 1
# … and that one step goes through the next operators
NETWORK_STEPS = 3


def noise(graph: Graph, count: int = 8, seed: int = 1) -> list[Array]:
    """Return batches of normal noise."""
    generator = torch.Generator().manual_seed(seed)
    shape = graph.shape(graph.inputs[0])
    return [torch.randn(shape, generator=generator).numpy() for _ in range(count)]


@cache
def quantized(case: Case) -> Graph:
    graph = optimize(case.graph())
    inputs = [case.inputs().numpy(), *noise(graph)]
    return quantize(graph, inputs, inputs).graph


def steps_apart(graph: Graph, inputs: Array, outputs: list[Any]) -> float:
    """Return the largest difference in steps of each output's grid (of 1/255 of a float's largest)."""
    with torch.inference_mode():
        expected = compile_graph(graph).run(torch.from_numpy(inputs))
    worst = 0.0
    for name, tensor, output in zip(graph.outputs, expected, outputs, strict=True):
        reference, quant = np.atleast_1d(tensor.numpy()), graph.values[name].quant
        step = np.abs(reference).max() / 255 if quant is None else float(quant.scale[0])
        worst = max(worst, float(np.abs(output - reference).max() / step))
    return worst


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_file_computes_what_the_integer_graph_says(case: Case) -> None:
    graph = quantized(case)
    runner = TfliteRunner(tflite_bytes(graph))
    computing = sum(node.op in INTEGER and node.op != "permute" for node in graph.nodes)
    allowed = ONE_OP_STEPS if computing <= 3 else NETWORK_STEPS
    for inputs in (case.inputs().numpy(), *noise(graph, 2, seed=7)):
        assert steps_apart(graph, inputs, runner.run(inputs)) <= allowed + 0.01


def test_the_cases_reach_every_integer_op() -> None:
    reached = {node.op for case in CASES for node in quantized(case).nodes}
    rewritten = {"avg_pool2d", "hardswish"}  # always by then
    assert reached >= INTEGER - rewritten


@pytest.mark.parametrize("name", ["avg_pool", "avg_pool_padded", "avg_pool_without_pad"])
def test_an_average_pool_that_no_pass_rewrote(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    graph = quantize(case.graph(), noise(case.graph()), noise(case.graph())).graph
    assert "avg_pool2d" in {node.op for node in graph.nodes}
    outputs = TfliteRunner(tflite_bytes(graph)).run(case.inputs().numpy())
    assert steps_apart(graph, case.inputs().numpy(), outputs) <= ONE_OP_STEPS + 0.01


@pytest.mark.parametrize("name", ["conv_norm_relu", "inverted_residual", "two_outputs"])
def test_integer_inputs_and_outputs_are_the_same_numbers(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    graph = quantized(case)
    inner = TfliteRunner(tflite_bytes(graph, io_dtype="int8"))
    assert {detail["dtype"] for detail in (*inner.inputs, *inner.outputs)} == {np.int8}
    outer = TfliteRunner(tflite_bytes(graph))
    assert {detail["dtype"] for detail in (*outer.inputs, *outer.outputs)} == {np.float32}
    x = case.inputs().numpy()
    for one, other in zip(inner.run(x), outer.run(x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("seed", range(80))
def test_random_graphs_stay_within_a_few_steps(seed: int) -> None:
    graph = optimize(random_graph(seed, 2 + seed % 6))
    inputs = noise(graph, 6, seed)
    integer = quantize(graph, inputs, inputs).graph
    outputs = TfliteRunner(tflite_bytes(integer)).run(inputs[0])
    assert steps_apart(integer, inputs[0], outputs) <= NETWORK_STEPS + 0.01


IN_ONE_PARTITION = (
    "relu", "relu6", "silu", "sigmoid", "hardswish", "hardsigmoid", "gelu", "gelu_tanh",
    "leaky_relu", "batch_norm", "norm_relu_conv", "conv1d", "conv1d_groups", "mean",
    "max_pool_padded", "max_pool_ceil_3", "max_pool_ceil_padded", "avg_pool", "avg_pool_padded",
    "resize_bilinear", "resize_bilinear_size_corners", "channel_shuffle", "inverted_residual",
)  # fmt: skip


@pytest.mark.parametrize("name", IN_ONE_PARTITION)
def test_xnnpack_takes_what_networks_are_made_of(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    assert TfliteRunner(tflite_bytes(quantized(case))).inspect().partitions == 1


@pytest.mark.parametrize("name", ["shufflenet_v1", "mnasnet_a1", "tf_efficientnet_lite0"])
def test_xnnpack_takes_a_whole_network(name: str) -> None:
    torch.manual_seed(0)
    module = get_model(name).build().eval()
    graph = optimize(capture(module, (1, 3, 64, 64)))
    assert TfliteRunner(tflite_bytes(graph)).inspect().partitions == 1
    inputs = noise(graph, 4)
    integer = quantize(graph, inputs, inputs).graph
    runner = TfliteRunner(tflite_bytes(integer))
    assert runner.inspect().partitions == 1
    with torch.inference_mode():
        expected = compile_graph(integer).run(torch.from_numpy(inputs[0]))[0].numpy()
    # dozens of layers deep a step is no longer a step: the integer graph must predict the file
    assert sqnr_db(expected, runner.run(inputs[0])[0]) > 20
