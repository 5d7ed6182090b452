"""Rows of the cases table: pooling, resizing, moving elements, odd inputs and outputs."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.graph.case import Case, call
from tests.graph.modules import Apply, Shuffle

TOKENS = (1, 6, 5)


def first_tripled(x: Tensor) -> Tensor:
    y = x * 2
    y[:, :1].mul_(3)
    return y


def assigned(x: Tensor) -> Tensor:
    y = x * 2
    y[:, :1] = x[:, 1:2]
    y[:, 3] = 1.5
    y[..., -1] = x[..., 0]
    y[:, :, :1].fill_(-0.5)
    return y


def half_rectified(x: Tensor, norm: nn.Module) -> Any:
    y = x * 2
    F.relu(y.chunk(2, 1)[0], inplace=True)
    return norm(y)


def filled(x: Tensor) -> Tensor:
    y = torch.zeros(1, 4, 9, 7)
    y[:, :2] = x[:, 2:]
    return torch.cat(
        (y, torch.ones_like(x), x.new_full((1, 1, 9, 7), 0.5), x.new_zeros(y.shape)), 1
    )


def filled_like(x: Tensor) -> Tensor:
    return x + torch.full_like(x, 2.0) - x.new_ones(7) + torch.zeros_like(x)


def resized(name: str, mode: str, size: Any = None, scale: Any = None, **options: bool) -> Case:
    """Return a case of ``F.interpolate``."""
    return call(f"resize_{name}", lambda x: F.interpolate(x, size, scale, mode=mode, **options))


POOLING = (
    Case("max_pool", lambda: nn.MaxPool2d(2)),
    Case("max_pool_padded", lambda: nn.MaxPool2d(3, 2, 1)),
    Case("max_pool_negative", lambda: Apply(lambda x, m: m(-x.abs() - 1), nn.MaxPool2d(3, 2, 1))),
    Case("max_pool_ceil", lambda: nn.MaxPool2d(2, 2, ceil_mode=True)),
    Case("max_pool_ceil_3", lambda: nn.MaxPool2d(3, 2, ceil_mode=True), (1, 4, 10, 8)),
    Case("max_pool_ceil_padded", lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), (1, 4, 10, 8)),
    Case("max_pool_ceil_dropped", lambda: nn.MaxPool2d(2, 3, 1, ceil_mode=True), (1, 4, 10, 8)),
    Case("max_pool_odd", lambda: nn.MaxPool2d((3, 2), (1, 3), (1, 0))),
    Case("avg_pool", lambda: nn.AvgPool2d(2)),
    Case("avg_pool_padded", lambda: nn.AvgPool2d(3, 2, 1)),
    Case("avg_pool_without_pad", lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
    Case("avg_pool_ceil", lambda: nn.AvgPool2d(2, 2, ceil_mode=True)),
    Case("avg_pool_ceil_padded", lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), (1, 4, 10, 8)),
    Case("avg_pool_ceil_without", lambda: nn.AvgPool2d(3, 2, 1, True, False), (1, 4, 10, 8)),
    Case("avg_pool_divisor", lambda: nn.AvgPool2d(3, 2, 1, divisor_override=4)),
    Case("adaptive_avg_1", lambda: nn.AdaptiveAvgPool2d(1)),
    Case("adaptive_avg_2", lambda: nn.AdaptiveAvgPool2d((2, 3)), (1, 4, 8, 9)),
    Case("adaptive_avg_same", lambda: nn.AdaptiveAvgPool2d((9, 7))),
    Case("adaptive_max_1", lambda: nn.AdaptiveMaxPool2d(1)),
    Case("adaptive_max_2", lambda: nn.AdaptiveMaxPool2d((2, 3)), (1, 4, 8, 9)),
    Case("adaptive_avg_uneven", lambda: nn.AdaptiveAvgPool2d((4, 3))),
    Case("adaptive_avg_grows", lambda: nn.AdaptiveAvgPool2d((4, 12))),
    Case("avg_pool_1d", lambda: nn.AvgPool1d(3, 2, 1, count_include_pad=False), TOKENS),
    Case("adaptive_avg_1d", lambda: nn.AdaptiveAvgPool1d(1), TOKENS),
    resized("bilinear", "bilinear", scale=2),
    resized("bilinear_corners", "bilinear", scale=2, align_corners=True),
    resized("bilinear_size", "bilinear", (5, 11)),
    resized("bilinear_size_corners", "bilinear", (5, 11), align_corners=True),
    resized("bilinear_to_1", "bilinear", (1, 1)),
    resized("bilinear_to_1_corners", "bilinear", (1, 1), align_corners=True),
    resized("nearest", "nearest", scale=(2, 3)),
    resized("nearest_size", "nearest", (5, 11)),
    resized("area", "area", (4, 3)),
    resized("bicubic", "bicubic", scale=2),
    resized("bicubic_size", "bicubic", (5, 11), align_corners=True),
    resized("bicubic_smooth", "bicubic", (5, 4), antialias=True),
    call("resize_nearest_down", lambda x: F.interpolate(x, (4, 2)), (1, 2, 28, 14)),
)

SHAPES = (
    *(
        call(name, function)
        for name, function in {
            "reshape": lambda x: x.reshape(1, 2, -1),
            "view": lambda x: x.view(-1, 7),
            "reshape_as": lambda x: x.reshape_as(x.flatten(2)),
            "view_as": lambda x: x.view_as(x.flatten(1)),
            "flatten": lambda x: x.flatten(1, 2),
            "unflatten": lambda x: x.unflatten(1, (2, -1)),
            "unsqueeze": lambda x: x.unsqueeze(-1).unsqueeze(1),
            "squeeze": lambda x: x[:, :1].squeeze(),
            "squeeze_dim": lambda x: x[:, :1].squeeze(1).squeeze(-1),
            "squeeze_dims": lambda x: x[:, :1].squeeze((0, 1)),
            "permute": lambda x: x.permute(0, 2, 3, 1),
            "transpose": lambda x: x.transpose(1, -1),
            "swapaxes": lambda x: x.swapaxes(2, 3),
            "mirrored_axes": lambda x: x[0, 0].T + x[0, 1].t(),
            "expand": lambda x: x[:, :1].expand(-1, 3, -1, -1),
            "expand_rank": lambda x: x[0, :1].expand(2, 3, 9, 7),
            "expand_same": lambda x: x.expand(1, 4, 9, 7) + 1,
            "expand_as": lambda x: x[:, :1].expand_as(x),
            "repeat": lambda x: x.repeat(1, 2, 1, 3),
            "repeat_rank": lambda x: x[0].repeat(2, 1, 1, 2),
            "tile": lambda x: torch.tile(x, (2, 1)),
            "cat_channels": lambda x: torch.cat((x, x * 2, x[:, :1]), 1),
            "cat_last": lambda x: torch.concat((x, x[..., :2]), -1),
            "cat_first": lambda x: torch.cat((x, -x)),
            "cat_empty": lambda x: torch.cat((x, x[:, :0]), 1),
            "stack": lambda x: torch.stack((x[:, 0], x[:, 1]), -1),
            "slice": lambda x: x[:, 1:3, ::2, -3:],
            "slice_step": lambda x: x[:, :, 1::3, 1:6:2],
            "narrow": lambda x: x.narrow(2, 1, 4),
            "select": lambda x: x[:, -1] + x[:, 1],
            "split": lambda x: swapped(x.split(3, 1), 1),
            "split_sizes": lambda x: swapped(x.split([1, 2, 1], 1), 1),
            "split_with_sizes": lambda x: swapped(torch.split_with_sizes(x, [5, 4], 2), 2),
            "chunk": lambda x: swapped(x.chunk(3, 2), 2),
            "unbind": lambda x: torch.stack(x.unbind(1)[::-1], 1),
            "pad_zero": lambda x: F.pad(x, (1, 2, 0, 3)),
            "pad_value": lambda x: F.pad(x, (1, 1), value=2.5),
            "pad_channels": lambda x: F.pad(x, (0, 0, 0, 0, 1, 2)),
            "pad_crop": lambda x: F.pad(x, (-1, 2, -2, -1)),
            "pad_reflect": lambda x: F.pad(x, (2, 1, 3, 0), mode="reflect"),
            "pad_replicate": lambda x: F.pad(x, (2, 1, 0, 1), mode="replicate"),
            "pad_circular": lambda x: F.pad(x, (2, 1, 0, 1), mode="circular"),
            "pad_constant_nd": lambda x: torch.constant_pad_nd(x, (1, 0), -1.0),
            "pad_minus_infinity": lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-1e30), 2, 2),
            "repeat_interleave": lambda x: x.repeat_interleave(3, 1),
            "repeat_interleave_all": lambda x: x[0, 0].repeat_interleave(2),
            "windows": lambda x: x.unfold(2, 3, 2).unfold(3, 4, 3),
            "im2col": lambda x: F.unfold(x, (2, 3), padding=1, stride=2),
            "roll": lambda x: torch.roll(x, (2, -3), (2, 3)),
            "roll_zero": lambda x: torch.roll(x, (9, 1), (2, 3)),
            "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
            "pixel_unshuffle": lambda x: F.pixel_unshuffle(x[..., :8, :6], 2),
            "channel_shuffle_torch": lambda x: torch.channel_shuffle(x, 2),
        }.items()
    ),
    call("overwritten_view", first_tripled),
    call("overwritten_slices", assigned),
    Case("overwritten_half", lambda: Apply(half_rectified, nn.BatchNorm2d(4))),
    call("filled", filled),
    call("filled_like", filled_like),
    Case("channel_shuffle", lambda: Shuffle(3), (1, 12, 4, 5)),
    Case("channel_shuffle_turned", lambda: Shuffle(3, per_group_first=True), (1, 12, 4, 5)),
    Case("cat_constant", lambda: Apply(_with_token, c=torch.randn(1, 1, 5)), TOKENS),
    call("window_partition", lambda x: _windows(x), (1, 3, 8, 8)),
)


def swapped(parts: tuple[Tensor, ...], axis: int) -> Tensor:
    """Join the parts in the other order, so that each is seen."""
    return torch.cat(parts[::-1], axis)


def _with_token(x: Tensor, c: Tensor) -> Tensor:
    return torch.cat((c, x), 1)


def _windows(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)


class Branches(nn.Module):
    """Returns two outputs of different shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(4, 6, 3), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.stem(x)
        return features, self.head(features.mean((2, 3)))


ENDS = (
    Case("two_outputs", Branches),
    Case("input_is_output", nn.Identity),
    call("input_twice", lambda x: (x, x)),
    call("output_twice", lambda x: (y := x * 2, y)),
    Case("constant_output", lambda: Apply(_and_constant, c=torch.arange(3.0))),
    call("rank_1", lambda x: x * 2 + 1, (5,)),
    call("rank_2", lambda x: (x @ x.t()).softmax(-1), (3, 5)),
    call("rank_3", lambda x: x.transpose(1, 2).mean(-1), TOKENS),
    call("rank_5", lambda x: x.sum(2) * 2, (1, 2, 3, 4, 5)),
)


def _and_constant(x: Tensor, c: Tensor) -> Any:
    return x + 1, c * 2
