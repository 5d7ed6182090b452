"""The state of one lowering: graph values to TFLite tensors, and the table of lowerings.

A lowering is one function ``(state, node) -> None`` per op of the graph, registered with ``@lowers``
in ``ops_*.py``; it asks for its inputs in the axis order it wants and names the order of its output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgezoo.converters.tflite.layout import Order, Physical, identity, long_axes, stored
from edgezoo.converters.tflite.model import TfliteModel
from edgezoo.graph.attrs import Activation, Fusable
from edgezoo.graph.graph import Graph, Node, QuantParams, Value
from edgezoo.types import Shape

Array = np.ndarray[Any, np.dtype[Any]]
Lower = Callable[["State", Node], None]
LOWERINGS: dict[str, Lower] = {}

# operator versions that int8 tensors need (tensorflow/lite/tools/versioning/op_version.cc)
INT8_VERSIONS = {
    "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "ADD": 2, "SUB": 2, "MUL": 2,
    "CONCATENATION": 2, "MAX_POOL_2D": 2, "AVERAGE_POOL_2D": 2, "MEAN": 2, "SUM": 2,
    "LOGISTIC": 2, "TANH": 2, "SOFTMAX": 2, "LOG_SOFTMAX": 2, "PAD": 2, "PADV2": 2,
    "TRANSPOSE": 2, "RESIZE_BILINEAR": 2, "RESIZE_NEAREST_NEIGHBOR": 2, "SLICE": 2,
    "STRIDED_SLICE": 2, "TRANSPOSE_CONV": 2, "DEQUANTIZE": 2, "LEAKY_RELU": 2, "MAXIMUM": 2,
    "MINIMUM": 2, "RELU": 2, "RELU6": 2, "GELU": 2, "REDUCE_MAX": 2, "REDUCE_MIN": 2, "ABS": 2,
    "RSQRT": 2, "BATCH_MATMUL": 2, "BROADCAST_TO": 3,
}  # fmt: skip
ACTIVATIONS: dict[Activation | None, int] = {
    None: schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
    "relu_n1_to_1": schema.ActivationFunctionType.RELU_N1_TO_1,
}


def lowers(*ops: str) -> Callable[[Lower], Lower]:
    """Register a lowering for ops of the graph; a second registration is a bug."""

    def register(lower: Lower) -> Lower:
        for op in ops:
            if op in LOWERINGS:
                raise ValueError(f"{op} is lowered twice")
            LOWERINGS[op] = lower
        return lower

    return register


class State:
    """One graph on its way into one TFLite model."""

    def __init__(self, graph: Graph, non_negative: frozenset[str]) -> None:
        self.graph = graph
        self.non_negative = non_negative
        self.model = TfliteModel("edgezoo")
        self.physical: dict[str, Physical] = {}
        self._reordered: dict[tuple[str, Order], int] = {}

    def shape(self, name: str) -> Shape:
        """Return the logical shape of a value."""
        return self.graph.shape(name)

    def is_constant(self, name: str) -> bool:
        """Tell whether the value is a constant."""
        return name in self.graph.constants

    def order(self, name: str) -> Order:
        """Return the order a value is stored in; constants take whatever is asked."""
        if self.is_constant(name):
            return identity(len(self.shape(name)))
        return self.physical[name].order

    def get(self, name: str, order: Order) -> int:
        """Return a tensor that holds ``name`` in ``order``, transposed if it has to be."""
        known = self.physical.get(name)
        if known is not None and known.order == order:
            return known.tensor
        if (name, order) not in self._reordered:
            make = self._constant if self.is_constant(name) else self._transpose
            self._reordered[name, order] = make(name, order)
        return self._reordered[name, order]

    def put(self, name: str, order: Order) -> int:
        """Create the tensor of a computed value, stored in ``order``."""
        value = self.graph.values[name]
        tensor = self.model.tensor(name, stored(value.shape, order), *grid(value, order))
        self.physical[name] = Physical(tensor, order)
        return tensor

    def alias(self, name: str, tensor: int, order: Order) -> None:
        """Let a value be a tensor that exists already."""
        self.physical[name] = Physical(tensor, order)

    def like(self, name: str, suffix: str, shape: Shape) -> int:
        """Create a tensor of ``shape`` beside ``name``, of its type and on its grid."""
        value = self.graph.values[name]
        return self.model.tensor(f"{name}/{suffix}", shape, *grid(value, ()))

    def integers(self, values: Any) -> int:  # anything numpy takes
        """Return an int32 constant."""
        array = np.asarray(values, np.int32)
        return self.model.constant(f"int32/{'x'.join(map(str, array.reshape(-1)))}", array)

    def operator(
        self, code: str, inputs: list[int], output: int, options: Any = None, version: int = 1
    ) -> None:
        """Append an operator with the version that its types need."""
        tensor = self.model.graph.tensors[output]
        if tensor.type == schema.TensorType.INT8:
            version = max(version, INT8_VERSIONS.get(code, 1))
        self.model.operator(code, inputs, output, options, version)

    def reshape(self, tensor: int, output: int) -> None:
        """Append a RESHAPE to the shape of ``output``."""
        shape = self.model.graph.tensors[output].shape
        options = schema.ReshapeOptionsT()
        options.newShape = shape
        self.operator("RESHAPE", [tensor, self.integers(shape)], output, options)

    def transpose(self, tensor: int, permutation: Order, output: int) -> None:
        """Append a TRANSPOSE: output axis k is input axis ``permutation[k]``."""
        options = schema.TransposeOptionsT()
        inputs = [tensor, self.integers(permutation)]
        self.operator("TRANSPOSE", inputs, output, options, 1 if len(permutation) < 6 else 6)

    def _constant(self, name: str, order: Order) -> int:
        value = self.graph.values[name]
        array = np.ascontiguousarray(np.asarray(self.graph.constants[name]).transpose(order))
        return self.model.constant(name, array, grid(value, order)[1])

    def _transpose(self, name: str, order: Order) -> int:
        known, shape = self.physical[name], self.shape(name)
        output = self.like(name, "order_" + "".join(map(str, order)), stored(shape, order))
        if long_axes(shape, known.order) == long_axes(shape, order):
            self.reshape(known.tensor, output)
        else:
            permutation = tuple(known.order.index(axis) for axis in order)
            self.transpose(known.tensor, permutation, output)
        return output


def grid(value: Value, order: Order) -> tuple[str, QuantParams | None]:
    """Return dtype and grid of a stored value; the quantized axis follows ``order``."""
    quant = value.quant
    if quant is None:
        return value.dtype, None
    if quant.axis is not None:
        quant = replace(quant, axis=order.index(quant.axis))
    return quant.dtype, quant


def activation_of(node: Node) -> int:
    """Return the schema's code of the node's fused activation."""
    return ACTIVATIONS[node.attrs.activation if isinstance(node.attrs, Fusable) else None]
