"""The table that the lowering files fill: from an op's name to the ONNX nodes it becomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgezoo.converters.onnx.emitter import Emitter
from edgezoo.graph.graph import Node

# (emitter, attributes, node, output); the table of ops pairs an op with the type of its attributes
Lowering = Callable[[Emitter, Any, Node, str], None]
LOWERINGS: dict[str, Lowering] = {}


def lowers(*ops: str) -> Callable[[Lowering], Lowering]:
    """Register a lowering; a second registration is a bug.

    The lowering writes the value ``output``; fused activations and rounding to the output's grid
    come after it and are not its business.
    """

    def register(lowering: Lowering) -> Lowering:
        for op in ops:
            if op in LOWERINGS:
                raise ValueError(f"op {op} is lowered twice")
            LOWERINGS[op] = lowering
        return lowering

    return register
