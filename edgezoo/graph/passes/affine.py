"""Fold multiplications and additions by constants into what computes their input.

Batch norm arrives here as ``x * s + t``; arithmetic is float64, rounded to float32 once, by the last
pass. A batch norm that follows no convolution stays as MUL and ADD.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgezoo.graph.attrs import Fusable
from edgezoo.graph.graph import Graph, Node
from edgezoo.graph.passes.edit import Array, Edit
from edgezoo.types import Shape

# output-channel axis of the weight, and of the result
CHANNEL_AXES = {"conv2d": (0, 1), "conv_transpose2d": (1, 1), "linear": (0, -1)}


def fold_affine(graph: Graph) -> Graph:
    """Return ``graph`` with ``conv * s + t`` as one convolution, and chains of constants merged."""
    edit = Edit(graph)
    for original in graph.nodes:
        node = _canonical(edit, edit.resolve(original))
        operand = _constant_operand(edit, node)
        before = edit.made.get(node.inputs[0])
        if operand is None or before is None or not edit.single_use(before.output):
            edit.keep(node, changed=node is not original)
        elif not (_fold_into_weights(edit, before, node, operand)):
            edit.keep(_chained(edit, before, node, operand))
    return edit.finish()


def _canonical(edit: Edit, node: Node) -> Node:
    """Put the constant second; ``x - c`` becomes ``x + (-c)``."""
    if node.op in ("add", "mul") and edit.array(node.inputs[0]) is not None:
        return replace(node, inputs=(node.inputs[1], node.inputs[0]))
    if node.op == "sub" and (array := edit.array(node.inputs[1])) is not None:
        negative = edit.constant(f"{node.inputs[1]}/negative", -array)
        return replace(node, op="add", inputs=(node.inputs[0], negative))
    return node


def _constant_operand(edit: Edit, node: Node) -> Array | None:
    if node.op not in ("add", "mul") or edit.shape(node.inputs[0]) != edit.shape(node.output):
        return None
    return edit.array(node.inputs[1])


def _fold_into_weights(edit: Edit, before: Node, node: Node, operand: Array) -> bool:
    if before.op not in CHANNEL_AXES or not isinstance(before.attrs, Fusable):
        return False
    if before.attrs.activation is not None or not isinstance(node.attrs, Fusable):
        return False
    weight, bias = (edit.array(name) for name in before.inputs[1:])
    weight_axis, result_axis = CHANNEL_AXES[before.op]
    vector = _per_channel(operand, edit.shape(before.output), result_axis)
    if weight is None or bias is None or vector is None:
        return False
    names = before.inputs[1:]
    if node.op == "mul":
        shape = [1] * weight.ndim
        shape[weight_axis] = -1
        scaled = weight.astype(np.float64) * vector.reshape(shape)
        names = (edit.constant(names[0], scaled), edit.constant(names[1], bias * vector))
    else:
        names = (names[0], edit.constant(names[1], bias.astype(np.float64) + vector))
    edit.remake(replace(before, inputs=(before.inputs[0], *names), attrs=before.attrs))
    _take_over(edit, before.output, node)
    return True


def _take_over(edit: Edit, name: str, node: Node) -> None:
    """Let the folded node write what ``node`` wrote."""
    folded = edit.made[name]
    edit.remake(replace(folded, output=folded.output, attrs=_activated(folded, node)))
    edit.alias(node.output, folded.output)


def _activated(folded: Node, node: Node) -> Fusable:
    assert isinstance(folded.attrs, Fusable) and isinstance(node.attrs, Fusable)
    return replace(folded.attrs, activation=node.attrs.activation)


def _per_channel(operand: Array, result: Shape, axis: int) -> Array | None:
    """Return ``operand`` as a float64 vector over channels, or ``None`` if it varies elsewhere."""
    wide = operand.reshape((1,) * (len(result) - operand.ndim) + operand.shape)
    channels = axis % len(result)
    if any(size != 1 for index, size in enumerate(wide.shape) if index != channels):
        return None
    return np.broadcast_to(wide.reshape(-1), (result[channels],)).astype(np.float64)


def _chained(edit: Edit, before: Node, node: Node, operand: Array) -> Node:
    """Merge ``(x op a) op b`` into ``x op c``."""
    first = edit.array(before.inputs[1]) if before.op == node.op else None
    if first is None or not isinstance(before.attrs, Fusable) or before.attrs.activation:
        return node
    wide = first.astype(np.float64)
    merged = wide * operand if node.op == "mul" else wide + operand
    name = edit.constant(node.inputs[1], merged)
    edit.modified = True
    return replace(node, inputs=(before.inputs[0], name))
