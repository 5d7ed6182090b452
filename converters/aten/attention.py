"""Scaled dot-product attention (arXiv 1706.03762, 3.2.1), as the two products it is made of."""

from __future__ import annotations

import math
from typing import Any

from edgezoo.converters.aten.arithmetic import binary
from edgezoo.converters.aten.table import handles
from edgezoo.converters.builder import Builder, Ref
from edgezoo.graph import attrs as A


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
    mask_is_float = attn_mask is None or isinstance(attn_mask, Ref) or attn_mask.is_floating_point()
    if is_causal or enable_gqa or not mask_is_float:
        return NotImplemented
    rank = len(key.shape)
    order = (*range(rank - 2), rank - 1, rank - 2)
    scaled = binary(b, "mul", query, 1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    scores = b.emit("matmul", scaled, b.emit("permute", key, attrs=A.Permute(order)))
    if attn_mask is not None:
        scores = binary(b, "add", scores, attn_mask)
    weights = b.emit("softmax", scores, attrs=A.Axis(rank - 1))
    return b.emit("matmul", weights, value)
