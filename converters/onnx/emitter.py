"""Collects ONNX nodes and initializers while a graph is lowered.

A quantized value is written as QuantizeLinear → DequantizeLinear (QDQ), so every node reads
floats; the runtime picks its integer kernels from the pattern. Weights stay int8, everything else
becomes uint8 on the same grid (``q + 128``): ONNX Runtime's x86 kernels take that pair alone, and
leave float convolutions wherever an int8 activation has two readers. An initializer appears when it
is first read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edgezoo.graph.graph import Graph, QuantParams

Array = NDArray[np.generic]


@dataclass(slots=True)
class Emitter:
    """An ONNX graph under construction; ``names`` maps values to what their readers read."""

    graph: Graph
    nodes: list[NodeProto] = field(default_factory=list)
    initializers: dict[str, Array] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def read(self, name: str) -> str:
        """Return the ONNX name under which a value of the graph is read."""
        if name not in self.names:
            array, quant = self.graph.constants.get(name), self.graph.values[name].quant
            if array is None:
                return name
            stored = name
            if quant is not None and quant.dtype == "int8":
                stored, quant = self.fresh(f"{name}/unsigned"), unsigned(quant)
                array = (array.astype(np.int16) + 128).astype(np.uint8)
            self.names[name] = self._stored(stored, array, quant)
        return self.names[name]

    def read_weights(self, name: str) -> str:
        """Return the ONNX name under which the weights of a product are read, or its bias."""
        return self.read_rearranged(name, "weights", self.graph.constants[name])

    def read_rearranged(
        self, name: str, arrangement: str, array: Array, axis: int | None = None
    ) -> str:
        """Read weights as ``array``, the same elements, whose channels lie on ``axis``."""
        key = f"{name}/{arrangement}"
        if key not in self.names:
            quant = self.graph.values[name].quant
            if quant is not None and quant.axis is not None and axis is not None:
                quant = replace(quant, axis=axis)
            stored = name if array is self.graph.constants[name] else self.fresh(key)
            self.names[key] = self._stored(stored, array, quant)
        return self.names[key]

    def constant(self, name: str, values: Any) -> str:
        """Add an initializer that is no value of the graph (a bound, say); floats are float32."""
        array = np.asarray(values)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        unique = self.fresh(name)
        self.initializers[unique] = array
        return unique

    def integers(self, name: str, values: Sequence[int]) -> str:
        """Add an int64 vector: a shape, axes, starts …"""
        return self.constant(name, np.asarray(values, np.int64))

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Append a node named after its output and return the output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def rounded(self, source: str, output: str, quant: QuantParams) -> str:
        """Round ``source`` to the grid: ``output`` holds ``scale * (q - zero_point)`` as float."""
        grid = self._grid(output, unsigned(quant))
        stored = self.node("QuantizeLinear", [source, *grid], self.fresh(f"{output}/quantized"))
        return self.node("DequantizeLinear", [stored, *grid], output)

    def fresh(self, name: str) -> str:
        """Return ``name``, or a numbered one where a value of that name exists."""
        unique, count = name, 1
        while unique in self.taken or unique in self.graph.values:
            unique, count = f"{name}_{count}", count + 1
        self.taken.add(unique)
        return unique

    def _stored(self, name: str, array: Array, quant: QuantParams | None) -> str:
        self.initializers[name] = array
        if quant is None:
            return name
        axis = {} if quant.axis is None else {"axis": quant.axis}
        inputs = [name, *self._grid(name, quant)]
        return self.node("DequantizeLinear", inputs, self.fresh(f"{name}/float"), **axis)

    def _grid(self, name: str, quant: QuantParams) -> tuple[str, str]:
        shape = () if quant.axis is None else (-1,)
        scale = self.constant(f"{name}/scale", quant.scale.reshape(shape))
        zero_point = quant.zero_point.astype(quant.dtype).reshape(shape)
        return scale, self.constant(f"{name}/zero_point", zero_point)


def unsigned(quant: QuantParams) -> QuantParams:
    """Return the grid of ``q + 128``, which holds the same real numbers."""
    return replace(quant, zero_point=quant.zero_point + 128, dtype="uint8")
