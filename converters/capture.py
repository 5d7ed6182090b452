"""From a PyTorch module to the graph, by the undecomposed ``torch.export`` program.

What depends on no input is computed here, in torch, and becomes a constant (weight standardisation,
position tables …). Every operation that no handler knows is reported at once, with the module it
came from; the handlers are in ``aten_*.py``, one table.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node as FxNode

from edgezoo.converters.aten import HANDLERS
from edgezoo.converters.builder import Builder, Ref
from edgezoo.errors import CaptureError, UnsupportedOpError
from edgezoo.graph.graph import Graph, check, rebuild
from edgezoo.types import Shape


def capture(module: nn.Module, input_shape: Shape, *, name: str = "model") -> Graph:
    """Return ``module`` (in eval mode) as a graph with one float32 input of ``input_shape``.

    Raises:
        CaptureError: torch.export cannot trace the module, or it returns no tensors.
        UnsupportedOpError: some operations have no handler; all are named.
    """
    program = _export(module, input_shape)
    builder = Builder(name)
    environment: dict[str, Any] = _parameters(program, builder)
    missing: dict[str, list[str]] = {}
    outputs: tuple[str, ...] = ()
    for node in program.graph.nodes:
        if node.op == "placeholder":
            if node.name not in environment:
                environment[node.name] = builder.input("input", tuple(node.meta["val"].shape))
        elif node.op == "call_function":
            environment[node.name] = _lower(node, builder, environment, missing)
        elif node.op == "output":
            outputs = _outputs(node, builder, environment)
    if missing:
        raise UnsupportedOpError(_unsupported(missing))
    graph = rebuild(builder.graph(outputs), builder.nodes)
    check(graph)
    return graph


def _export(module: nn.Module, input_shape: Shape) -> ExportedProgram:
    if module.training:
        raise CaptureError("the module is in training mode; call model.eval() before converting it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(module, (torch.zeros(input_shape),), strict=False)
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        # torch.export raises whatever the model's own forward raises, besides its own errors
        reason = str(error).strip().splitlines() or [type(error).__name__]
        shape = "x".join(map(str, input_shape))
        raise CaptureError(
            f"torch.export cannot trace the module with an input of {shape} "
            f"({type(error).__name__}: {reason[0]}); make forward() free of data-dependent "
            "control flow or choose another --input"
        ) from error


def _parameters(program: ExportedProgram, builder: Builder) -> dict[str, Tensor]:
    """Map placeholder names to parameters, buffers and constants."""
    found: dict[str, Tensor] = {}
    for spec in program.graph_signature.input_specs:
        if spec.target is None:
            continue
        table = program.state_dict if spec.target in program.state_dict else program.constants
        tensor = table[spec.target].detach()
        found[spec.arg.name] = tensor
        builder.parameter_names[id(tensor)] = spec.target
    return found


def _lower(
    node: FxNode, builder: Builder, environment: dict[str, Any], missing: dict[str, list[str]]
) -> Any:  # a Ref, a constant tensor, a tuple of them, or a plain number
    args, kwargs = torch.fx.node.map_arg(
        (node.args, dict(node.kwargs)), lambda n: environment[n.name]
    )
    if node.target is operator.getitem:
        return args[0][args[1]]
    if not _depends_on_input(args) and not _depends_on_input(kwargs):
        with torch.no_grad():
            return node.target(*args, **kwargs)
    builder.scope, builder.label = _scope(node), _label(node)
    handler: Callable[..., Any] | None = HANDLERS.get(str(node.target))
    result = NotImplemented if handler is None else handler(builder, *args, **kwargs)
    if result is not NotImplemented:
        return result
    missing.setdefault(str(node.target), []).append(builder.scope or "the top level")
    return _placeholder_result(node, builder)


def _depends_on_input(value: Any) -> bool:
    if isinstance(value, Ref):
        return True
    if isinstance(value, dict):
        return any(_depends_on_input(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(_depends_on_input(item) for item in value)


def _placeholder_result(node: FxNode, builder: Builder) -> Any:
    """Stand in for an unknown operation, so that the rest is still looked at."""
    meta = node.meta.get("val")
    if isinstance(meta, (list, tuple)):
        return tuple(Ref("?", tuple(item.shape)) for item in meta)
    name = builder._unique("unsupported")
    ref = builder.input(name, tuple(meta.shape) if isinstance(meta, Tensor) else ())
    return ref


def _scope(node: FxNode) -> str:
    """Return the dotted path of the module that called the operation."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values()]
    return str(paths[-1]) if paths else ""


def _label(node: FxNode) -> str:
    """Name the operation, unless it is the only thing its module does (conv, norm, activation)."""
    stack = node.meta.get("nn_module_stack") or {}
    kind = str(next(reversed(stack.values()))[1]) if stack else ""
    return "" if kind.startswith("torch.nn.modules.") else str(node.target).split(".")[1].strip("_")


def _outputs(node: FxNode, builder: Builder, environment: dict[str, Any]) -> tuple[str, ...]:
    names = []
    for argument in node.args[0]:
        value = environment[argument.name] if isinstance(argument, FxNode) else argument
        if not isinstance(value, (Ref, Tensor)):
            raise CaptureError(f"the module returns {value!r}; return tensors only")
        if isinstance(value, Tensor) or value.name in builder.inputs or value.name in names:
            builder.scope, builder.label = "", "output"
            value = builder.emit("reshape", value, attrs=_same_shape(value))
        names.append(value.name)
    if not names:
        raise CaptureError("the module returns no tensor; return at least one from forward()")
    return tuple(names)


def _same_shape(value: Ref | Tensor) -> Any:
    from edgezoo.graph.attrs import Reshape

    return Reshape(tuple(value.shape))


def _unsupported(missing: dict[str, list[str]]) -> str:
    listed = "; ".join(
        f"{target} in {', '.join(dict.fromkeys(scopes))}" for target, scopes in missing.items()
    )
    return (
        f"edgezoo cannot convert: {listed} — replace these in the model, or report them as an issue"
    )
