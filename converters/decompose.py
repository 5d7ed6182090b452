"""What no handler knows, written by torch itself in smaller operations (einsum, addcmul …)."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import GraphModule
from torch.fx import Node as FxNode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg


def decomposed(node: FxNode) -> tuple[GraphModule, tuple[FxNode, ...]] | None:
    """Return a program of smaller operations, and the nodes that are its inputs.

    ``None`` where torch has no other way to write the operation.
    """
    operation = node.target
    if not isinstance(operation, OpOverload):
        return None
    function = _decompositions().get(operation)
    if function is None and not operation._can_decompose():
        return None
    inputs: dict[FxNode, Tensor] = {}
    for argument in node.all_input_nodes:
        value = argument.meta.get("val")
        if not isinstance(value, Tensor):
            return None
        inputs[argument] = torch.zeros(value.shape, dtype=value.dtype)

    run = operation.decompose if function is None else function

    def call(*tensors: Tensor) -> Any:
        replaced = dict(zip(inputs, tensors, strict=True))
        arguments: Any = map_arg((node.args, node.kwargs), lambda n: replaced[n])
        args, kwargs = arguments
        return run(*args, **kwargs)

    with torch.no_grad():
        program = make_fx(call, tracing_mode="fake")(*inputs.values())
    unchanged = any(inner.target is operation for inner in program.graph.nodes)
    return None if unchanged else (program, tuple(inputs))


@cache
def _decompositions() -> dict[Any, Any]:
    from torch._decomp import core_aten_decompositions

    return dict(core_aten_decompositions())
