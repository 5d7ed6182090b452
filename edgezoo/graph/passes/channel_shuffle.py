"""Recognise channel shuffle, so that each format can write it in its own best way.

``reshape (n,g,c/g,h,w) -> swap axes 1 and 2 -> reshape (n,c,h,w)`` is ``channel_shuffle(groups=g)``;
megvii's inverse order is the same pattern with c/g groups.
"""

from __future__ import annotations

from edgezoo.graph.attrs import ChannelShuffle, Permute, Reshape
from edgezoo.graph.graph import Graph, Node
from edgezoo.graph.passes.edit import Edit


def recognise_channel_shuffle(graph: Graph) -> Graph:
    """Return ``graph`` with each reshape-transpose-reshape over channels as one node."""
    edit = Edit(graph)
    for original in graph.nodes:
        node = edit.resolve(original)
        found = _pattern(edit, node)
        if found is None:
            edit.keep(node)
        else:
            source, groups = found
            edit.keep(
                Node(
                    "channel_shuffle", (source,), node.output, ChannelShuffle(groups), node.source
                ),
                changed=True,
            )
    return edit.finish()


def _pattern(edit: Edit, node: Node) -> tuple[str, int] | None:
    swap = edit.made.get(node.inputs[0])
    if node.op != "reshape" or swap is None or not isinstance(swap.attrs, Permute):
        return None
    split = edit.made.get(swap.inputs[0])
    if split is None or split.op != "reshape" or swap.attrs.order != (0, 2, 1, 3, 4):
        return None
    source = split.inputs[0]
    shape = edit.shape(source)
    middle = split.attrs.shape if isinstance(split.attrs, Reshape) else ()
    same_picture = len(shape) == 4 and middle[:1] == shape[:1] and middle[3:] == shape[2:]
    if not same_picture or edit.shape(node.output) != shape:
        return None
    return source, middle[1]
