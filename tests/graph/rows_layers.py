"""Rows of the cases table: convolutions, matrix products, norms, attention."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.graph.case import Case, call, layers
from tests.graph.modules import Apply, InvertedResidual, StandardizedConv, TransformerBlock

CONVOLUTIONS = (
    Case("conv", lambda: nn.Conv2d(4, 6, 3)),
    Case("conv_1x1_no_bias", lambda: nn.Conv2d(4, 6, 1, bias=False)),
    Case("conv_stride_padding", lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1)),
    Case("conv_odd", lambda: nn.Conv2d(4, 6, (3, 5), (3, 2), (2, 1), dilation=(2, 1))),
    Case("conv_dilated_stride", lambda: nn.Conv2d(4, 6, 3, stride=2, padding=2, dilation=2)),
    Case("conv_groups", lambda: nn.Conv2d(4, 6, 3, groups=2)),
    Case("conv_depthwise", lambda: nn.Conv2d(4, 4, 3, padding=1, groups=4)),
    Case("conv_depthwise_dilated", lambda: nn.Conv2d(4, 4, 3, padding=2, groups=4, dilation=2)),
    Case("conv_depthwise_twice", lambda: nn.Conv2d(4, 8, 3, stride=2, groups=4)),
    Case("conv_one_channel", lambda: nn.Conv2d(1, 3, 3), (1, 1, 9, 7)),
    Case("conv_same", lambda: nn.Conv2d(4, 6, 5, padding="same")),
    Case("conv_same_even", lambda: Apply(_quietly, nn.Conv2d(4, 6, (2, 4), padding="same"))),
    Case("conv_valid", lambda: nn.Conv2d(4, 6, 3, padding="valid")),
    Case("conv_padded_by_hand", lambda: Apply(_pad_then, nn.Conv2d(4, 6, 3, stride=2))),
    Case("conv_standardized", lambda: StandardizedConv(4, 6, 3)),
    Case("conv_batch_of_two", lambda: nn.Conv2d(4, 6, 3), (2, 4, 9, 7)),
    Case("conv_reused", lambda: Apply(lambda x, m: m(m(x)), nn.Conv2d(4, 4, 3))),
    Case("conv_shared", lambda: _shared()),
    Case("conv1d", lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1), (1, 4, 17)),
    Case("conv1d_groups", lambda: nn.Conv1d(4, 6, 3, dilation=2, groups=2), (1, 4, 17)),
    Case("conv_transpose", lambda: nn.ConvTranspose2d(4, 6, 2, stride=2)),
    Case("conv_transpose_odd", lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1)),
    Case("conv_transpose_no_bias", lambda: nn.ConvTranspose2d(4, 6, (4, 3), bias=False)),
    layers("conv_norm_relu", lambda: (nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU(True))),
    layers("norm_relu_conv", lambda: (nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3, padding=1))),
    layers("norm_before_conv", lambda: (nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3))),
    layers("transpose_norm", lambda: (nn.ConvTranspose2d(4, 6, 2, 2), nn.BatchNorm2d(6))),
    layers("conv_relu6", lambda: (nn.Conv2d(4, 6, 3), nn.ReLU6())),
    layers("conv_clip", lambda: (nn.Conv2d(4, 6, 3), nn.Hardtanh())),
    Case("inverted_residual", InvertedResidual),
)


def _quietly(x: Tensor, module: nn.Module) -> Any:
    """Call without torch's warning that an uneven padding costs a copy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return module(x)


def _pad_then(x: Tensor, module: nn.Module) -> Any:
    return module(F.pad(x, (0, 1, 0, 1)))


def _shared() -> nn.Module:
    first, second = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
    second.weight = first.weight
    return nn.Sequential(first, nn.ReLU(), second)


