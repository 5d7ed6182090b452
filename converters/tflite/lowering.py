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
from edgezoo.converters.tflite.versions import operator_version
from edgezoo.graph.attrs import Activation, Fusable
from edgezoo.graph.graph import INTEGER_RANGES, Graph, Node, QuantParams, Value
from edgezoo.types import Shape

Array = np.ndarray[Any, np.dtype[Any]]
Lower = Callable[["State", Node], None]
LOWERINGS: dict[str, Lower] = {}

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

    def number(self, name: str, value: float, quant: QuantParams | None) -> int:
        """Return a constant of shape (1,): float32, or the nearest step of an int8 grid."""
        if quant is None:
            lowest, highest = np.finfo(np.float32).min, np.finfo(np.float32).max
            return self.model.constant(
                name, np.array([np.clip(value, lowest, highest)], np.float32)
            )
        low, high = INTEGER_RANGES[quant.dtype]
        step = np.round(value / float(quant.scale[0])) + int(quant.zero_point[0])
        array = np.array([np.clip(step, low, high)], quant.dtype)
        return self.model.constant(name, array, quant)

    def operator(self, code: str, inputs: list[int], output: int, options: Any = None) -> None:
        """Append an operator, with the version that its tensors and options need."""
        tensors = self.model.graph.tensors
        version = operator_version(code, [tensors[i] for i in inputs], tensors[output], options)
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
        self.operator("TRANSPOSE", [tensor, self.integers(permutation)], output, options)

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
