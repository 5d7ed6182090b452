"""Handlers from ATen operations to graph nodes, one table: ``HANDLERS["aten.relu.default"]``.

A handler takes the builder and the operation's own arguments (same names, same defaults); it
returns a ``Ref``, a tuple of them, or ``NotImplemented`` where it does not know a form of it.
"""

from edgezoo.converters.aten import (
    arithmetic,
    attention,
    convolution,
    filling,
    pooling,
    resizing,
    shapes,
)
from edgezoo.converters.aten.table import HANDLERS

__all__ = [
    "HANDLERS",
    "arithmetic",
    "attention",
    "convolution",
    "filling",
    "pooling",
    "resizing",
    "shapes",
]
