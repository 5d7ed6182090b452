"""Scaled weight standardisation and the activations that go with it (arXiv 2101.08692, 2102.06171).

A normaliser-free network keeps the variance of its signal by two factors: each filter is
standardised to mean 0 and squared norm ``gain²``, and each activation is followed by γ, which gives
back the variance that it takes from N(0, 1). DeepMind multiplies γ after the activation, timm into
the filters; timm's way also scales the first convolution, so the two are different networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.models.layers import same_padding


@dataclass(frozen=True, slots=True)
class Nonlinearity:
    """An activation and γ = 1 / std(f(z)), z ~ N(0, 1).

    The constants are DeepMind's: estimates from samples, up to 1e-3 off the integral, but the ones
    that published weights were trained with.
    """

    function: Callable[[Tensor], Tensor]
    gamma: float


NONLINEARITIES: Mapping[str, Nonlinearity] = {
    "celu": Nonlinearity(F.celu, 1.270926833152771),
    "elu": Nonlinearity(F.elu, 1.2716004848480225),
    "gelu": Nonlinearity(F.gelu, 1.7015043497085571),
    "gelu_tanh": Nonlinearity(partial(F.gelu, approximate="tanh"), 1.7015043497085571),
    "leaky_relu": Nonlinearity(F.leaky_relu, 1.70590341091156),
    "log_sigmoid": Nonlinearity(F.logsigmoid, 1.9193484783172607),
    "relu": Nonlinearity(F.relu, 1.7139588594436646),
    "relu6": Nonlinearity(F.relu6, 1.7131484746932983),
    "selu": Nonlinearity(F.selu, 1.0008515119552612),
    "sigmoid": Nonlinearity(torch.sigmoid, 4.803835391998291),
    "silu": Nonlinearity(F.silu, 1.7881293296813965),
    "softplus": Nonlinearity(F.softplus, 1.9203323125839233),
    "softsign": Nonlinearity(F.softsign, 2.338853120803833),
    "tanh": Nonlinearity(torch.tanh, 1.5939117670059204),
}

# How a filter of almost no variance is kept from blowing up; N is its fan-in.
GUARDS: Mapping[str, Callable[[Tensor, int], Tensor]] = {
    "clamp": lambda variance, fan_in: (variance * fan_in).clamp(min=1e-4),  # DeepMind's
    "eps": lambda variance, fan_in: (variance + 1e-5) * fan_in,  # timm's
}


def get_nonlinearity(name: str) -> Nonlinearity:
    """Return the activation called ``name``; a ``ValueError`` lists the choices."""
    if name not in NONLINEARITIES:
        raise ValueError(f"unknown activation {name!r}; choose one of {', '.join(NONLINEARITIES)}")
    return NONLINEARITIES[name]


class ScaledActivation(nn.Module):
    """γ·f(x); γ is 1 where the filters hold it."""

    def __init__(self, activation: str, gamma: float) -> None:
        super().__init__()
        self.function = get_nonlinearity(activation).function
        self.gamma = gamma

    def forward(self, x: Tensor) -> Tensor:
        """Map each element."""
        y = self.function(x)
        return y if self.gamma == 1.0 else y * self.gamma


class LecunConv2d(nn.Conv2d):
    """A convolution that starts with N(0, 1 / fan-in) filters and no bias, drawn only once."""

    def reset_parameters(self) -> None:
        """Draw the filters; ``nn.Conv2d`` calls this at the end of its construction."""
        nn.init.normal_(self.weight, 0.0, 1.0 / math.sqrt(math.prod(self.weight.shape[1:])))
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class ScaledStdConv2d(LecunConv2d):
    """A convolution of odd ``kernel`` with standardised filters, a gain and a bias per output.

    Each filter of N weights is taken as ``gain·gamma·(W - mean) / sqrt(N·var)``, population variance,
    the root guarded by ``guard`` (see ``GUARDS``). ``gain`` (out, 1, 1, 1) starts at
    ``initial_gain``. ``same`` pads as TensorFlow and JAX do, otherwise it is symmetric.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        gamma: float = 1.0,
        guard: str = "clamp",
        same: bool = True,
        initial_gain: float = 1.0,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups
        )
        self.gamma = gamma
        self.guard = guard
        self.same = same
        self.gain = nn.Parameter(torch.full((out_channels, 1, 1, 1), initial_gain))

    def standardized_weight(self) -> Tensor:
        """Return the filters as they are applied, (out, in / groups, k, k)."""
        fan_in = math.prod(self.weight.shape[1:])
        centred = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        variance = centred.square().mean((1, 2, 3), keepdim=True)
        scale = torch.rsqrt(GUARDS[self.guard](variance, fan_in))
        return centred * (scale * self.gain * self.gamma)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in, h, w) to (n, out, ceil(h / stride), ceil(w / stride))."""
        padding = (self.kernel_size[0] // 2, self.kernel_size[1] // 2)
        if self.same:
            top, bottom = same_padding(x.shape[2], self.kernel_size[0], self.stride[0])
            left, right = same_padding(x.shape[3], self.kernel_size[1], self.stride[1])
            padding = (top, left)
            if top != bottom or left != right:
                x = F.pad(x, (left, right, top, bottom))
                padding = (0, 0)
        weight = self.standardized_weight()
        return F.conv2d(x, weight, self.bias, self.stride, padding, groups=self.groups)
