"""Parameters and multiply-accumulates of any module, counted as the papers count them.

Parameters are the trainable ones (batch norm's affine pair counts, its running statistics do not).
One multiply-accumulate counts 1, over convolutions and matrix products only. Efficient channel
attention's one filter, which slides over the channels' means, is left out, as in timm's figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgezoo.types import LayerCount, Shape

if TYPE_CHECKING:
    from torch import nn

# The stages of a network in order: a name, and the paths of the modules that make it up.
StageParts = tuple[tuple[str, tuple[str, ...]], ...]


def count_params(module: nn.Module) -> int:
    """Return the number of parameters; a tensor shared by two layers counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_macs(module: nn.Module, shape: Shape) -> int:
    """Return the multiply-accumulates of one forward pass on an input of ``shape``.

    Runs on the device where the module lives; on ``meta`` nothing is computed. The module is put
    into eval mode for the pass and back.
    """
    with _counting(module) as macs:
        _run(module, shape)
        return macs()


def count_layers(module: nn.Module, shape: Shape) -> tuple[LayerCount, ...]:
    """Return what every submodule costs by itself on an input of ``shape``, in the order of the pass.

    A submodule's row holds its own parameters and operations, without those of its children: the
    rows add up to the totals. Left out is what has neither and keeps its input's shape, such as
    activations. What the network does outside of its submodules stands under its own type.
    """
    params = _own_params(module)
    rows = [
        LayerCount(
            name=call.path or type(module).__name__,
            kind=_kind(module.get_submodule(call.path)),
            output=call.output,
            params=params.pop(call.path, 0),
            macs=call.macs,
        )
        for call in _traced(module, shape)
        if call.macs or call.reshapes or call.path in params
    ]
    unused = [
        LayerCount(path or type(module).__name__, _kind(module.get_submodule(path)), None, count, 0)
        for path, count in params.items()
    ]
    return (*rows, *unused)


def count_stages(module: nn.Module, shape: Shape) -> tuple[LayerCount, ...]:
    """Return what every stage of a network costs on an input of ``shape``, in the order of the pass.

    The stages are those that the module names in its attribute ``stage_parts`` (see ``StageParts``), or
    its children, those of them that hold blocks of layers block by block. The rows add up to the
    totals; ``output`` is that of the stage's last module, ``None`` where it was not called. What costs
    nothing and keeps the shape, such as an activation, is no stage.
    """
    parts: StageParts | None = getattr(module, "stage_parts", None)
    find = _named_stage(parts) if isinstance(parts, tuple) else _structural_stage(module)
    stages: dict[str, _Sum] = (
        {name: _Sum() for name, _ in parts} if isinstance(parts, tuple) else {}
    )
    for call in _traced(module, shape):
        total = stages.setdefault(find(call.path), _Sum())
        total.macs += call.macs
        total.output = call.output if call.path else total.output
    for path, count in _own_params(module).items():
        stages.setdefault(find(path), _Sum()).params += count
    rows: list[LayerCount] = []
    for name, total in stages.items():
        reshapes = bool(name) and total.output != (rows[-1].output if rows else shape)
        if reshapes or total.params or total.macs:
            name = name or type(module).__name__
            rows.append(LayerCount(name, "stage", total.output, total.params, total.macs))
    return tuple(rows)


@dataclass
class _Sum:
    output: Shape | None = None
    params: int = 0
    macs: int = 0


def _named_stage(parts: StageParts) -> Callable[[str], str]:
    """Return the stage of a module's path, by the longest path that the stage lists."""
    owners = {path: name for name, paths in parts for path in paths}

    def find(path: str) -> str:
        while path and path not in owners:
            path = path.rpartition(".")[0]
        return owners.get(path, "")

    return find


def _structural_stage(module: nn.Module) -> Callable[[str], str]:
    from torch import nn

    split = {
        name
        for name, child in module.named_children()
        if isinstance(child, (nn.Sequential, nn.ModuleList))
        and all(any(True for _ in block.children()) for block in child)
    }

    def find(path: str) -> str:
        top, *rest = path.split(".")
        if top not in split:
            return top
        return f"{top}.{rest[0]}" if rest else ""

    return find


