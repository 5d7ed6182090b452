"""Move explicit padding into the convolution or pool that reads it (TensorFlow's SAME in PyTorch)."""

from __future__ import annotations

from dataclasses import replace

from edgezoo.graph.attrs import Conv2d, Pad, Padding, Pool2d
from edgezoo.graph.graph import Graph, Node
from edgezoo.graph.passes.edit import Edit

LOWEST = -1e30  # what people write for minus infinity; no activation is near it


def merge_padding(graph: Graph) -> Graph:
    """Return ``graph`` with pads of height and width folded into their reader."""
    edit = Edit(graph)
    for original in graph.nodes:
        node = edit.resolve(original)
        merged = _merged(edit, node)
        edit.keep(merged, changed=merged is not node)
    return edit.finish()


def _merged(edit: Edit, node: Node) -> Node:
    pad = edit.made.get(node.inputs[0])
    if not isinstance(node.attrs, (Conv2d, Pool2d)) or pad is None:
        return node
    if not isinstance(pad.attrs, Pad) or not _pads_alike(node, pad.attrs.value):
        return node
    pads = pad.attrs.pads
    if len(pads) != 4 or any(map(any, pads[:2])):
        return node
    total: Padding = tuple(  # type: ignore[assignment]  # four by construction
        inner + outer for inner, outer in zip(node.attrs.padding, (*pads[2], *pads[3]), strict=True)
    )
    return replace(
        node, inputs=(pad.inputs[0], *node.inputs[1:]), attrs=replace(node.attrs, padding=total)
    )


def _pads_alike(node: Node, value: float) -> bool:
    """Tell whether the reader fills with the same: zeros, or what never is a maximum."""
    return value <= LOWEST if node.op == "max_pool2d" else value == 0
