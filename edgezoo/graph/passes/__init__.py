"""Passes: functions from graph to graph, one file each, in one ordered tuple.

Each keeps what the graph computes (the interpreter before and after is the test) and returns the very
same object when it has nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable

from edgezoo.graph.graph import Graph
from edgezoo.graph.passes.activations import fuse_activations
from edgezoo.graph.passes.affine import fold_affine
from edgezoo.graph.passes.channel_shuffle import recognise_channel_shuffle
from edgezoo.graph.passes.identities import remove_identities
from edgezoo.graph.passes.move_shuffle import move_channel_shuffle
from edgezoo.graph.passes.normalisation import normalisation_as_convolution
from edgezoo.graph.passes.padding import merge_padding
from edgezoo.graph.passes.pooling import average_as_convolution
from edgezoo.graph.passes.precision import round_constants
from edgezoo.graph.passes.scales import absorb_scales, scale_gates

Pass = Callable[[Graph], Graph]

PASSES: tuple[tuple[Pass, str], ...] = (
    (remove_identities, "first: the patterns below must not be hidden by no-op reshapes"),
    (recognise_channel_shuffle, "before layouts are thought about: its own node per format"),
    (merge_padding, "before the pools become convolutions, so that both cases are covered"),
    (average_as_convolution, "before folding: a batch norm behind a pool folds into the weights"),
    (fold_affine, "before fusing: a clipped result can no longer be scaled"),
    (absorb_scales, "after folding, which joins chains of numbers into one"),
    (scale_gates, "after absorbing: a number that a convolution reads is gone by then"),
    (fuse_activations, "after folding, when the activation sits right behind its convolution"),
    (normalisation_as_convolution, "after fusing, so that its activation is known"),
    (move_channel_shuffle, "after folding and fusing, when convolution and shuffle are neighbours"),
    (round_constants, "last: everything before works in float64"),
)


def optimize(graph: Graph) -> Graph:
    """Apply all passes in order."""
    for apply, _ in PASSES:
        graph = apply(graph)
    return graph
