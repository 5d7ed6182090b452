"""Quantized graphs in ONNX Runtime against the interpreter, and the kernels that it picks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from edgezoo.converters.capture import capture
from edgezoo.converters.onnx.runner import run_onnx
from edgezoo.converters.onnx.writer import onnx_bytes, saturates
from edgezoo.graph.attrs import Activation, Fusable
from edgezoo.graph.graph import Graph
from edgezoo.graph.interpreter import compile_graph
from tests.graph.case import Case
from tests.graph.cases import CASES
from tests.graph.naive_quantizer import activation_grid, fused, quantized

# ONNX Runtime scales an int32 sum where the interpreter adds floats, and looks sigmoid and softmax
# up: both may land on the other side of a rounding, and that once more in the next op.
STEPS = 2.001


def samples(case: Case) -> Tensor:
    """Return eight batches."""
    n, *rest = case.input_shape
    return torch.randn(8 * n, *rest, generator=torch.Generator().manual_seed(1))


def in_steps(content: bytes, graph: Graph, inputs: Tensor) -> list[np.ndarray]:
    """Return |ONNX Runtime - interpreter| of every output, in steps of its grid."""
    program = compile_graph(graph)
    parts = [program.run(part) for part in torch.split(inputs, graph.shape(graph.inputs[0])[0])]
    expected = [torch.cat(outputs).numpy() for outputs in zip(*parts, strict=True)]
    grids = [graph.values[name].quant for name in graph.outputs]
    steps = [1.0 if grid is None else float(grid.scale[0]) for grid in grids]
    outputs = run_onnx(content, inputs.numpy())
    return [np.abs(o - e) / s for o, e, s in zip(outputs, expected, steps, strict=True)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_integers(case: Case) -> None:
    graph = quantized(fused(case.graph()), samples(case))
    for difference in in_steps(onnx_bytes(graph), graph, samples(case)):
        assert difference.max() <= STEPS
        assert difference.mean() < 0.3


@pytest.mark.parametrize("case", CASES[:40], ids=str)
def test_valid_model(case: Case) -> None:
    graph = quantized(fused(case.graph()), samples(case))
    onnx.checker.check_model(onnx.load_from_string(onnx_bytes(graph)), full_check=True)


def kernels(graph: Graph, folder: Path) -> Counter[str]:
    """Return what ONNX Runtime executes after its own optimisations."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(onnx_bytes(graph), options, ["CPUExecutionProvider"])
    model = onnx.load(options.optimized_model_filepath)
    return Counter(node.op_type for node in model.graph.node)


class Classifier(nn.Module):
    """Everything an int8 classifier is made of: convolutions, residual, pooling, product."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.ReLU())
        self.point = nn.Conv2d(8, 8, 1)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.pool(x + self.point(self.depthwise(x)))
        x = torch.cat((x, torch.sigmoid(x)), 1)
        out: Tensor = self.head(x.mean((2, 3)))
        return out


def test_integer_kernels_are_chosen(tmp_path: Path) -> None:
    torch.manual_seed(0)
    graph = capture(Classifier().eval(), (1, 3, 16, 16))
    inputs = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    found = kernels(quantized(fused(graph), inputs), tmp_path)
    assert found["QLinearConv"] == 3
    assert found["QLinearAdd"] == 1
    assert found["QGemm"] == 1
    assert found["QLinearConcat"] == 1
    assert found["QLinearSigmoid"] == 1
    assert found["QLinearGlobalAveragePool"] == 1
    assert not {"Conv", "Gemm", "Add", "Clip", "Relu", "Concat", "GlobalAveragePool"} & set(found)
    # the input is quantized once, the output dequantized once
    assert (found["QuantizeLinear"], found["DequantizeLinear"]) == (1, 1)


INTEGER_ALL_THE_WAY = (
    "conv_depthwise",
    "conv_groups",
    "conv_norm_relu",
    "conv_same_even",
    "inverted_residual",
    "classifier",
    "linear_tokens",
    "channel_shuffle",
    "channel_shuffle_torch",
    "max_pool_padded",
    "avg_pool_padded",
    "mean",
    "mul",
    "silu",
    "sigmoid",
    "leaky_relu",
    "split",
    "matmul",
)


@pytest.mark.parametrize("name", INTEGER_ALL_THE_WAY)
def test_floats_at_the_ends_only(name: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == name)
    found = kernels(quantized(fused(case.graph()), samples(case)), tmp_path)
    assert (found["QuantizeLinear"], found["DequantizeLinear"]) == (1, 1)


def test_values_without_grid_stay_float(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "inverted_residual")
    whole = fused(case.graph())
    floats = tuple(node.output for node in whole.nodes if node.source.startswith("squeeze"))
    graph = quantized(whole, samples(case), floats=floats)
    found = kernels(graph, tmp_path)
    assert found["QLinearConv"] == 3
    assert found["Conv"] + found["FusedConv"] == 2
    (difference,) = in_steps(onnx_bytes(graph), graph, samples(case))
    assert difference.max() <= STEPS


def test_float_output_of_a_quantized_graph() -> None:
    case = next(case for case in CASES if case.name == "classifier")
    whole = case.graph()
    graph = quantized(fused(whole), samples(case), floats=whole.outputs)
    (difference,) = in_steps(onnx_bytes(graph), graph, samples(case))
    assert graph.values[graph.outputs[0]].quant is None
    assert difference.max() <= 1e-5  # absolute: nothing is rounded after the last product


@pytest.mark.parametrize(
    ("activation", "low", "high", "expected"),
    [
        ("relu", 0.0, 3.0, True),
        ("relu", -0.004, 3.0, True),  # less than half a step of 3/255
        ("relu", -0.1, 3.0, False),
        ("relu6", 0.0, 6.0, True),
        ("relu6", 0.0, 5.0, True),
        ("relu6", 0.0, 7.0, False),
        ("relu6", -1.0, 6.0, False),
        ("relu_n1_to_1", -1.0, 1.0, True),
        ("relu_n1_to_1", -2.0, 1.0, False),
    ],
)
def test_grids_that_clip(
    activation: Activation, low: float, high: float, expected: bool, tmp_path: Path
) -> None:
    grid = activation_grid(low, high)
    assert saturates(grid, activation) is expected
    case = next(case for case in CASES if case.name == "conv")
    graph = quantized(case.graph(), samples(case))
    (node,) = graph.nodes
    assert isinstance(node.attrs, Fusable)
    output = replace(graph.values[node.output], quant=grid)
    graph = replace(
        graph,
        nodes=(replace(node, attrs=replace(node.attrs, activation=activation)),),
        values={**graph.values, node.output: output},
    )
    (difference,) = in_steps(onnx_bytes(graph), graph, 3 * samples(case))
    assert difference.max() <= STEPS
    written = {node.op_type for node in onnx.load_from_string(onnx_bytes(graph)).graph.node}
    assert bool({"Relu", "Clip"} & written) is not expected
