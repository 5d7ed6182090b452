"""Round the float64 constants that folding made to float32, once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgezoo.graph.graph import Graph


def round_constants(graph: Graph) -> Graph:
    """Return ``graph`` with float32 constants."""
    wide = {name: array for name, array in graph.constants.items() if array.dtype == np.float64}
    if not wide:
        return graph
    return replace(
        graph,
        constants={
            name: array.astype(np.float32) if name in wide else array
            for name, array in graph.constants.items()
        },
        values={
            name: replace(value, dtype="float32") if name in wide else value
            for name, value in graph.values.items()
        },
    )
