"""From a PyTorch module to the graph, by the undecomposed ``torch.export`` program.

What depends on no input is computed here, in torch, and becomes a constant (weight standardisation,
position tables …). Every operation that no handler knows is reported at once, with the module it
came from; the handlers are in ``aten/``, one table.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import GraphModule
from torch.fx import Node as FxNode
from torch.fx.node import map_arg

from edgezoo.converters.aliasing import without_overwriting
from edgezoo.converters.aten import HANDLERS
from edgezoo.converters.builder import Builder, Ref
from edgezoo.converters.decompose import decomposed
from edgezoo.errors import CaptureError, UnsupportedOpError
from edgezoo.graph.attrs import Reshape
from edgezoo.graph.graph import Graph, check, rebuild
from edgezoo.types import Shape

# torch.export raises whatever the model's own forward raises, besides its own errors.
FORWARD_ERRORS = (
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    NameError,
    LookupError,
    ArithmeticError,
    AssertionError,  # torchvision's ViT asserts the size of its input
)
Missing = dict[str, list[str]]  # operations without a handler, and the modules that use them


def capture(module: nn.Module, input_shape: Shape, *, name: str = "model") -> Graph:
    """Return ``module`` (in eval mode) as a graph with one float32 input of ``input_shape``.

    Outputs keep the order in which forward() returns them, the leaves of a dict or list too.

    Raises:
        CaptureError: torch.export cannot trace the module, or it returns no tensors.
        UnsupportedOpError: some operations have no handler; all are named.
    """
    program = without_overwriting(_export(module, input_shape))
    builder = Builder(name)
    environment: dict[str, Any] = _parameters(program, builder)
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name not in environment:
            environment[node.name] = builder.input("input", tuple(node.meta["val"].shape))
    missing: Missing = {}
    results = _lower_all(program.graph_module, builder, environment, missing)
    if missing:
        raise UnsupportedOpError(_unsupported(missing))
    outputs = _outputs(results, builder)
    graph = rebuild(builder.graph(outputs), builder.nodes)
    check(graph)
    return graph


def _export(module: nn.Module, input_shape: Shape) -> ExportedProgram:
    if module.training:
        raise CaptureError("the module is in training mode; call model.eval() before converting it")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.export.export(module, (torch.zeros(input_shape),), strict=False)
    except FORWARD_ERRORS as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        shape = "x".join(map(str, input_shape))
        advice = "make forward() free of data-dependent control flow or choose another --input"
        if isinstance(error, TypeError) and "missing" in reason[0]:
            advice = "forward() must take one tensor, so wrap the module in one that does"
        raise CaptureError(
            f"torch.export cannot trace the module with an input of {shape} "
            f"({type(error).__name__}: {reason[0]}); {advice}"
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


def _lower_all(
    module: GraphModule, builder: Builder, environment: dict[str, Any], missing: Missing
) -> Any:  # what the output node returns: a tuple, nested where it is a sub-program's
    for node in module.graph.nodes:
        if node.op == "get_attr":
            environment[node.name] = attrgetter(str(node.target))(module)
        elif node.op == "call_function":
            environment[node.name] = _lower(node, builder, environment, missing)
        elif node.op == "output":
            return map_arg(node.args[0], lambda n: environment[n.name])
    return ()


def _lower(
    node: FxNode, builder: Builder, environment: dict[str, Any], missing: Missing
) -> Any:  # a Ref, a constant tensor, a tuple of them, or a plain number
    arguments: Any = map_arg((node.args, node.kwargs), lambda n: environment[n.name])
    args, kwargs = arguments
    if node.target is operator.getitem:
        item = args[0][args[1]]
        if item is None and node.users:  # the indices of a maximum
            missing.setdefault(str(node.args[0]), []).append(_scope(node) or "the top level")
            return _placeholder_result(node)
        return item
    if (block := _inlined(node, args)) is not None:
        inner, inputs = block
        names = (n.name for n in inner.graph.nodes if n.op == "placeholder")
        return _lower_all(inner, builder, dict(zip(names, inputs, strict=True)), missing)
    builder.scope, builder.label = _scope(node), _label(node)
    if not _depends_on_input(args) and not _depends_on_input(kwargs):
        return _computed(node, args, kwargs)
    handler: Callable[..., Any] | None = HANDLERS.get(str(node.target))
    result = NotImplemented if handler is None else handler(builder, *args, **kwargs)
    if result is NotImplemented:
        result = _lower_decomposed(node, builder, environment)
    if result is NotImplemented:
        missing.setdefault(str(node.target), []).append(builder.scope or "the top level")
        return _placeholder_result(node)
    return result


def _lower_decomposed(node: FxNode, builder: Builder, environment: dict[str, Any]) -> Any:
    """Lower what torch makes of the operation; ``NotImplemented`` where not all of it is known."""
    program = decomposed(node)
    if program is None:
        return NotImplemented
    inner, inputs = program
    names = (n.name for n in inner.graph.nodes if n.op == "placeholder")
    bound = {name: environment[n.name] for name, n in zip(names, inputs, strict=True)}
    scope, missing = (builder.scope, builder.label), Missing()
    for n in inner.graph.nodes:
        n.meta.setdefault("nn_module_stack", node.meta.get("nn_module_stack"))
    result = _lower_all(inner, builder, bound, missing)
    builder.scope, builder.label = scope
    return NotImplemented if missing else result


def _inlined(node: FxNode, args: tuple[Any, ...]) -> tuple[GraphModule, tuple[Any, ...]] | None:
    """Return the sub-program, and its inputs, of a block that changes nothing at inference.

    These are ``with torch.no_grad()`` and ``with torch.autocast(…, enabled=False)``.
    """
    kind = str(node.target)
    if kind == "wrap_with_set_grad_enabled":
        return args[1], args[2:]
    if kind == "wrap_with_autocast" and args[2] is False:
        return args[4], args[5:]
    return None


def _computed(node: FxNode, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operation on constants."""
    assert callable(node.target)
    with torch.no_grad():
        return node.target(*args, **kwargs)


