"""Rows of the cases table: activations, arithmetic, reductions."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.graph.case import Case, call, layers
from tests.graph.modules import Apply

Build = Callable[[], nn.Module]


def after_conv(name: str, build: Build) -> Case:
    """Return a case of an activation behind a convolution."""
    return layers(name, lambda: (nn.Conv2d(4, 4, 1), build()))


def in_place(name: str, function: Callable[[Tensor], Tensor]) -> Case:
    """Return a case of a function that overwrites its input."""
    return call(f"{name}_in_place", lambda x: function(x * 2))


BUILDS: dict[str, Build] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardtanh": lambda: nn.Hardtanh(-0.7, 0.9),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU("tanh"),
    "elu": nn.ELU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "prelu": lambda: nn.PReLU(4, 0.3),
    "prelu_one": nn.PReLU,
    "softmax_channels": lambda: nn.Softmax(1),
    "softmax_last": lambda: nn.Softmax(-1),
    "log_softmax": lambda: nn.LogSoftmax(1),
}

ACTIVATIONS = (
    *(after_conv(name, build) for name, build in BUILDS.items()),
    Case("prelu_rank_2", lambda: nn.PReLU(4, 0.3), (3, 4)),
    Case("prelu_tokens", lambda: nn.PReLU(4, 0.3), (1, 4, 6)),
    *(
        in_place(name, function)
        for name, function in {
            "relu": torch.relu_,
            "relu6": lambda x: F.relu6(x, inplace=True),
            "sigmoid": torch.sigmoid_,
            "tanh": torch.tanh_,
            "hardswish": lambda x: F.hardswish(x, inplace=True),
            "exp": torch.exp_,
            "log": lambda x: torch.log_(x.abs_() + 0.5),
            "sqrt": lambda x: torch.sqrt_(x.abs_() + 0.5),
            "rsqrt": lambda x: torch.rsqrt_(x.abs_() + 0.5),
            "neg": torch.neg_,
            "hardtanh": lambda x: F.hardtanh(x, inplace=True),
            "clamp": lambda x: x.clamp_(-0.5, 0.5),
            "clamp_min": lambda x: x.clamp_min_(-0.5),
            "clamp_max": lambda x: x.clamp_max_(0.5),
            "silu": lambda x: F.silu(x, inplace=True),
            "hardsigmoid": lambda x: F.hardsigmoid(x, inplace=True),
            "mish": lambda x: F.mish(x, inplace=True),
            "leaky_relu": lambda x: F.leaky_relu(x, 0.2, inplace=True),
            "elu": lambda x: F.elu(x, inplace=True),
            "copy": lambda x: x.copy_(x[:, :1] * 3),
            "fill": lambda x: x + (x * 1).fill_(1.5),
            "pow": lambda x: x.pow_(2),
            "add": lambda x: x.add_(x, alpha=2),
            "sub": lambda x: x.sub_(1.5),
            "mul": lambda x: x.mul_(x),
            "div": lambda x: x.div_(3),
            "dropout": lambda x: F.dropout(x, training=False, inplace=True) * 2,
        }.items()
    ),
    call("in_place_then_original", lambda x: _overwritten(x * 2)),
    call("in_place_on_clone", lambda x: _overwritten_clone(x * 2)),
)


def _overwritten(x: Tensor) -> Tensor:
    return torch.relu_(x) + 2 * x  # both are the rectified tensor


def _overwritten_clone(x: Tensor) -> Tensor:
    return torch.relu_(x.clone()) + 2 * x


ARITHMETIC = (
    *(
        call(name, function)
        for name, function in {
            "add": lambda x: x + x[:, :1],
            "add_scalar": lambda x: 1.5 + x,
            "add_alpha": lambda x: torch.add(x, x[:, :1], alpha=2),
            "sub": lambda x: x - x[:, :, :1],
            "sub_scalar": lambda x: x - 2,
            "sub_alpha": lambda x: torch.sub(x, x, alpha=0.25),
            "sub_from_scalar": lambda x: 1 - x,
            "rsub": lambda x: torch.rsub(x, x[:, :1], alpha=2),
            "mul": lambda x: x * x[..., :1],
            "mul_scalar": lambda x: x * 0.3,
            "div": lambda x: x / (x.abs() + 1),
            "div_scalar": lambda x: x / 3,
            "div_into_scalar": lambda x: 2 / (x.abs() + 1),
            "reciprocal": lambda x: (x.abs() + 1).reciprocal(),
            "maximum": lambda x: torch.maximum(x, x[:, :1]),
            "max_other": lambda x: torch.max(x, -x),
            "minimum": lambda x: torch.minimum(x, x[:, :1]),
            "min_other": lambda x: torch.min(x, -x),
            "clamp": lambda x: x.clamp(-0.5, 0.7),
            "clip": lambda x: torch.clip(x, -0.5, 0.7),
            "clamp_low": lambda x: x.clamp(min=-0.5),
            "clamp_high": lambda x: x.clamp(max=0.5),
            "clamp_zero": lambda x: x.clamp(min=0),
            "clamp_min": lambda x: torch.clamp_min(x, 0.1),
            "clamp_max": lambda x: torch.clamp_max(x, 0.1),
            "square": torch.square,
            "pow_2": lambda x: x**2,
            "pow_3": lambda x: x**3,
            "pow_fraction": lambda x: x.abs() ** 1.7,
            "pow_half": lambda x: x.abs() ** 0.5,
            "pow_minus_half": lambda x: (x.abs() + 0.5) ** -0.5,
            "addcmul": lambda x: torch.addcmul(x, x, x, value=0.5),
            "einsum": lambda x: torch.einsum("nchw,ncgw->nhg", x, x),
            "exp": torch.exp,
            "log": lambda x: torch.log(x.abs() + 0.5),
            "sqrt": lambda x: torch.sqrt(x.abs()),
            "rsqrt": lambda x: torch.rsqrt(x.abs() + 0.5),
            "neg": torch.neg,
            "abs": torch.abs,
            "sin": torch.sin,
            "cos": torch.cos,
            "floor": torch.floor,
            "softsign": lambda x: x / (1 + x.abs()),
            "mean": lambda x: x.mean((2, 3)),
            "mean_keepdim": lambda x: x.mean((2, 3), keepdim=True),
            "mean_channels": lambda x: x.mean(1, keepdim=True),
            "mean_odd_axes": lambda x: x.mean((-1, 1)),
            "mean_all": lambda x: x.mean().reshape(1),
            "sum": lambda x: x.sum(1),
            "sum_all": lambda x: x.sum().reshape(1),
            "amax": lambda x: x.amax((2, 3), keepdim=True),
            "amin": lambda x: x.amin(-1),
            "max_along": lambda x: x.max(1)[0] - x.min(1, keepdim=True)[0],
            "variance": lambda x: x.var((2, 3)),
            "variance_population": lambda x: x.var(1, unbiased=False, keepdim=True),
            "variance_last": lambda x: x.var(-1, correction=0),
            "cast": lambda x: x.float().type_as(x).to("cpu").to("cpu", torch.float32)[...] * 2,
            "dropouts": lambda x: (
                F.dropout2d(F.alpha_dropout(x, training=False), training=False) - x
            ),
            "identities": lambda x: F.dropout(x, training=False).contiguous().clone().detach() + 1,
        }.items()
    ),
    call("mean_tokens", lambda x: x.mean(1), (1, 6, 5)),
    call("pooled_tokens", lambda x: x.mean((-2, -1), keepdim=True), (4, 6, 5)),
    Case("constant_channels", lambda: Apply(lambda x, c: x * c + c, c=torch.randn(4, 1, 1))),
    Case("constant_row", lambda: Apply(lambda x, c: x - c, c=torch.randn(7))),
    Case("constant_first", lambda: Apply(lambda x, c: c - x, c=torch.randn(1, 4, 9, 7))),
    Case("constant_grows", lambda: Apply(lambda x, c: x + c, c=torch.randn(3, 1, 1, 1))),
    Case("constant_integer", lambda: Apply(lambda x, c: x * c, c=torch.arange(7))),
    Case("constant_double", lambda: Apply(_in_double, c=torch.rand(7).double())),
    Case("constant_divisor", lambda: Apply(lambda x, c: x / c, c=torch.rand(4, 1, 1) + 0.5)),
)


def _in_double(x: Tensor, c: Tensor) -> Tensor:
    return x * c.sqrt().float()
