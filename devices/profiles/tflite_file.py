"""Nodes of a TFLite file. Weights are (out, kh, kw, in) and depthwise (1, kh, kw, out); schema.fbs."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from edgezoo.devices.profiles.nodes import FileNode, UnreadableFileError, product
from edgezoo.types import Shape


def parse_nodes(content: bytes) -> tuple[FileNode, ...]:
    """Return the nodes of the first subgraph; raises ``UnreadableFileError``."""
    from ai_edge_litert import schema_py_generated as schema

    names: Mapping[int, str] = {
        number: name
        for name, number in vars(schema.BuiltinOperator).items()
        if isinstance(number, int)
    }
    try:
        model = schema.ModelT.InitFromPackedBuf(content)
        graph = model.subgraphs[0]
        return tuple(_node(graph, model.operatorCodes, node, names) for node in graph.operators)
    # What flatbuffers raises for bytes that are no such file.
    except (struct.error, IndexError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableFileError(f"it is no TFLite file ({error})") from error


def _node(graph: Any, codes: Any, node: Any, names: Mapping[int, str]) -> FileNode:
    # Any: flatbuffers' generated classes have no types
    code = codes[node.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)  # the schema's rule for old files
    op = names.get(number, str(number))
    if op == "CUSTOM" and code.customCode:
        op = code.customCode.decode(errors="replace")
    shapes = [_shape(graph.tensors[i]) if i >= 0 else None for i in node.inputs]
    output = graph.tensors[node.outputs[0]]
    fused = getattr(node.builtinOptions, "fusedActivationFunction", 0)
    name = (output.name or b"").decode(errors="replace")
    return FileNode(name, op, _macs(op, shapes, _shape(output)), fused=bool(fused))


def _shape(tensor: Any) -> Shape | None:
    return None if tensor.shape is None else tuple(map(int, tensor.shape))


def _macs(op: str, inputs: Sequence[Shape | None], output: Shape | None) -> int | None:
    weight = inputs[1] if len(inputs) > 1 else None
    match op:
        case "CONV_2D" if weight and len(weight) == 4:
            return product(output, weight[1:])
        case "DEPTHWISE_CONV_2D" if weight and len(weight) == 4:
            return product(output, weight[1:3])
        case "FULLY_CONNECTED" if weight and len(weight) == 2:
            return product(output, weight[1:])
        case "BATCH_MATMUL" if inputs[0]:
            return product(output, inputs[0][-1:])
        case "TRANSPOSE_CONV" if weight and len(weight) == 4 and len(inputs) > 2:
            return product(inputs[2], weight[:3])
        case (
            "CONV_2D" | "DEPTHWISE_CONV_2D" | "FULLY_CONNECTED" | "BATCH_MATMUL" | "TRANSPOSE_CONV"
        ):
            return None
    return 0
