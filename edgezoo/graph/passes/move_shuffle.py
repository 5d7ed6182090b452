"""Get rid of channel shuffles, or move them to where the picture is smaller.

A shuffle is a permutation of channels: behind a dense convolution it permutes the weights instead, and
it passes through a depthwise convolution, whose stride leaves it a quarter of the pixels to move.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgezoo.graph.attrs import ChannelShuffle, Conv2d
from edgezoo.graph.graph import Graph, Node
from edgezoo.graph.passes.edit import Edit


def move_channel_shuffle(graph: Graph) -> Graph:
    """Return ``graph`` with shuffles folded into dense convolutions or behind strided depthwise ones."""
    edit = Edit(graph)
    for original in graph.nodes:
        node = edit.resolve(original)
        if isinstance(node.attrs, ChannelShuffle) and _folds(edit, node):
            continue
        if not _swaps(edit, node):
            edit.keep(node)
    return edit.finish()


def shuffled(channels: int, groups: int) -> np.ndarray:
    """Return which input channel each output channel of a shuffle reads."""
    return np.arange(channels).reshape(groups, -1).T.reshape(-1)


def _folds(edit: Edit, node: Node) -> bool:
    """Permute the outputs of the dense convolution in front."""
    before = edit.made.get(node.inputs[0])
    if before is None or not isinstance(before.attrs, Conv2d) or before.attrs.groups != 1:
        return False
    if not edit.single_use(before.output) or not isinstance(node.attrs, ChannelShuffle):
        return False
    reads = shuffled(edit.shape(node.output)[1], node.attrs.groups)
    inputs = _permuted(edit, before, reads)
    if inputs is None:
        return False
    if not edit.may_alias(node.output, before.output):
        return False
    edit.absorb(node, into=replace(before, inputs=inputs))
    return True


def _swaps(edit: Edit, node: Node) -> bool:
    """Let a strided depthwise convolution come before the shuffle in front of it."""
    shuffle = edit.made.get(node.inputs[0])
    if shuffle is None or not isinstance(shuffle.attrs, ChannelShuffle):
        return False
    channels = edit.shape(node.inputs[0])[1]
    if not isinstance(node.attrs, Conv2d) or node.attrs.stride == (1, 1):
        return False
    depthwise = node.attrs.groups == channels > 1
    if not depthwise or edit.shape(node.output)[1] != channels:
        return False
    if not edit.single_use(shuffle.output):
        return False
    inputs = _permuted(edit, node, np.argsort(shuffled(channels, shuffle.attrs.groups)))
    if inputs is None:
        return False
    name = edit.insert(
        replace(node, inputs=(shuffle.inputs[0], *inputs[1:]), output=f"{node.output}/unshuffled")
    )
    edit.keep(replace(shuffle, inputs=(name,), output=node.output), changed=True)
    return True


def _permuted(edit: Edit, node: Node, reads: np.ndarray) -> tuple[str, str, str] | None:
    """Return the convolution's inputs with its output channels in the order ``reads``."""
    source, weight_name, bias_name = node.inputs
    weight, bias = edit.array(weight_name), edit.array(bias_name)
    if weight is None or bias is None:
        return None
    return (
        source,
        edit.constant(weight_name, np.ascontiguousarray(weight[reads])),
        edit.constant(bias_name, bias[reads]),
    )
