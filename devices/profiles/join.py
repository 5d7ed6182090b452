"""Join a runner's operators with the nodes of the file that it ran.

ONNX Runtime and TFLite's built-in kernels tell the node's name. XNNPACK only tells kinds of
operators, but keeps the file's order: the operators with weights are then the file's nodes with
weights one by one, and the rest is matched between two of them. What does not fit stays unjoined.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from edgezoo.devices.profiles.kinds import continues, executes, has_weights
from edgezoo.devices.profiles.nodes import FileNode, UnreadableFileError, read_nodes
from edgezoo.measurement import OpTime, Profile
from edgezoo.types import Format

# What ONNX Runtime appends to the names of nodes that it rewrites.
_REWRITTEN = re.compile(r"(_nchwc|_token_\d+|/\w+Fusion/)$")
# What it fuses into the operator with weights before, which then has the later one's name.
_FUSED_AFTER = {"Relu", "Clip", "Sigmoid", "HardSigmoid", "Tanh", "LeakyRelu", "Add", "Sum"}
# How TFLite's profilers name a node: its outputs and its number.
_TFLITE_NAME = re.compile(r"\[([^\]]*)\]:\d+")


def joined(profile: Profile, path: Path, format_: Format) -> Profile:
    """Return ``profile`` with values and MACs of the file; as it is where the file is unreadable.

    A runtime has run the file by then, so being unreadable is this reader's fault and no failure.
    """
    try:
        return join(profile, read_nodes(path, format_))
    except (UnreadableFileError, OSError):
        return profile


def join(profile: Profile, nodes: Sequence[FileNode]) -> Profile:
    """Return ``profile`` with ``value`` and ``macs`` of every operator whose node is certain."""
    found = _by_name(profile.ops, nodes)
    taken = {id(node) for node in found.values()}
    rest = [index for index in range(len(profile.ops)) if index not in found]
    left = [node for node in nodes if id(node) not in taken]
    matches = _by_order([profile.ops[index] for index in rest], left)
    found |= {rest[place]: node for place, node in matches.items()}
    return replace(profile, ops=tuple(_filled(profile.ops, found)))


def _filled(ops: Sequence[OpTime], found: Mapping[int, FileNode]) -> Iterator[OpTime]:
    """Yield the operators; of several that compute one value only the first has its MACs."""
    counted: set[int] = set()
    for index, op in enumerate(ops):
        node = found.get(index)
        if node is None:
            yield op
            continue
        yield replace(op, value=node.value, macs=0 if id(node) in counted else node.macs)
        counted.add(id(node))


def _by_name(ops: Sequence[OpTime], nodes: Sequence[FileNode]) -> dict[int, FileNode]:
    names = Counter(node.name for node in nodes if node.name)
    named = {node.name: node for node in nodes if names[node.name] == 1}
    values = {node.value: node for node in nodes}
    found: dict[int, FileNode] = {}
    for index, op in enumerate(ops):
        tflite = _TFLITE_NAME.fullmatch(op.name)
        node = values.get(tflite[1]) if tflite else next(_candidates(op.name, named), None)
        if node is not None and (not tflite or node.op == op.op):
            found[index] = node
    taken = {node.value for node in found.values()}
    for index, node in tuple(found.items()):
        if node.macs == 0 and re.search("Conv|Gemm|MatMul", ops[index].op):
            before = _weighted_before(node, values, taken)
            found.pop(index)
            if len(before) == 1:  # of several, nobody knows which
                found[index] = before[0]
    return found


def _weighted_before(
    node: FileNode, values: Mapping[str, FileNode], taken: Set[str]
) -> list[FileNode]:
    """Return the nodes with weights that ``node`` may be fused into, without those known by name."""
    queue, weighted = [node], []
    while queue:
        node = queue.pop()
        if node.macs != 0:
            weighted.append(node)
        elif node.op in _FUSED_AFTER:
            before = [values[name] for name in node.inputs if name in values]
            queue += [earlier for earlier in before if earlier.value not in taken]
    return weighted


def _candidates(name: str, named: Mapping[str, FileNode]) -> Iterator[FileNode]:
    """Yield the nodes called ``name``, or that without what the runtime appended."""
    while name:
        if name in named:
            yield named[name]
        shorter = _REWRITTEN.sub("", name)
        if shorter == name:
            return
        name = shorter


def _by_order(ops: Sequence[OpTime], nodes: Sequence[FileNode]) -> dict[int, FileNode]:
    """Return the node of each operator by kind and order; nothing unless all weights agree."""
    heavy_ops = [index for index, op in enumerate(ops) if has_weights(op.op)]
    heavy_nodes = [index for index, node in enumerate(nodes) if node.macs != 0]
    pairs = list(zip(heavy_ops, heavy_nodes, strict=False))
    if len(heavy_ops) != len(heavy_nodes):
        return {}
    if not all(executes(ops[i].op, nodes[j].op) for i, j in pairs):
        return {}
    found: dict[int, FileNode] = {}
    bounds = [(-1, -1), *pairs, (len(ops), len(nodes))]
    for (op_start, node_start), (op_end, node_end) in pairwise(bounds):
        if op_start >= 0:
            found[op_start] = nodes[node_start]
        last = nodes[node_start] if node_start >= 0 else None
        between = list(nodes[node_start + 1 : node_end])
        found |= _between(ops, range(op_start + 1, op_end), between, last)
    return found


def _between(
    ops: Sequence[OpTime], places: range, nodes: list[FileNode], last: FileNode | None
) -> dict[int, FileNode]:
    """Match the operators at ``places`` with ``nodes`` in order; each takes the next that fits."""
    found: dict[int, FileNode] = {}
    for place in places:
        index = next((i for i, n in enumerate(nodes) if executes(ops[place].op, n.op)), None)
        if index is not None:
            last = nodes[index]
            del nodes[: index + 1]
        elif last is None or not continues(ops[place].op, last):
            continue
        found[place] = last
    return found
