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
        resolved = edit.resolve(original)
        node = _constant_second(edit, resolved)
        operand = _constant_operand(edit, node)
        before = edit.made.get(node.inputs[0])
        if operand is None or before is None or not _is_open(edit, before):
            edit.keep(node, changed=node is not resolved)
        elif (folded := _folded(edit, before, node, operand)) is not None:
            edit.absorb(node, folded)
        else:
            merged = _chained(edit, before, node, operand)
            edit.keep(merged, changed=merged is not resolved)
    return edit.finish()


def _constant_second(edit: Edit, node: Node) -> Node:
    """Put the constant second; ``x - c`` becomes ``x + (-c)``."""
    first_alone = [edit.array(name) is not None for name in node.inputs] == [True, False]
    if node.op in ("add", "mul") and first_alone:
        return replace(node, inputs=(node.inputs[1], node.inputs[0]))
    if node.op == "sub" and (array := edit.array(node.inputs[1])) is not None:
        negative = edit.constant(f"{node.inputs[1]}/negative", -array)
        return replace(node, op="add", inputs=(node.inputs[0], negative))
    return node


def _constant_operand(edit: Edit, node: Node) -> Array | None:
    """Return what the node multiplies by or adds, unless it makes its input larger."""
    if node.op not in ("add", "mul") or edit.shape(node.inputs[0]) != edit.shape(node.output):
        return None
    return edit.array(node.inputs[1])


def _is_open(edit: Edit, before: Node) -> bool:
    """Tell whether nobody else reads the node's result and nothing clips it."""
    return (
        isinstance(before.attrs, Fusable)
        and before.attrs.activation is None
        and edit.single_use(before.output)
    )


def _folded(edit: Edit, before: Node, node: Node, operand: Array) -> Node | None:
    """Return ``before`` with ``node`` in its weights and bias."""
    if before.op not in CHANNEL_AXES:
        return None
    weight_name, bias_name = before.inputs[1:]
    weight, bias = edit.array(weight_name), edit.array(bias_name)
    weight_axis, result_axis = CHANNEL_AXES[before.op]
    vector = _per_channel(operand, edit.shape(before.output), result_axis)
    if weight is None or bias is None or vector is None:
        return None
    if node.op == "mul":
        shape = [1] * weight.ndim
        shape[weight_axis] = -1
        # float64 without a widened copy, which takes twice the weights' memory
        scaled = np.multiply(weight, vector.reshape(shape), dtype=np.float64)
        weight_name = edit.constant(weight_name, scaled)
        bias_name = edit.constant(bias_name, bias * vector)
    else:
        bias_name = edit.constant(bias_name, bias + vector)
    assert isinstance(before.attrs, Fusable) and isinstance(node.attrs, Fusable)
    return replace(
        before,
        inputs=(before.inputs[0], weight_name, bias_name),
        attrs=replace(before.attrs, activation=node.attrs.activation),
    )


def _per_channel(operand: Array, result: Shape, axis: int) -> Array | None:
    """Return ``operand`` as a float64 vector over channels, or ``None`` if it varies elsewhere."""
    channels = axis % len(result)
    if operand.size and np.all(operand == operand.flat[0]):
        return np.full(result[channels], operand.flat[0], np.float64)
    wide = operand.reshape((1,) * (len(result) - operand.ndim) + operand.shape)
    if wide.size != wide.shape[channels]:
        return None
    return wide.reshape(-1).astype(np.float64)


def _chained(edit: Edit, before: Node, node: Node, operand: Array) -> Node:
    """Merge ``(x op a) op b`` into ``x op c``."""
    first = edit.array(before.inputs[1]) if before.op == node.op else None
    if first is None:
        return node
    wide = first.astype(np.float64)
    merged = wide * operand if node.op == "mul" else wide + operand
    return replace(node, inputs=(before.inputs[0], edit.constant(node.inputs[1], merged)))
