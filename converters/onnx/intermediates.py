"""Looks into an ONNX file: what it computes on the way, under the graph's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgezoo.converters.onnx.runner import run_onnx
from edgezoo.graph.graph import Graph

Array = np.ndarray[Any, np.dtype[Any]]


def onnx_intermediates(path: Path, inputs: Array, graph: Graph) -> dict[str, Array]:
    """Return the values of one run by name, from a copy of the model with all of them as outputs."""
    model = onnx.load(path, load_external_data=False)
    made = {name for node in model.graph.node for name in node.output}
    wanted = [node.output for node in graph.nodes if node.output in made]
    del model.graph.output[:]
    for name in wanted:
        shape = graph.shape(name)
        kind = onnx.TensorProto.FLOAT
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, shape))
    batch = graph.shape(graph.inputs[0])[0]
    results = run_onnx(model.SerializeToString(), inputs[:batch], data_folder=path.parent)
    return dict(zip(wanted, results, strict=True))
