"""Nodes of an ONNX file; field numbers are those of onnx.proto. Weights are (out, in / groups, kh, kw)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgezoo.devices.profiles.nodes import FileNode, UnreadableFileError, product
from edgezoo.devices.profiles.protobuf import fields, integers, messages, text
from edgezoo.types import Shape

MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE = 1, 5, 11, 12, 13
NODE_INPUT, NODE_OUTPUT, NODE_NAME, NODE_OP, NODE_ATTRIBUTE = 1, 2, 3, 4, 5
TENSOR_DIMS, TENSOR_NAME = 1, 8
VALUE_NAME, VALUE_TYPE, TYPE_TENSOR, TENSOR_SHAPE, SHAPE_DIM, DIM_VALUE = 1, 2, 1, 2, 1, 1
ATTRIBUTE_NAME, ATTRIBUTE_INTEGER = 1, 3

# Operators whose first output has the shape of their first input; files name one of the two.
KEEPS_SHAPE = {
    "DequantizeLinear", "QuantizeLinear", "Cast", "Identity", "Relu", "Clip", "Sigmoid",
    "HardSwish", "HardSigmoid", "LeakyRelu", "PRelu", "Elu", "Gelu", "Tanh", "Softmax",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Node:
    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    integers: Mapping[str, int]


def parse_nodes(content: bytes) -> tuple[FileNode, ...]:
    """Return the nodes of the main graph; raises ``UnreadableFileError``."""
    graph = next(messages(memoryview(content), MODEL_GRAPH), None)
    if graph is None:
        raise UnreadableFileError("it holds no ONNX graph")
    nodes: list[_Node] = []
    shapes: dict[str, Shape] = {}
    for number, value in fields(graph):
        if isinstance(value, int):
            continue
        if number == GRAPH_NODE:
            nodes.append(_node(value))
        elif number == GRAPH_INITIALIZER:
            name, shape = _initializer(value)
            shapes[name] = shape
        elif number in (GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE):
            name, known = _value(value)
            if known is not None:
                shapes[name] = known
    _spread(nodes, shapes)
    return tuple(
        FileNode("".join(n.outputs[:1]), n.op, _macs(n, shapes), n.name, n.inputs) for n in nodes
    )


def _spread(nodes: Sequence[_Node], shapes: dict[str, Shape]) -> None:
    """Fill in shapes forwards and backwards; nodes are in topological order by specification."""
    keeping = [n for n in nodes if n.op in KEEPS_SHAPE and n.inputs and n.outputs]
    for node in keeping:
        if node.inputs[0] in shapes:
            shapes.setdefault(node.outputs[0], shapes[node.inputs[0]])
    for node in reversed(keeping):
        if node.outputs[0] in shapes:
            shapes.setdefault(node.inputs[0], shapes[node.outputs[0]])


def _macs(node: _Node, shapes: Mapping[str, Shape]) -> int | None:
    def shape(index: int) -> Shape | None:
        return shapes.get(node.inputs[index]) if index < len(node.inputs) else None

    output, first, weight = shapes.get("".join(node.outputs[:1])), shape(0), shape(1)
    match node.op:
        case "Conv":
            return product(output, weight[1:] if weight else None)
        case "ConvTranspose":
            return product(first, weight[1:] if weight else None)
        case "Gemm":
            turned = node.integers.get("transA", 0)
            return product(output, (first[0 if turned else 1],) if first else None)
        case "MatMul":
            return product(output, first[-1:] if first else None)
    return 0


def _node(message: memoryview) -> _Node:
    texts: dict[int, list[str]] = {NODE_INPUT: [], NODE_OUTPUT: [], NODE_NAME: [], NODE_OP: []}
    numbers: dict[str, int] = {}
    for number, value in fields(message):
        if number in texts:
            texts[number].append(text(value))
        elif number == NODE_ATTRIBUTE and isinstance(value, memoryview):
            found = dict(fields(value))
            integer = found.get(ATTRIBUTE_INTEGER)
            if isinstance(integer, int):
                numbers[text(found.get(ATTRIBUTE_NAME, 0))] = integer
    op, name = ("".join(texts[key]) for key in (NODE_OP, NODE_NAME))
    return _Node(op, name, tuple(texts[NODE_INPUT]), tuple(texts[NODE_OUTPUT]), numbers)


def _initializer(message: memoryview) -> tuple[str, Shape]:
    name, dims = "", []
    for number, value in fields(message):
        if number == TENSOR_NAME:
            name = text(value)
        elif number == TENSOR_DIMS:
            dims += list(integers(value))
    return name, tuple(dims)


def _value(message: memoryview) -> tuple[str, Shape | None]:
    """Return the name and the shape of a ValueInfoProto; ``None`` unless every size is a number."""
    name = next((text(value) for value in messages(message, VALUE_NAME)), "")
    for kind in messages(message, VALUE_TYPE):
        for tensor in messages(kind, TYPE_TENSOR):
            for shape in messages(tensor, TENSOR_SHAPE):
                sizes = [dict(fields(dim)).get(DIM_VALUE) for dim in messages(shape, SHAPE_DIM)]
                known = tuple(size for size in sizes if isinstance(size, int))
                return name, known if len(known) == len(sizes) else None
    return name, None