def _depends_on_input(value: Any) -> bool:
    if isinstance(value, Ref):
        return True
    if isinstance(value, dict):
        return any(_depends_on_input(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(_depends_on_input(item) for item in value)


def _placeholder_result(node: FxNode) -> Any:
    """Stand in for an unknown operation, so that the rest is still looked at."""
    meta = node.meta.get("val")
    if isinstance(meta, (list, tuple)):
        return tuple(Ref("?", tuple(item.shape)) for item in meta)
    return Ref("?", tuple(meta.shape) if isinstance(meta, Tensor) else ())


def _scope(node: FxNode) -> str:
    """Return the dotted path of the module that called the operation."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values()]
    return str(paths[-1]) if paths else ""


def _label(node: FxNode) -> str:
    """Name the operation, unless it is the only thing its module does (conv, norm, activation)."""
    stack = node.meta.get("nn_module_stack") or {}
    kind = str(next(reversed(stack.values()))[1]) if stack else ""
    words = str(node.target).split(".")  # aten.<name>.<overload>, or one word
    return "" if kind.startswith("torch.nn.modules.") else words[:2][-1].strip("_")


def _outputs(results: Any, builder: Builder) -> tuple[str, ...]:
    names: list[str] = []
    for value in results:
        if not isinstance(value, (Ref, Tensor)):
            raise CaptureError(
                f"forward() returns {value!r} among its outputs; return tensors only"
            )
        if isinstance(value, Tensor) or value.name in builder.inputs or value.name in names:
            builder.scope, builder.label = "", "output"
            same_shape = Reshape(tuple(value.shape))
            value = builder.emit("reshape", value, attrs=same_shape)
        names.append(value.name)
    if not names:
        raise CaptureError("forward() returns no tensor; return at least one")
    return tuple(names)


def _unsupported(missing: Missing) -> str:
    listed = "; ".join(
        f"{target} in {', '.join(dict.fromkeys(scopes))}" for target, scopes in missing.items()
    )
    return (
        f"edgezoo cannot convert: {listed} — replace these in the model, or report them as an issue"
    )
