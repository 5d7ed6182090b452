"""Small networks for the cases table, where a row of functions does not say enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Apply(nn.Module):
    """Calls ``function(x, *modules)``; keyword tensors become buffers, passed by name."""

    def __init__(
        self, function: Callable[..., Any], *modules: nn.Module, **constants: Tensor
    ) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(modules)
        self.constant_names = tuple(constants)
        for name, tensor in constants.items():
            self.register_buffer(name, tensor)

    def forward(self, x: Tensor) -> Any:
        constants = {name: getattr(self, name) for name in self.constant_names}
        return self.function(x, *self.parts, **constants)


class StandardizedConv(nn.Conv2d):
    """Weight standardisation (arXiv 1903.10520): all of it is constant at inference."""

    def forward(self, x: Tensor) -> Tensor:
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        variance = self.weight.var((1, 2, 3), keepdim=True, unbiased=False)
        weight = (self.weight - mean) / torch.sqrt(variance + 1e-5)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class Attention(nn.Module):
    """Multi-head self-attention over (n, tokens, width), as vision transformers write it."""

    def __init__(self, width: int, heads: int, fused: bool) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        split = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            mixed = F.scaled_dot_product_attention(query, key, value)
        else:
            scores = query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5
            mixed = scores.softmax(-1) @ value
        joined: Tensor = self.out(mixed.transpose(1, 2).reshape(n, tokens, width))
        return joined


class TransformerBlock(nn.Module):
    """Pre-norm attention and MLP on the patches of a picture (arXiv 2010.11929)."""

    def __init__(self, width: int = 12, heads: int = 3, fused: bool = True) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 5, width))
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, fused)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.token.expand(len(x), -1, -1), tokens), 1) + self.position
        tokens = tokens + self.attention(self.first(tokens))
        tokens = tokens + self.mlp(self.second(tokens))
        first: Tensor = tokens[:, 0]
        return first


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, squeeze and excitation, projection (arXiv 1905.02244)."""

    def __init__(self, channels: int = 4, hidden: int = 8) -> None:
        super().__init__()
        self.expand = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(True)
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.SiLU(True),
        )
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(hidden, 2, 1),
            nn.ReLU(True),
            nn.Conv2d(2, hidden, 1),
            nn.Sigmoid(),
        )
        self.project = nn.Sequential(
            nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.depthwise(self.expand(x))
        projected: Tensor = self.project(hidden * self.squeeze(hidden))
        return x + projected


class Shuffle(nn.Module):
    """Channel shuffle as networks spell it: reshape, transpose, reshape, in either order."""

    def __init__(self, groups: int, per_group_first: bool = False) -> None:
        super().__init__()
        self.groups, self.per_group_first = groups, per_group_first

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        per_group = c // self.groups
        first = (per_group, self.groups) if self.per_group_first else (self.groups, per_group)
        return x.view(n, *first, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
