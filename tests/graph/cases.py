"""The cases: small networks that use every op and every form of it that capture knows.

Capture, the interpreter and each writer run the same table; a new op adds its row here. The tests
of capture check that the rows reach every op of the graph and every handler of ``converters/aten``.
"""

from __future__ import annotations

from tests.graph import rows_elementwise, rows_layers, rows_shapes
from tests.graph.case import Case

CASES: tuple[Case, ...] = (
    *rows_layers.CONVOLUTIONS,
    *rows_layers.PRODUCTS,
    *rows_layers.NORMS,
    *rows_elementwise.ACTIVATIONS,
    *rows_elementwise.ARITHMETIC,
    *rows_shapes.POOLING,
    *rows_shapes.SHAPES,
    *rows_shapes.ENDS,
)

if len({case.name for case in CASES}) != len(CASES):
    raise ValueError("two cases have one name")
