"""Handlers from ATen operations to graph nodes, one table: ``HANDLERS["aten.relu.default"]``.

A handler takes the builder and the operation's own arguments (same names, same defaults) and returns
a ``Ref``, a tuple of them, or ``NotImplemented`` where a form of the operation is not supported.
"""

from edgezoo.converters.aten import arithmetic, attention, convolution, pooling, shapes
from edgezoo.converters.aten.table import HANDLERS

__all__ = ["HANDLERS", "arithmetic", "attention", "convolution", "pooling", "shapes"]