PRODUCTS = (
    Case("linear", lambda: nn.Linear(5, 3), (2, 5)),
    Case("linear_no_bias", lambda: nn.Linear(5, 3, bias=False), (2, 5)),
    Case("linear_tokens", lambda: nn.Linear(5, 3), (1, 6, 5)),
    Case("linear_tokens_no_bias", lambda: nn.Linear(5, 3, bias=False), (1, 6, 5)),
    Case("linear_rank_4", lambda: nn.Linear(7, 3)),
    Case("linear_tied", lambda: Apply(_linear_tied, nn.Linear(5, 5)), (1, 6, 5)),
    layers("classifier", lambda: (nn.Flatten(), nn.Linear(252, 8), nn.ReLU(), nn.Linear(8, 3))),
    Case("channels_last_mlp", lambda: Apply(_channels_last, nn.Linear(4, 8), nn.Linear(8, 4))),
    call("matmul", lambda x: x @ x.transpose(-1, -2)),
    call("matmul_ranks", lambda x: x[0, 0] @ x.transpose(-1, -2)),
    Case("matmul_constant", lambda: Apply(lambda x, c: x @ c, c=torch.randn(7, 5))),
    Case("matmul_constant_left", lambda: Apply(lambda x, c: c @ x, c=torch.randn(5, 9))),
    Case("matmul_batched_constant", lambda: Apply(lambda x, c: x @ c, c=torch.randn(4, 7, 5))),
    call("bmm", lambda x: torch.bmm(x, x.transpose(1, 2)), (2, 3, 5)),
    call("mm", lambda x: torch.mm(x, x.t()), (3, 5)),
    Case("addmm", lambda: Apply(_addmm, b=torch.randn(5), w=torch.randn(4, 5)), (3, 4)),
    Case("vision_transformer", TransformerBlock, (1, 3, 8, 8)),
    Case("vision_transformer_unfused", lambda: TransformerBlock(fused=False), (1, 3, 8, 8)),
    Case("attention_mask", lambda: Apply(_masked, c=torch.randn(1, 6, 6)), (1, 2, 6, 4)),
    Case("attention_bool", lambda: Apply(_masked, c=torch.ones(6, 6).tril() > 0), (1, 2, 6, 4)),
    call("attention_causal", lambda x: _attend(x, is_causal=True), (1, 2, 6, 4)),
    call("attention_scale", lambda x: _attend(x, scale=0.3), (1, 2, 6, 4)),
)


def _linear_tied(x: Tensor, module: nn.Module) -> Any:
    return module(F.relu(module(x)))


def _channels_last(x: Tensor, first: nn.Module, second: nn.Module) -> Any:
    return x + second(F.gelu(first(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)


def _addmm(x: Tensor, b: Tensor, w: Tensor) -> Tensor:
    return torch.addmm(b, x, w)


def _attend(x: Tensor, **options: Any) -> Tensor:
    return F.scaled_dot_product_attention(x, x * 0.5, x + 1, **options)


def _masked(x: Tensor, c: Tensor) -> Tensor:
    return _attend(x, attn_mask=c)


NORMS = (
    Case("batch_norm", lambda: nn.BatchNorm2d(4)),
    Case("batch_norm_plain", lambda: nn.BatchNorm2d(4, affine=False)),
    Case("batch_norm_1d", lambda: nn.BatchNorm1d(4), (1, 4, 9)),
    Case("batch_norm_rank_2", lambda: nn.BatchNorm1d(4), (3, 4)),
    Case("layer_norm", lambda: nn.LayerNorm(5), (1, 6, 5)),
    Case("layer_norm_plain", lambda: nn.LayerNorm((4, 9, 7), elementwise_affine=False)),
    Case("layer_norm_two_axes", lambda: nn.LayerNorm((9, 7))),
    Case("group_norm", lambda: nn.GroupNorm(2, 4)),
    Case("group_norm_tokens", lambda: nn.GroupNorm(2, 4, affine=False), (2, 4, 9)),
    Case("instance_norm", lambda: nn.InstanceNorm2d(4, affine=True)),
    Case("instance_norm_plain", lambda: nn.InstanceNorm2d(4)),
    call("normalize", lambda x: F.normalize(x, dim=1)),
    call("vector_norm", lambda x: torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)),
    call("global_response_norm", lambda x: x / (x.norm(dim=(1, 2), keepdim=True) + 1e-6)),
)
