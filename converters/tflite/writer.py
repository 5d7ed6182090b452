"""Writes a graph as a TFLite model: NHWC pictures in and out, one signature, the graph's own names.

A graph whose values carry int8 grids becomes a fully integer model; with ``io_dtype`` "float32" a
QUANTIZE stands behind each input and a DEQUANTIZE before each output.
"""

from __future__ import annotations

from edgezoo.converters.tflite import ops_convolution, ops_elementwise
from edgezoo.converters.tflite.layout import Order, default_order, stored
from edgezoo.converters.tflite.lowering import LOWERINGS, State, grid
from edgezoo.graph.graph import Graph
from edgezoo.graph.passes.activations import non_negative
from edgezoo.graph.passes.precision import round_constants
from edgezoo.types import IoDtype

__all__ = ["ops_convolution", "ops_elementwise", "tflite_bytes"]


def tflite_bytes(graph: Graph, *, io_dtype: IoDtype = "float32") -> memoryview:
    """Return ``graph`` as the bytes of a TFLite file.

    The weights must fit into a flatbuffer, which ``formats.refuse_too_large`` looks at.
    """
    graph = round_constants(graph)
    state, inputs = _lowered(graph, io_dtype)
    single = len(graph.outputs) == 1
    outputs = {
        "output" if single else f"output_{index}": _output(state, name, io_dtype)
        for index, name in enumerate(graph.outputs)
    }
    return state.model.serialize(inputs, outputs)


def stored_orders(graph: Graph) -> dict[str, Order]:
    """Return the axis order in which a file of ``graph`` stores each computed value.

    Shapes alone decide it, so a quantized copy of the graph stores the same values in the same orders.
    """
    state, _ = _lowered(graph, "float32")
    return {name: physical.order for name, physical in state.physical.items()}


def _lowered(graph: Graph, io_dtype: IoDtype) -> tuple[State, dict[str, int]]:
    """Lower all nodes; also return the model's input tensors by name."""
    state = State(graph, non_negative(graph))
    inputs = {name: _input(state, name, io_dtype) for name in graph.inputs}
    for node in graph.nodes:
        LOWERINGS[node.op](state, node)
    return state, inputs


def _input(state: State, name: str, io_dtype: IoDtype) -> int:
    value = state.graph.values[name]
    order = default_order(len(value.shape))
    if value.quant is None or io_dtype == "int8":
        return state.put(name, order)
    outer = state.model.tensor(name, stored(value.shape, order), "float32")
    inner = state.model.tensor(f"{name}/quantized", stored(value.shape, order), *grid(value, order))
    state.operator("QUANTIZE", [outer], inner)
    state.alias(name, inner, order)
    return outer


def _output(state: State, name: str, io_dtype: IoDtype) -> int:
    value = state.graph.values[name]
    order = default_order(len(value.shape))
    tensor = state.get(name, order)
    if value.quant is None or io_dtype == "int8":
        return tensor
    outer = state.model.tensor(f"{name}/float", stored(value.shape, order), "float32")
    state.operator("DEQUANTIZE", [tensor], outer)
    return outer
