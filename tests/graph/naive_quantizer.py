"""The simplest quantizer that follows the int8 contract, to test the writers with.

Ranges are the minimum and maximum over the inputs given; weights are symmetric per output channel.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgezoo.graph.attrs import Activation, Clip, Fusable
from edgezoo.graph.graph import Graph, Node, QuantParams, Value, producers, rebuild, use_counts
from edgezoo.graph.interpreter import compile_graph

CHANNEL_AXES = {"conv2d": 0, "conv_transpose2d": 1, "linear": 0}
WEIGHT_LIMIT = 63  # half of int8: x86 without VNNI adds pairs of products in 16 bits, saturating
SAME_GRID = ("reshape", "permute", "slice", "expand", "max_pool2d", "channel_shuffle")


def fused(graph: Graph) -> Graph:
    """Let ReLU and ReLU6 be part of the op that they alone read."""
    makers, uses = producers(graph), use_counts(graph)
    nodes = {node.output: node for node in graph.nodes}
    for node in graph.nodes:
        activation = _activation(node)
        maker = makers.get(node.inputs[0])
        if activation and maker and isinstance(maker.attrs, Fusable) and uses[maker.output] == 1:
            nodes.pop(maker.output)
            attrs = replace(maker.attrs, activation=activation)
            nodes[node.output] = replace(maker, output=node.output, attrs=attrs)
    return rebuild(graph, nodes.values())


def _activation(node: Node) -> Activation | None:
    if node.op == "relu":
        return "relu"
    return "relu6" if node.op == "clip" and node.attrs == Clip(0.0, 6.0) else None


def quantized(graph: Graph, inputs: Tensor, *, floats: tuple[str, ...] = ()) -> Graph:
    """Return ``graph`` with every value on a grid, but those named in ``floats``."""
    ranges: dict[str, tuple[float, float]] = {}

    def observe(value: Value, tensor: Tensor) -> None:
        low, high = ranges.get(value.name, (0.0, 0.0))
        ranges[value.name] = (min(low, float(tensor.min())), max(high, float(tensor.max())))

    for sample in torch.split(inputs, graph.shape(graph.inputs[0])[0]):
        compile_graph(graph).run(sample, observe=observe)
    grids = {name: activation_grid(*limits) for name, limits in ranges.items()}
    for node in graph.nodes:
        if node.op in SAME_GRID and node.inputs[0] in grids:
            grids[node.output] = grids[node.inputs[0]]
    values = {
        name: replace(graph.values[name], quant=grid)
        for name, grid in grids.items()
        if name not in floats
    }
    return _with_integer_constants(graph, values)


def activation_grid(low: float, high: float) -> QuantParams:
    """Return the int8 grid over [low, high], which holds 0 exactly."""
    scale = np.float32(max(high - low, 1e-6) / 255)
    zero_point = int(np.clip(np.round(-128 - low / scale), -128, 127))
    return QuantParams(np.array([scale]), np.array([zero_point], np.int64))


def _with_integer_constants(graph: Graph, values: dict[str, Value]) -> Graph:
    constants: dict[str, NDArray[Any]] = {}
    nodes = {node.output: node for node in graph.nodes}
    for node in graph.nodes:
        source = values.get(node.inputs[0])
        if source is None or source.quant is None:
            continue
        if node.op in CHANNEL_AXES:
            x, weight, bias = node.inputs
            constants[weight], grid = _weights(_floats(graph, weight), CHANNEL_AXES[node.op])
            values[weight] = replace(graph.values[weight], dtype="int8", quant=grid)
            scale = source.quant.scale * grid.scale
            bias_grid = QuantParams(scale, np.zeros_like(grid.zero_point), 0, "int32")
            own = f"{node.output}/int32"  # a bias with two readers has a grid for each
            constants[own] = np.round(_floats(graph, bias) / scale).astype(np.int32)
            values[own] = Value(own, graph.shape(bias), "int32", bias_grid)
            nodes[node.output] = replace(node, inputs=(x, weight, own))
        else:
            for name in set(node.inputs) & set(graph.constants):
                array = _floats(graph, name)
                grid = activation_grid(min(0.0, float(array.min())), max(0.0, float(array.max())))
                integers = np.round(array / grid.scale) + grid.zero_point
                constants[name] = np.clip(integers, -128, 127).astype(np.int8)
                values[name] = replace(graph.values[name], dtype="int8", quant=grid)
    return rebuild(graph, nodes.values(), values=values, constants=constants)


def _floats(graph: Graph, name: str) -> NDArray[np.float32]:
    return graph.constants[name].astype(np.float32)


def _weights(array: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], QuantParams]:
    others = tuple(i for i in range(array.ndim) if i != axis)
    largest = np.maximum(np.abs(array).max(others, keepdims=True), 1e-6)
    scale = np.asarray(largest / WEIGHT_LIMIT, np.float32)
    grid = QuantParams(scale.ravel(), np.zeros(scale.size, np.int64), axis)
    return np.round(array / scale).astype(np.int8), grid
