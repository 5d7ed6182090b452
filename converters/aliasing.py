"""Operations that overwrite a tensor, seen from a graph whose values never change.

torch.export already lets later readers of an overwritten tensor read the operation's result, but a
view made before keeps its old node: what reads it later would see stale numbers.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node as FxNode

from edgezoo.errors import CaptureError


def without_overwriting(program: ExportedProgram) -> ExportedProgram:
    """Return the program; where a view would go stale, in the functional form, which has none.

    That form costs torch as much time as the export, so it is made only where it is needed.

    Raises:
        CaptureError: forward() overwrites a parameter or a buffer.
    """
    nodes = tuple(program.graph.nodes)
    order = {node: index for index, node in enumerate(nodes)}
    sharing: dict[int, list[FxNode]] = defaultdict(list)
    for node in nodes:
        if (key := _storage(node)) is not None:
            sharing[key].append(node)
    stale = False
    for node in filter(_overwrites, nodes):
        overwritten = node.args[0]
        assert isinstance(overwritten, FxNode)
        others = sharing[_storage(overwritten) or 0]
        _check_state(program, node, others)
        stale = stale or any(_stale(node, overwritten, others, order))
    if not stale:
        return program
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of what it does itself
        functional: ExportedProgram = program.run_decompositions({})
    return functional


def _overwrites(node: FxNode) -> bool:
    schema = getattr(node.target, "_schema", None)
    mutable = schema is not None and bool(schema.is_mutable)
    return mutable and bool(node.args) and isinstance(node.args[0], FxNode)


def _storage(node: FxNode) -> int | None:
    value = node.meta.get("val")
    return int(value.untyped_storage()._cdata) if isinstance(value, Tensor) else None


def _check_state(program: ExportedProgram, node: FxNode, sharing: list[FxNode]) -> None:
    signature = program.graph_signature
    state = signature.inputs_to_buffers | signature.inputs_to_parameters
    for other in sharing:
        if other.op == "placeholder" and other.name in state:
            raise CaptureError(
                f"forward() overwrites {state[other.name]} ({node.target}); "
                "make the output a function of the input alone"
            )


def _stale(
    node: FxNode, overwritten: FxNode, sharing: list[FxNode], order: dict[FxNode, int]
) -> Iterator[bool]:
    """Tell, per earlier result, whether ``node`` changes a part of it that is read later."""
    for other in sharing:
        earlier = order[other] < order[node]
        read_later = any(order[user] > order[node] for user in other.users)
        yield earlier and read_later and _overlap(overwritten.meta["val"], other.meta["val"])


def _overlap(first: Tensor, second: Tensor) -> bool:
    """Tell whether two fake tensors of one storage share an element."""
    elements = first.untyped_storage().nbytes() // first.element_size()
    touched = torch.zeros(elements, dtype=torch.bool)
    touched.as_strided(first.shape, first.stride(), first.storage_offset()).fill_(True)
    return bool(touched.as_strided(second.shape, second.stride(), second.storage_offset()).any())
