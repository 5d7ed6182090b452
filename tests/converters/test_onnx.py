"""Every case in ONNX Runtime against PyTorch; the form of the file."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from edgezoo.converters.capture import capture
from edgezoo.converters.onnx.runner import run_onnx
from edgezoo.converters.onnx.table import LOWERINGS, lowers
from edgezoo.converters.onnx.writer import onnx_bytes, write_onnx
from edgezoo.graph.attrs import Activation, ConvTranspose2d, Fusable
from edgezoo.graph.graph import Graph, Node, Value
from edgezoo.graph.interpreter import compile_graph
from edgezoo.graph.ops import OPS, infer_shape
from tests.graph.case import Case
from tests.graph.cases import CASES
from tests.graph.modules import Apply

# Both sum in float32 (24 bits), in another order: a few units of 6e-8 of the largest output.
TOLERANCE = 5e-6


def test_every_op_is_lowered() -> None:
    assert set(LOWERINGS) == set(OPS)


def test_two_lowerings_of_one_op() -> None:
    with pytest.raises(ValueError, match="op relu is lowered twice"):
        lowers("relu")(LOWERINGS["relu"])


def assert_close(outputs: list[np.ndarray], expected: tuple[Tensor, ...]) -> None:
    assert len(outputs) == len(expected)
    for output, reference in zip(outputs, expected, strict=True):
        assert output.shape == tuple(reference.shape)
        difference = np.abs(output - reference.numpy()).max()
        assert difference <= TOLERANCE * np.abs(reference.numpy()).max()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_as_pytorch(case: Case) -> None:
    outputs = run_onnx(onnx_bytes(case.graph()), case.inputs().numpy())
    assert_close(outputs, case.expected())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_valid_model(case: Case) -> None:
    model = onnx.load_from_string(onnx_bytes(case.graph()))
    onnx.checker.check_model(model, full_check=True)  # infers shapes, compares with those stored
    graph = model.graph
    assert [value.name for value in graph.input] == list(case.graph().inputs)
    assert [value.name for value in graph.output] == list(case.graph().outputs)
    read = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= read
    assert all(node.name == node.output[0] for node in graph.node)


def network(name: str) -> Graph:
    return next(case for case in CASES if case.name == name).graph()


def test_bytes_are_protobuf_own() -> None:
    content = onnx_bytes(network("vision_transformer"))
    assert onnx.load_from_string(content).SerializeToString(deterministic=True) == content


def test_same_bytes_twice() -> None:
    first, second = (
        onnx_bytes(capture(next(c for c in CASES if c.name == name).module(), (1, 4, 9, 7)))
        for name in ("inverted_residual", "inverted_residual")
    )
    assert first == second


def test_producer_and_names() -> None:
    model = onnx.load_from_string(onnx_bytes(network("inverted_residual")))
    assert model.producer_name == "edgezoo"
    assert model.graph.name == "case"
    names = {node.name for node in model.graph.node}
    assert {"expand.0", "depthwise.0", "squeeze.1"} <= names
    assert "depthwise.0.weight" in {tensor.name for tensor in model.graph.initializer}


def single(op: str, shapes: tuple[tuple[int, ...], ...], attrs: Fusable) -> Graph:
    """Return a graph of one op; inputs after the first are random constants."""
    generator = np.random.default_rng(0)
    names = [f"i{index}" for index in range(len(shapes))]
    constants = {
        name: generator.normal(size=shape).astype(np.float32)
        for name, shape in zip(names[1:], shapes[1:], strict=True)
    }
    values = {name: Value(name, shape) for name, shape in zip(names, shapes, strict=True)}
    values["out"] = Value("out", infer_shape(op, attrs, list(shapes)))
    node = Node(op, tuple(names), "out", attrs)
    return Graph("single", ("i0",), ("out",), (node,), values, constants)


FUSABLE = {
    "conv2d": ((1, 4, 9, 7), (6, 4, 3, 3), (6,)),
    "conv_transpose2d": ((1, 4, 9, 7), (4, 6, 3, 3), (6,)),
    "linear": ((3, 4), (6, 4), (6,)),
    "max_pool2d": ((1, 4, 9, 7),),
    "avg_pool2d": ((1, 4, 9, 7),),
    **dict.fromkeys(("add", "sub", "mul", "div"), ((1, 4, 9, 7), (1, 4, 1, 1))),
}


def test_fusable_ops_are_all_here() -> None:
    assert set(FUSABLE) == {name for name, op in OPS.items() if issubclass(op.attrs, Fusable)}


@pytest.mark.parametrize("activation", ["relu", "relu6", "relu_n1_to_1"])
@pytest.mark.parametrize("op", FUSABLE)
def test_fused_activation(op: str, activation: Activation) -> None:
    attrs = OPS[op].attrs
    assert issubclass(attrs, Fusable)
    graph = single(op, FUSABLE[op], attrs(activation))
    x = 4 * torch.randn(graph.shape("i0"), generator=torch.Generator().manual_seed(0))
    assert_close(run_onnx(onnx_bytes(graph), x.numpy()), compile_graph(graph).run(x))


def test_grouped_dilated_transposed_convolution() -> None:
    attrs = ConvTranspose2d(None, (2, 1), (1, 1, 0, 0), (1, 0), (1, 2), 2)
    graph = single("conv_transpose2d", ((1, 4, 9, 7), (4, 3, 3, 3), (6,)), attrs)
    x = torch.randn(graph.shape("i0"), generator=torch.Generator().manual_seed(0))
    assert_close(run_onnx(onnx_bytes(graph), x.numpy()), compile_graph(graph).run(x))


def test_writing_copies_no_weights(tmp_path: Path) -> None:
    weights = torch.randn(1, 2000, 2000)  # 16 MB
    graph = capture(Apply(lambda x, c: x + c, c=weights).eval(), (1, 1, 1))
    tracemalloc.start()
    try:
        write_onnx(graph, tmp_path / "model.onnx")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 0.1 * weights.nbytes
