"""Scaled dot-product attention (arXiv 1706.03762, 3.2.1), as the two products it is made of."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from edgezoo.converters.aten.arithmetic import binary
from edgezoo.converters.aten.table import handles
from edgezoo.converters.builder import Builder, Ref
from edgezoo.graph import attrs as A

MASKED = -1e9  # exp() of it is 0; finite, so that it can be rounded to a grid


@handles("scaled_dot_product_attention.default")
def scaled_dot_product_attention(
    b: Builder,
    query: Ref,
    key: Ref,
    value: Ref,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    if enable_gqa:
        return NotImplemented
    if is_causal:
        attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
    if isinstance(attn_mask, Tensor) and attn_mask.dtype is torch.bool:
        attn_mask = torch.where(attn_mask, 0.0, MASKED)
    rank = len(key.shape)
    order = (*range(rank - 2), rank - 1, rank - 2)
    scaled = binary(b, "mul", query, 1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    scores = b.emit("matmul", scaled, b.emit("permute", key, attrs=A.Permute(order)))
    if attn_mask is not None:
        scores = binary(b, "add", scores, attn_mask)
    weights = b.emit("softmax", scores, attrs=A.Axis(rank - 1))
    return b.emit("matmul", weights, value)
