"""Element-wise arithmetic, activations and reductions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from edgezoo.converters.aten.convolution import axis_of, with_rank
from edgezoo.converters.aten.table import handles
from edgezoo.converters.builder import Builder, Operand, Ref
from edgezoo.graph import attrs as A

Number = float | int


def scalar(value: Number, rank: int) -> Tensor:
    """Return a number as a tensor that broadcasts against ``rank`` axes."""
    return torch.full((1,) * rank, float(value))


def binary(b: Builder, op: str, x: Operand | Number, y: Operand | Number) -> Ref:
    """Emit a binary op; numbers become constants, the lower rank gets leading axes."""
    rank = max(len(item.shape) for item in (x, y) if isinstance(item, (Ref, Tensor)))
    operands = [
        with_rank(b, item, rank) if isinstance(item, (Ref, Tensor)) else scalar(item, rank)
        for item in (x, y)
    ]
    return b.emit(op, *operands)


@handles("add.Tensor", "add_.Tensor")
def add(b: Builder, x: Any, y: Any, alpha: Number = 1) -> Ref:
    return binary(b, "add", x, y if alpha == 1 else _times(b, y, alpha))


@handles("sub.Tensor", "sub_.Tensor")
def sub(b: Builder, x: Any, y: Any, alpha: Number = 1) -> Ref:
    return binary(b, "sub", x, y if alpha == 1 else _times(b, y, alpha))


@handles("rsub.Scalar", "rsub.Tensor")
def rsub(b: Builder, x: Any, y: Any, alpha: Number = 1) -> Ref:
    return sub(b, y, x, alpha)


def _times(b: Builder, y: Any, alpha: Number) -> Any:
    return binary(b, "mul", y, alpha) if isinstance(y, Ref) else y * alpha


@handles("mul.Tensor", "mul_.Tensor")
def mul(b: Builder, x: Any, y: Any) -> Ref:
    return binary(b, "mul", x, y)


@handles("div.Tensor", "div_.Tensor")
def div(b: Builder, x: Any, y: Any) -> Ref:
    if isinstance(y, Ref):
        return binary(b, "div", x, y)
    return binary(b, "mul", x, 1.0 / y if isinstance(y, (int, float)) else y.double().reciprocal())


@handles("maximum.default", "max.other")
def maximum(b: Builder, x: Any, y: Any) -> Ref:
    return binary(b, "maximum", x, y)


@handles("minimum.default", "min.other")
def minimum(b: Builder, x: Any, y: Any) -> Ref:
    return binary(b, "minimum", x, y)


def _register_unary(op: str, *targets: str) -> None:
    def handler(b: Builder, x: Ref) -> Ref:
        return b.emit(op, x)

    handles(*targets)(handler)


for _op in ("relu", "sigmoid", "tanh", "hardswish", "exp", "log", "sqrt", "rsqrt", "neg", "abs"):
    _register_unary(_op, f"{_op}.default", f"{_op}_.default")
for _op in ("sin", "cos", "floor"):
    _register_unary(_op, f"{_op}.default")


@handles("relu6.default", "relu6_.default")
def relu6(b: Builder, x: Ref) -> Ref:
    return b.emit("clip", x, attrs=A.Clip(0.0, 6.0))


@handles("hardtanh.default", "hardtanh_.default")
def hardtanh(b: Builder, x: Ref, min_val: Number = -1, max_val: Number = 1) -> Ref:
    return b.emit("clip", x, attrs=A.Clip(float(min_val), float(max_val)))


@handles("clamp.default", "clamp_.default", "clip.default")
def clamp(b: Builder, x: Ref, min: Number | None = None, max: Number | None = None) -> Ref:
    low = -math.inf if min is None else float(min)
    high = math.inf if max is None else float(max)
    if (low, high) == (0.0, math.inf):
        return b.emit("relu", x)
    return b.emit("clip", x, attrs=A.Clip(low, high))


@handles("clamp_min.default", "clamp_min_.default")
def clamp_min(b: Builder, x: Ref, min: Number) -> Ref:
    return clamp(b, x, min=min)


@handles("clamp_max.default", "clamp_max_.default")
def clamp_max(b: Builder, x: Ref, max: Number) -> Ref:
    return clamp(b, x, max=max)


@handles("silu.default", "silu_.default")
def silu(b: Builder, x: Ref) -> Ref:
    return b.emit("mul", x, b.emit("sigmoid", x))


@handles("hardsigmoid.default", "hardsigmoid_.default")
def hardsigmoid(b: Builder, x: Ref) -> Ref:
    """``relu6(x + 3) / 6``."""
    clipped = b.emit("clip", binary(b, "add", x, 3.0), attrs=A.Clip(0.0, 6.0))
    return binary(b, "mul", clipped, 1 / 6)


@handles("softplus.default")
def softplus(b: Builder, x: Ref, beta: Number = 1, threshold: Number = 20) -> Any:
    """``max(x, 0) + log(1 + exp(-|x|))``, which never overflows.

    Above the threshold PyTorch returns x, which is the same in float32 from 16 on.
    """
    if beta != 1 or threshold < 16:
        return NotImplemented
    tail = b.emit("exp", b.emit("neg", b.emit("abs", x)))
    return binary(b, "add", b.emit("relu", x), b.emit("log", binary(b, "add", tail, 1.0)))


@handles("mish.default", "mish_.default")
def mish(b: Builder, x: Ref) -> Ref:
    return b.emit("mul", x, b.emit("tanh", softplus(b, x)))


@handles("gelu.default")
def gelu(b: Builder, x: Ref, approximate: str = "none") -> Ref:
    return b.emit("gelu", x, attrs=A.Gelu(approximate == "tanh"))


@handles("leaky_relu.default", "leaky_relu_.default")
def leaky_relu(b: Builder, x: Ref, negative_slope: float = 0.01) -> Ref:
    return b.emit("leaky_relu", x, attrs=A.Slope(negative_slope))


@handles("elu.default", "elu_.default")
def elu(b: Builder, x: Ref, alpha: Number = 1, scale: Number = 1, input_scale: Number = 1) -> Any:
    if scale != 1 or input_scale != 1 or alpha != 1:
        return NotImplemented  # TFLite's ELU knows alpha 1 only
    return b.emit("elu", x, attrs=A.Slope(float(alpha)))


@handles("prelu.default")
def prelu(b: Builder, x: Ref, weight: Operand) -> Any:
    if isinstance(weight, Ref):
        return NotImplemented
    channels = x.shape[1] if len(x.shape) > 1 else 1
    return b.emit("prelu", x, weight.expand(channels).contiguous())


@handles("pow.Tensor_Scalar", "pow_.Scalar")
def power(b: Builder, x: Ref, exponent: Number) -> Ref:
    if exponent == 2:
        return b.emit("mul", x, x)
    if exponent == 0.5:
        return b.emit("sqrt", x)
    if exponent == -0.5:
        return b.emit("rsqrt", x)
    return b.emit("pow", x, attrs=A.Exponent(float(exponent)))


@handles("square.default")
def square(b: Builder, x: Ref) -> Ref:
    return b.emit("mul", x, x)


@handles("reciprocal.default")
def reciprocal(b: Builder, x: Ref) -> Ref:
    return b.emit("div", scalar(1.0, len(x.shape)), x)


@handles("softmax.int")
def softmax(b: Builder, x: Ref, dim: int, dtype: Any = None) -> Ref:
    return b.emit("softmax", x, attrs=A.Axis(axis_of(x, dim)))


@handles("log_softmax.int")
def log_softmax(b: Builder, x: Ref, dim: int, dtype: Any = None) -> Ref:
    return b.emit("log_softmax", x, attrs=A.Axis(axis_of(x, dim)))


def axes_of(x: Ref, dim: list[int] | int | None) -> tuple[int, ...]:
    """Return sorted non-negative axes; ``None`` or an empty list means all of them."""
    if dim is None or dim == []:
        return tuple(range(len(x.shape)))
    return tuple(sorted(axis_of(x, axis) for axis in ([dim] if isinstance(dim, int) else dim)))


def _register_reduction(op: str, *targets: str) -> None:
    def handler(
        b: Builder, x: Ref, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
    ) -> Any:
        if dtype not in (None, torch.float32):
            return NotImplemented
        return b.emit(op, x, attrs=A.Reduce(axes_of(x, dim), keepdim))

    handles(*targets)(handler)


REDUCTIONS: dict[str, tuple[str, ...]] = {
    "mean": ("mean.dim", "mean.default"),
    "sum": ("sum.dim_IntList", "sum.default"),
    "max": ("amax.default",),
    "min": ("amin.default",),
}
for _op, _targets in REDUCTIONS.items():
    _register_reduction(_op, *_targets)


@handles("max.dim")
def maximum_along(b: Builder, x: Ref, dim: int, keepdim: bool = False) -> tuple[Ref, None]:
    return b.emit("max", x, attrs=A.Reduce((axis_of(x, dim),), keepdim)), None


@handles("min.dim")
def minimum_along(b: Builder, x: Ref, dim: int, keepdim: bool = False) -> tuple[Ref, None]:
    return b.emit("min", x, attrs=A.Reduce((axis_of(x, dim),), keepdim)), None


@handles("var.correction", "var.dim")
def variance(
    b: Builder,
    x: Ref,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
) -> Any:
    """``sum((x - mean)**2) / (count - correction)``; the older overload says ``unbiased``."""
    axes = axes_of(x, dim)
    count = math.prod(x.shape[axis] for axis in axes)
    correction = int(unbiased) if correction is None else correction
    centred = b.emit("sub", x, b.emit("mean", x, attrs=A.Reduce(axes, True)))
    total = b.emit("sum", b.emit("mul", centred, centred), attrs=A.Reduce(axes, keepdim))
    return binary(b, "mul", total, 1.0 / (count - correction))


@handles("linalg_vector_norm.default")
def vector_norm(
    b: Builder,
    x: Ref,
    ord: Number = 2,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Any:
    if ord != 2:
        return NotImplemented
    total = b.emit("sum", b.emit("mul", x, x), attrs=A.Reduce(axes_of(x, dim), keepdim))
    return b.emit("sqrt", total)


def same(b: Builder, x: Ref, *args: Any, **kwargs: Any) -> Ref:
    """Handle what does nothing at inference."""
    return x


IDENTITIES: tuple[str, ...] = (
    "dropout.default",
    "dropout_.default",
    "feature_dropout.default",
    "alpha_dropout.default",
    "contiguous.default",
    "clone.default",
    "alias.default",
    "detach.default",
)
handles(*IDENTITIES)(same)


@handles("_assert_tensor_metadata.default")
def nothing(b: Builder, *args: Any, **kwargs: Any) -> None:
    """A check made at export time."""


@handles("to.dtype", "to.device", "to.dtype_layout", "type_as.default")
def cast(b: Builder, x: Ref, *args: Any, **kwargs: Any) -> Any:
    dtypes = [a for a in (*args, *kwargs.values()) if isinstance(a, torch.dtype)]
    return x if all(dtype is torch.float32 for dtype in dtypes) else NotImplemented