def _own_params(module: nn.Module) -> dict[str, int]:
    """Return the parameters of every submodule that has some, by path; shared ones count once."""
    own: dict[str, int] = {}
    for name, parameter in module.named_parameters():
        path = name.rpartition(".")[0]
        own[path] = own.get(path, 0) + parameter.numel()
    return own


# ------------------------------------------------------------------------------- the pass


@dataclass
class _Call:
    """A submodule's first call, and what it cost by itself over all of its calls."""

    path: str
    output: Shape | None = None
    reshapes: bool = False
    macs: int = 0


def _traced(module: nn.Module, shape: Shape) -> Iterable[_Call]:
    """Run the module once; return the submodules that were called, in the order they finished in."""
    calls: dict[str, _Call] = {}
    open_calls: list[tuple[int, int]] = []  # total before, and what nested calls took since

    with _counting(module) as macs:

        def enter(layer: nn.Module, inputs: Any) -> None:  # Any: torch's hooks see anything
            open_calls.append((macs(), 0))

        def leave(path: str, layer: nn.Module, inputs: Any, output: Any) -> None:
            before, nested = open_calls.pop()
            taken = macs() - before
            if open_calls:
                start, inner = open_calls[-1]
                open_calls[-1] = (start, inner + taken)
            if path not in calls:
                result = _shape(output)
                leaf = not any(True for _ in layer.children())
                calls[path] = _Call(path, result, leaf and _shape(inputs) != result)
            calls[path].macs += taken - nested

        handles = _hook(module, enter, leave)
        try:
            _run(module, shape)
        finally:
            for handle in handles:
                handle.remove()
    return calls.values()


def _hook(module: nn.Module, enter: Callable[..., None], leave: Callable[..., None]) -> list[Any]:
    from functools import partial

    handles: list[Any] = []  # Any: torch's handles have no public name
    for path, layer in module.named_modules():
        handles.append(layer.register_forward_pre_hook(enter))
        handles.append(layer.register_forward_hook(partial(leave, path)))
    return handles


@contextmanager
def _counting(module: nn.Module) -> Iterator[Callable[[], int]]:
    """Give a function that returns the multiply-accumulates so far."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    was_training = {part: part.training for part in module.modules()}
    convolution = torch.ops.aten.convolution
    counter = FlopCounterMode(display=False, custom_mapping={convolution: _convolution_flops})
    try:
        module.eval()
        with torch.no_grad(), counter:
            yield lambda: int(counter.get_total_flops()) // 2
    finally:
        for part, training in was_training.items():
            part.training = training


def _convolution_flops(
    x: Sequence[int],
    weight: Sequence[int],
    bias: Sequence[int] | None,
    stride: object,
    padding: object,
    dilation: object,
    transposed: bool,
    *others: object,
    out_shape: Sequence[int],
    **options: Any,  # Any: what the counter hands on besides
) -> int:
    """Count as torch does, but nothing for a single filter on a single channel of one axis."""
    from torch.utils.flop_counter import conv_flop_count

    if len(x) == 3 and tuple(weight[:2]) == (1, 1):
        return 0
    return int(conv_flop_count(list(x), list(weight), list(out_shape), transposed=transposed))


def _run(module: nn.Module, shape: Shape) -> None:
    import torch

    devices = [parameter.device for parameter in module.parameters()]
    module(torch.zeros(shape, device=devices[0] if devices else "cpu"))


def _shape(value: object) -> Shape | None:
    """Return the shape of a tensor, or of the last one in a sequence (the coarsest of features)."""
    import torch

    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return _shape(value[-1])
    return None


def _kind(layer: nn.Module) -> str:
    """Return a layer's type, with kernel, stride and groups where it has them: Conv2d 3x3 /2 g32."""
    words = [type(layer).__name__]
    kernel, stride = getattr(layer, "kernel_size", None), getattr(layer, "stride", None)
    if kernel is not None:
        sides = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        words.append("x".join(map(str, sides)))
    if isinstance(stride, int):
        stride = (stride, stride)
    if kernel is not None and stride and max(stride) > 1:
        words.append(f"/{max(stride)}")
    groups = getattr(layer, "groups", 1)
    if kernel is not None and groups > 1:
        words.append(f"g{groups}")
    return " ".join(words)
