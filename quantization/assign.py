"""Which value gets which grid: the TFLite int8 contract on the graph.

Values that an operator only moves around share one grid with its inputs; sigmoid, softmax and tanh
have fixed grids; weights are per-channel and symmetric, biases int32 on ``s_in * s_w``. What has no
int8 kernel stays float, with ``requantize`` nodes at the border.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edgezoo.graph.attrs import Attrs
from edgezoo.graph.graph import Graph, Node, QuantParams, Value, rebuild
from edgezoo.quantization.qparams import fixed_grid

# every input and the output on one grid
SHARED = frozenset(
    {"reshape", "permute", "expand", "slice", "pad", "concat", "channel_shuffle", "resize"}
    | {"max_pool2d", "maximum", "minimum", "max", "min"}
)
FIXED: Mapping[str, QuantParams] = {
    "sigmoid": fixed_grid(1 / 256, -128),
    "softmax": fixed_grid(1 / 256, -128),
    "tanh": fixed_grid(1 / 128, 0),
    "log_softmax": fixed_grid(16 / 256, 127),
}
WEIGHTED = frozenset({"conv2d", "conv_transpose2d", "linear"})
INTEGER = (
    SHARED
    | WEIGHTED
    | frozenset(FIXED)
    | {"add", "sub", "mul", "mean", "sum", "avg_pool2d", "matmul", "relu", "clip"}
    | {"hardswish", "leaky_relu", "elu", "prelu", "gelu"}
)


def insert_borders(graph: Graph) -> Graph:
    """Return ``graph`` with a ``requantize`` node wherever integer and float, or two grids, meet.

    They stand between float and integer operators, and between a fixed grid and an operator whose
    inputs must share theirs.
    """
    values: dict[str, Value] = dict(graph.values)
    nodes: list[Node] = []
    copies: dict[tuple[str, str], str] = {}
    maker = {node.output: node for node in graph.nodes}

    def copy(name: str, reader: Node, kind: str) -> str:
        if (name, kind) not in copies:
            fresh = f"{name}/{kind}"
            values[fresh] = replace(values[name], name=fresh)
            nodes.append(Node("requantize", (name,), fresh, Attrs(), reader.source))
            copies[name, kind] = fresh
        return copies[name, kind]

    for node in graph.nodes:
        inputs = []
        for name in node.inputs:
            kind = _border(graph, maker, name, node)
            inputs.append(copy(name, node, kind) if kind else name)
        nodes.append(replace(node, inputs=tuple(inputs)))
    return rebuild(replace(graph, values=values), nodes)


def _border(graph: Graph, maker: Mapping[str, Node], name: str, reader: Node) -> str | None:
    if name in graph.constants:
        return None
    source = maker.get(name)
    integer_source = source is None or source.op in INTEGER
    if reader.op in INTEGER and not integer_source:
        return "integer"
    if reader.op not in INTEGER and integer_source:
        return "real"
    joins_a_fixed_grid = source is not None and source.op in FIXED and len(reader.inputs) > 1
    return "shared" if reader.op in SHARED and joins_a_fixed_grid else None


def is_integer(node: Node) -> bool:
    """Tell whether a node's result is held in int8."""
    if node.op == "requantize":
        return not node.output.endswith("/real")
    return node.op in INTEGER


def shared_grids(graph: Graph) -> dict[str, str]:
    """Return for each integer value the name of the one that stands for its whole group."""
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for name in graph.inputs:
        find(name)
    for node in graph.nodes:
        if not is_integer(node):
            continue
        find(node.output)
        if node.op in SHARED:
            for name in node.inputs:
                parent[find(name)] = find(node.output)
    return {name: find(name) for name in parent}


def activation_grids(
    graph: Graph, groups: Mapping[str, str], grid_of: Callable[[str], QuantParams]
) -> dict[str, QuantParams]:
    """Return the grid of every integer value; ``grid_of(group)`` decides the free ones."""
    fixed = {groups[node.output]: FIXED[node.op] for node in graph.nodes if node.op in FIXED}
    chosen = {group: fixed.get(group) or grid_of(group) for group in set(groups.values())}
    return {name: chosen[group] for name, group in groups.items()}
