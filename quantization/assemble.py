"""Puts grids and integer constants onto a graph whose borders are already in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgezoo.graph.graph import Graph, Node, QuantParams, Value, rebuild
from edgezoo.quantization.assign import SHARED, WEIGHTED, integer_values
from edgezoo.quantization.qparams import (
    SMALLEST_SCALE,
    activation_grid,
    channel_grid,
    to_grid,
    weight_scales,
)

Array = np.ndarray[Any, np.dtype[Any]]

WEIGHT_AXIS = {"conv2d": 0, "conv_transpose2d": 1, "linear": 0}
# the int32 accumulator holds bias and products: keep the bias under a quarter of its range
BIAS_STEPS = 2**29


@dataclass(frozen=True, slots=True)
class Rounded:
    """An integer weight with its grid, and the real-valued bias that belongs to it."""

    weight: Array
    quant: QuantParams
    bias: Array


def weight_grid(node: Node, weight: Array, bias: Array, input_scale: float) -> QuantParams:
    """Return the per-channel grid of a weight; channels of zeros still get room for their bias."""
    axis = WEIGHT_AXIS[node.op]
    room = np.abs(bias.astype(np.float64)) / (BIAS_STEPS * input_scale)
    return channel_grid(weight_scales(weight, axis, np.maximum(room, SMALLEST_SCALE)), axis)


def round_to_nearest(node: Node, weight: Array, bias: Array, input_scale: float) -> Rounded:
    """Return the weight rounded to the nearest step."""
    quant = weight_grid(node, weight, bias, input_scale)
    return Rounded(to_grid(weight, quant), quant, bias)


def assemble(
    graph: Graph,
    grids: Mapping[str, QuantParams],
    rounded: Mapping[str, Rounded] | None = None,
) -> Graph:
    """Return the quantized graph.

    ``rounded`` holds weights that were rounded with care, by the name of the node's output; all others
    are rounded to the nearest.
    """
    values: dict[str, Value] = {
        name: replace(value, quant=grids.get(name)) if name not in graph.constants else value
        for name, value in graph.values.items()
    }
    constants: dict[str, Array] = dict(graph.constants)

    def store(name: str, array: Array, quant: QuantParams) -> str:
        values[name] = Value(name, tuple(array.shape), str(array.dtype), quant)
        constants[name] = array
        return name

    integer = integer_values(graph)
    nodes = []
    for node in graph.nodes:
        if node.output not in integer:
            nodes.append(node)
        elif node.op in WEIGHTED:
            nodes.append(_weighted(graph, node, grids, rounded or {}, store))
        else:
            nodes.append(_with_integer_constants(graph, node, grids, store))
    return rebuild(graph, nodes, values=values, constants=constants)


def _weighted(graph: Graph, node: Node, grids: Any, rounded: Any, store: Any) -> Node:
    """Round weight and bias; the bias has scale ``s_in * s_w`` and is int32."""
    source, weight_name, bias_name = node.inputs
    input_scale = float(grids[source].scale[0])
    chosen = rounded.get(node.output)
    if chosen is None or _bias_overflows(chosen, input_scale):
        bias = graph.constants[bias_name]
        chosen = round_to_nearest(node, graph.constants[weight_name], bias, input_scale)
    bias_quant = channel_grid(chosen.quant.scale.astype(np.float64) * input_scale, 0, "int32")
    prefix = f"{node.output}/int8"
    inputs = (
        source,
        store(f"{prefix}/weight", chosen.weight, chosen.quant),
        store(f"{prefix}/bias", to_grid(chosen.bias, bias_quant), bias_quant),
    )
    return replace(node, inputs=inputs)


def _bias_overflows(chosen: Rounded, input_scale: float) -> bool:
    """Tell whether weights that were rounded for a coarser input leave no room for their bias."""
    limit = BIAS_STEPS * 4.0 * input_scale * chosen.quant.scale.astype(np.float64)
    return bool(np.any(np.abs(chosen.bias) >= limit))


def _with_integer_constants(graph: Graph, node: Node, grids: Any, store: Any) -> Node:
    inputs = []
    for name in node.inputs:
        if name in graph.constants:
            array = np.asarray(graph.constants[name])
            shared = node.op in SHARED
            quant = (
                grids[node.output]
                if shared
                else activation_grid(float(array.min()), float(array.max()))
            )
            name = store(f"{node.output}/int8/{name}", to_grid(array, quant), quant)
        inputs.append(name)
    return replace(node, inputs=tuple(inputs))
