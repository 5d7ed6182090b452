"""Drop and merge what only renames data: reshapes, permutations, expansions that broadcast anyway."""

from __future__ import annotations

from dataclasses import replace

from edgezoo.graph.attrs import Permute, Reduce, Reshape
from edgezoo.graph.graph import Graph, Node
from edgezoo.graph.passes.edit import Edit

BROADCASTING = frozenset({"add", "sub", "mul", "div", "maximum", "minimum"})


def remove_identities(graph: Graph) -> Graph:
    """Return ``graph`` with chains of reshapes and permutations merged and no-ops gone."""
    edit = Edit(graph)
    for original in graph.nodes:
        node = edit.resolve(original)
        merged = _merged(edit, node)
        if _does_nothing(edit, merged) and edit.may_alias(merged.output, merged.inputs[0]):
            edit.alias(merged.output, merged.inputs[0])
        elif (stripped := _without_expand(edit, merged)) is not None:
            edit.keep(stripped, changed=True)
        else:
            edit.keep(merged, changed=merged is not node)
    return edit.finish()


def _merged(edit: Edit, node: Node) -> Node:
    before = edit.made.get(node.inputs[0])
    if before is None:
        return node
    if isinstance(node.attrs, Permute) and isinstance(before.attrs, Permute):
        order = tuple(before.attrs.order[axis] for axis in node.attrs.order)
        return replace(node, inputs=before.inputs, attrs=Permute(order))
    if node.op == "reshape" and before.op == "reshape":
        return replace(node, inputs=before.inputs)
    if node.op == "reshape" and isinstance(before.attrs, Reduce) and before.attrs.keepdim:
        squeezed = replace(before.attrs, keepdim=False)
        kept = [
            size
            for axis, size in enumerate(edit.shape(before.output))
            if axis not in before.attrs.axes
        ]
        if tuple(kept) == edit.shape(node.output) and edit.single_use(before.output):
            return replace(before, output=node.output, attrs=squeezed)
    return node


def _does_nothing(edit: Edit, node: Node) -> bool:
    if node.op in ("reshape", "expand"):
        return edit.shape(node.inputs[0]) == edit.shape(node.output)
    return isinstance(node.attrs, Permute) and node.attrs.order == tuple(
        range(len(node.attrs.order))
    )


def _without_expand(edit: Edit, node: Node) -> Node | None:
    """Read through an ``expand`` where the other operand already has the full shape."""
    if node.op not in BROADCASTING:
        return None
    for index, name in enumerate(node.inputs):
        made = edit.made.get(name)
        other = node.inputs[1 - index]
        if made is None or made.op != "expand" or not isinstance(made.attrs, Reshape):
            continue
        if edit.shape(other) == edit.shape(node.output):
            inputs = list(node.inputs)
            inputs[index] = made.inputs[0]
            return replace(node, inputs=tuple(inputs))
    return None
