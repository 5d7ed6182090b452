"""Fuse activations into what they clip; pull them through concat; drop those that do nothing.

A stand-alone int8 RELU leaves the XNNPACK partition and cost half of ShuffleNet's time
(measured), so none should be left where it can be avoided.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from edgezoo.graph.attrs import Activation, Clip, Fusable, Pad
from edgezoo.graph.graph import Graph, Node, dequantized
from edgezoo.graph.passes.edit import Edit

# ops whose TFLite operator has a fused activation
FUSING = frozenset({"conv2d", "linear", "add", "sub", "mul", "div", "max_pool2d", "avg_pool2d"})
POSITIVE = frozenset({"relu", "sigmoid", "softmax", "exp", "abs", "sqrt", "rsqrt"})
PRESERVING = frozenset(
    {"max_pool2d", "avg_pool2d", "mean", "sum", "max", "min", "reshape", "permute", "expand"}
    | {"slice", "concat", "resize", "channel_shuffle", "add", "mul", "div", "minimum"}
    | {"requantize"}
)


def fuse_activations(graph: Graph) -> Graph:
    """Return ``graph`` with every activation fused that can be."""
    edit = Edit(graph)
    positive = _non_negative_constants(graph)
    for original in graph.nodes:
        node = edit.resolve(original)
        activation = as_activation(node)
        if activation is None or not _absorb(edit, node, activation, positive):
            edit.keep(node)
            if is_non_negative(node, positive):
                positive.add(node.output)
    return edit.finish()


def as_activation(node: Node) -> Activation | None:
    """Return the fusable activation that ``node`` is."""
    if node.op == "relu":
        return "relu"
    ranges: dict[tuple[float, float], Activation] = {
        (0.0, 6.0): "relu6",
        (-1.0, 1.0): "relu_n1_to_1",
        (0.0, float("inf")): "relu",
    }
    return (
        ranges.get((node.attrs.minimum, node.attrs.maximum))
        if isinstance(node.attrs, Clip)
        else None
    )


def is_non_negative(node: Node, positive: set[str]) -> bool:
    """Tell whether ``node`` can never give a negative number, knowing that of its inputs."""
    if isinstance(node.attrs, Fusable) and node.attrs.activation in ("relu", "relu6"):
        return True
    if isinstance(node.attrs, Clip):
        return node.attrs.minimum >= 0 or (node.inputs[0] in positive and node.attrs.maximum >= 0)
    if isinstance(node.attrs, Pad):
        return node.inputs[0] in positive and node.attrs.value >= 0
    if node.op in POSITIVE:
        return True
    if node.op == "maximum":
        return any(name in positive for name in node.inputs)
    inputs = all(name in positive for name in node.inputs)
    return inputs and (node.op in PRESERVING or node.op in ("conv2d", "linear", "matmul"))


def non_negative(graph: Graph) -> frozenset[str]:
    """Return the names of all values that can never be negative."""
    positive = _non_negative_constants(graph)
    for node in graph.nodes:
        if is_non_negative(node, positive):
            positive.add(node.output)
    return frozenset(positive)


def _non_negative_constants(graph: Graph) -> set[str]:
    """Return the constants without negative numbers; integers count as the real numbers they mean."""
    real = {
        name: array if (quant := graph.values[name].quant) is None else dequantized(array, quant)
        for name, array in graph.constants.items()
    }
    return {name for name, array in real.items() if array.size and np.min(array) >= 0}


def _absorb(edit: Edit, node: Node, activation: Activation, positive: set[str]) -> bool:
    """Fuse ``node`` into its producer, or into the producers behind a concat."""
    name = node.inputs[0]
    if activation == "relu" and name in positive and edit.may_alias(node.output, name):
        edit.alias(node.output, name)
        return True
    before = edit.made.get(name)
    if before is None or not edit.single_use(name):
        return False
    targets = list(before.inputs) if before.op == "concat" else [name]
    open_targets = [t for t in targets if not (activation == "relu" and t in positive)]
    if not all(_can_fuse(edit, target) for target in open_targets):
        return False
    for target in dict.fromkeys(open_targets):
        made = edit.made[target]
        edit.remake(replace(made, attrs=replace(cast(Fusable, made.attrs), activation=activation)))
        if activation != "relu_n1_to_1":
            positive.add(target)
    if activation != "relu_n1_to_1":
        positive.add(name)
    edit.alias(node.output, name)
    return True


def _can_fuse(edit: Edit, name: str) -> bool:
    made = edit.made.get(name)
    return (
        made is not None
        and made.op in FUSING
        and isinstance(made.attrs, Fusable)
        and made.attrs.activation is None
        and edit.single_use(name)
    )
