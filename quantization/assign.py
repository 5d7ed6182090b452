"""Which value gets which grid: the TFLite int8 contract on the graph.

Values that an operator only moves around share one grid with its inputs; sigmoid, softmax and tanh
have fixed grids; weights are per-channel and symmetric, biases int32 on ``s_in * s_w``. What has no
int8 kernel stays float, with ``requantize`` nodes at the border.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edgezoo.graph.attrs import Attrs, Pad
from edgezoo.graph.graph import Graph, Node, QuantParams, Value, rebuild
from edgezoo.graph.passes.activations import as_activation
from edgezoo.quantization.islands import float_values
from edgezoo.quantization.qparams import coarsened, fixed_grid

# ops that only move or choose elements: every input and the output on one grid
SHARED = frozenset(
    {"reshape", "permute", "expand", "slice", "concat", "channel_shuffle", "resize"}
    | {"max_pool2d", "maximum", "minimum", "max", "min"}
)
# the same, but with elements that no input holds: a fill, a limit, a mean
SHARED_WITH_MORE = frozenset({"pad", "avg_pool2d"})
FIXED: Mapping[str, QuantParams] = {
    "sigmoid": fixed_grid(1 / 256, -128),
    "softmax": fixed_grid(1 / 256, -128),
    "tanh": fixed_grid(1 / 128, 0),
    "log_softmax": fixed_grid(16 / 256, 127),
}
WEIGHTED = frozenset({"conv2d", "conv_transpose2d", "linear"})
FINEST_SUM = 2.0**12
FINEST_EXPONENT = 2.0**-20
INTEGER = (
    SHARED
    | SHARED_WITH_MORE
    | WEIGHTED
    | frozenset(FIXED)
    | {"add", "sub", "mul", "mean", "sum", "matmul", "relu", "clip"}
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
    fixed = _fixed_by(graph)
    real = float_values(graph, lambda node: node.op in INTEGER)

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
            kind = None if name in graph.constants else _border(fixed, real, name, node)
            inputs.append(copy(name, node, kind) if kind else name)
        nodes.append(replace(node, inputs=tuple(inputs)))
    return rebuild(replace(graph, values=values), nodes)


def shares_grid(node: Node) -> bool:
    """Tell whether the operator's integers must mean the same before and after it.

    MINIMUM and MAXIMUM compare integers; limits that are an activation have kernels that rescale.
    """
    is_limit = node.op == "clip" and as_activation(node) is None
    return is_limit or node.op in SHARED or node.op in SHARED_WITH_MORE


def _fixed_by(graph: Graph) -> dict[str, str]:
    """Return for each value on a fixed grid the operator that fixed it, through what moves it on."""
    fixed: dict[str, str] = {}
    for node in graph.nodes:
        sources = {fixed.get(name, "") for name in node.inputs}
        if node.op in FIXED:
            fixed[node.output] = node.op
        elif shares_grid(node) and not _leaves_the_grid(node) and len(sources) == 1:
            fixed[node.output] = sources.pop()
    return {name: op for name, op in fixed.items() if op}


def _leaves_the_grid(node: Node) -> bool:
    return isinstance(node.attrs, Pad) and node.attrs.value != 0


def _border(
    fixed: Mapping[str, str],
    real: frozenset[str],
    name: str,
    reader: Node,
) -> str | None:
    if reader.output in real:
        return None if name in real else "real"
    if name in real:
        return "integer"
    leaves = shares_grid(reader) and reader.output not in fixed
    return "shared" if leaves and name in fixed else None


def integer_values(graph: Graph) -> frozenset[str]:
    """Return the values held in int8 in a graph with its borders: all that no ``/real`` copy reaches."""
    integer = set(graph.inputs)
    for node in graph.nodes:
        computed = [name for name in node.inputs if name not in graph.constants]
        if node.op == "requantize":
            is_integer = not node.output.endswith("/real")
        else:
            is_integer = all(name in integer for name in computed)
        if is_integer:
            integer.add(node.output)
    return frozenset(integer)


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
    integer = integer_values(graph)
    for node in graph.nodes:
        if node.output not in integer:
            continue
        find(node.output)
        if shares_grid(node):
            for name in node.inputs:
                parent[find(name)] = find(node.output)
    return {name: find(name) for name in parent}


def activation_grids(
    graph: Graph, groups: Mapping[str, str], grid_of: Callable[[str], QuantParams]
) -> dict[str, QuantParams]:
    """Return the grid of every integer value; ``grid_of(group)`` decides the free ones."""
    fixed = {groups[node.output]: FIXED[node.op] for node in graph.nodes if node.op in FIXED}
    chosen = {group: fixed.get(group) or grid_of(group) for group in set(groups.values())}
    for node in graph.nodes:
        for name, smallest in _smallest_scales(node, groups, chosen):
            if name in groups and groups[name] not in fixed:
                chosen[groups[name]] = coarsened(chosen[groups[name]], smallest)
    return {name: chosen[group] for name, group in groups.items()}


def _smallest_scales(
    node: Node, groups: Mapping[str, str], chosen: Mapping[str, QuantParams]
) -> list[tuple[str, float]]:
    """Return the scales under which LiteRT's kernels abort the process, with room to spare.

    A sum can be 2^20 times finer than its terms (``x - x`` is zero but for rounding), a softmax's input
    as fine as 2^-26; neither is of any use.
    """
    if node.op in ("add", "sub"):
        terms = [float(chosen[groups[n]].scale[0]) for n in node.inputs if n in groups]
        return [(node.output, max(terms, default=0.0) / FINEST_SUM)]
    if node.op in ("softmax", "log_softmax"):
        return [(node.inputs[0], FINEST_EXPONENT)]
    return []
