"""Looks into a TFLite file: what it computes on the way, under the graph's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgezoo.converters.tflite.layout import stored
from edgezoo.converters.tflite.model import FILE_IDENTIFIER
from edgezoo.converters.tflite.runner import TfliteRunner
from edgezoo.converters.tflite.writer import stored_orders
from edgezoo.graph.graph import Graph

Array = np.ndarray[Any, np.dtype[Any]]


def tflite_intermediates(path: Path, inputs: Array, graph: Graph) -> dict[str, Array]:
    """Return the values of one run by name, in PyTorch's layout, in the graph's order.

    Every tensor that carries a value's name becomes an output of a copy of the model, so the same
    kernels and delegates run as in the model itself.
    """
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    subgraph = model.subgraphs[0]
    computed = {int(index) for operator in subgraph.operators for index in operator.outputs}
    names = {subgraph.tensors[index].name.decode(): index for index in computed}
    wanted = [node.output for node in graph.nodes if node.output in names]
    subgraph.outputs = np.array([names[name] for name in wanted], np.int32)
    model.signatureDefs = []
    builder = flatbuffers.Builder(path.stat().st_size * 2)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    outputs = TfliteRunner(bytes(builder.Output())).run_stored(inputs)
    orders = stored_orders(graph)
    return {
        name: array.transpose(np.argsort(orders[name]))
        for name, array in zip(wanted, outputs, strict=True)
        if stored(graph.shape(name), orders[name]) == array.shape
    }
