"""Nodes of files: their MACs against the counts on the graph, hostile bytes."""

import json
import math
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edgezoo.devices.profiles import onnx_file, tflite_file
from edgezoo.devices.profiles.nodes import UnreadableFileError, read_nodes
from edgezoo.devices.profiles.protobuf import fields, integers
from edgezoo.types import SUFFIXES, Format

FORMAT_OF: dict[str, Format] = {suffix: name for name, suffix in SUFFIXES.items()}


def test_macs_are_those_counted_on_the_graph(zoo_files: tuple[Path, ...]) -> None:
    """The manifest's are counted on edgezoo's own graph, before it is lowered to a format."""
    for path in zoo_files:
        nodes = read_nodes(path, FORMAT_OF[path.suffix])
        manifest = json.loads(path.with_name(f"{path.name}.json").read_text())
        assert sum(node.macs or 0 for node in nodes) == manifest["graph"]["macs"], path.name
        assert all(node.macs is not None for node in nodes)


def test_onnx_nodes_are_those_of_the_onnx_package(zoo_files: tuple[Path, ...]) -> None:
    for path in (path for path in zoo_files if path.suffix == ".onnx"):
        expected = [
            (n.op_type, n.name, tuple(n.input), n.output[0]) for n in onnx.load(path).graph.node
        ]
        found = [(n.op, n.name, n.inputs, n.value) for n in read_nodes(path, "onnx")]
        assert found == expected


def _value(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


MATRICES = {
    "Gemm": (helper.make_node("Gemm", ["x", "w"], ["y"]), (2, 3), (3, 5), (2, 5), 30),
    "Gemm, turned": (
        helper.make_node("Gemm", ["x", "w"], ["y"], transA=1),
        (3, 2), (3, 5), (2, 5), 30,
    ),
    "MatMul": (helper.make_node("MatMul", ["x", "w"], ["y"]), (4, 2, 3), (3, 5), (4, 2, 5), 120),
    "grouped Conv": (
        helper.make_node("Conv", ["x", "w"], ["y"], group=2),
        (1, 4, 6, 6), (6, 2, 3, 3), (1, 6, 4, 4), 6 * 16 * 2 * 9,
    ),
    "ConvTranspose": (
        helper.make_node("ConvTranspose", ["x", "w"], ["y"]),
        (1, 4, 3, 3), (4, 6, 2, 2), (1, 6, 4, 4), 4 * 9 * 6 * 4,
    ),
    "Relu": (helper.make_node("Relu", ["x"], ["y"]), (2, 3), (1,), (2, 3), 0),
}  # fmt: skip


@pytest.mark.parametrize("case", MATRICES.values(), ids=MATRICES)
def test_macs_of_onnx_operators(case: tuple) -> None:  # type: ignore[type-arg]  # a row of the table
    node, x, w, y, macs = case
    weight = helper.make_tensor("w", TensorProto.FLOAT, w, [0.0] * math.prod(w))
    graph = helper.make_graph([node], "g", [_value("x", *x)], [_value("y", *y)], [weight])
    (found,) = onnx_file.parse_nodes(helper.make_model(graph).SerializeToString())
    assert found.macs == macs


def test_an_open_shape_has_no_count() -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    values = [_value("x", "n", 3), _value("w", 3, 5)]
    graph = helper.make_graph([node], "g", values, [_value("y", "n", 5)])
    (found,) = onnx_file.parse_nodes(helper.make_model(graph).SerializeToString())
    assert found.macs is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for parse in (onnx_file.parse_nodes, tflite_file.parse_nodes):
        try:
            parse(content)
        except UnreadableFileError:
            continue


def test_a_cut_onnx_file_is_refused(zoo_files: tuple[Path, ...]) -> None:
    content = next(path for path in zoo_files if path.suffix == ".onnx").read_bytes()
    with pytest.raises(UnreadableFileError, match="cut"):
        onnx_file.parse_nodes(content[:-10])


def test_wire_format() -> None:
    """Examples of protobuf.dev/programming-guides/encoding."""
    assert list(fields(memoryview(b"\x08\x96\x01"))) == [(1, 150)]
    ((number, value),) = fields(memoryview(b"\x32\x06\x03\x8e\x02\x9e\xa7\x05"))
    assert (number, list(integers(value))) == (6, [3, 270, 86942])
