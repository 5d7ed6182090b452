"""Integer grids from ranges, and arrays onto grids; numpy only.

The int8 contract: https://ai.google.dev/edge/litert/models/quantization_spec. Rounding is to the
nearest, ties to even.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edgezoo.graph.graph import QuantParams

Array = np.ndarray[Any, np.dtype[Any]]

INT8_LOW, INT8_HIGH = -128, 127
SYMMETRIC_HIGH = 127  # weights stay in [-127, 127], so that zero_point is 0
INT32_HIGH = 2**31 - 1
SMALLEST_SCALE = 1e-12


def activation_grid(low: float, high: float) -> QuantParams:
    """Return the per-tensor int8 grid over [low, high], stretched to include 0.

    ``scale = (high - low) / 255``, ``zero_point = clip(round(-128 - low / scale))``: 0 is exact.
    What was never anything but 0 gets [0, 1].
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = 1.0
    scale = max((high - low) / (INT8_HIGH - INT8_LOW), SMALLEST_SCALE)
    zero_point = int(np.clip(np.round(INT8_LOW - low / scale), INT8_LOW, INT8_HIGH))
    return QuantParams(np.array([scale], np.float32), np.array([zero_point], np.int64))


def coarsened(quant: QuantParams, smallest: float) -> QuantParams:
    """Return a grid around the same zero point with a scale of at least ``smallest``."""
    if float(quant.scale[0]) >= smallest:
        return quant
    return replace(quant, scale=np.array([smallest], np.float32))


def fixed_grid(scale: float, zero_point: int) -> QuantParams:
    """Return a grid that the specification fixes for an operator's result."""
    return QuantParams(np.array([scale], np.float32), np.array([zero_point], np.int64))


def weight_scales(weight: Array, axis: int, smallest: Array | float = SMALLEST_SCALE) -> Array:
    """Return per-channel scales ``max|w| / 127`` (channels,) float64, at least ``smallest``."""
    others = tuple(index for index in range(weight.ndim) if index != axis)
    largest = np.max(np.abs(weight.astype(np.float64)), axis=others)
    return np.asarray(np.maximum(largest / SYMMETRIC_HIGH, smallest))


def channel_grid(scales: Array, axis: int, dtype: str = "int8") -> QuantParams:
    """Return the symmetric per-channel grid with ``scales`` along ``axis``."""
    narrow = scales.astype(np.float32)
    return QuantParams(narrow, np.zeros(narrow.size, np.int64), axis, dtype)


def along(vector: Array, axis: int, rank: int) -> Array:
    """Return ``vector`` shaped to broadcast along ``axis`` of ``rank`` axes."""
    shape = [1] * rank
    shape[axis] = -1
    return vector.reshape(shape)


def to_grid(array: Array, quant: QuantParams) -> Array:
    """Return ``clip(round(array / scale) + zero_point)`` as the grid's integers."""
    axis = 0 if quant.axis is None else quant.axis
    scale = along(quant.scale.astype(np.float64), axis, array.ndim)
    zero_point = along(quant.zero_point, axis, array.ndim)
    low = {"int8": INT8_LOW, "int32": -INT32_HIGH}[quant.dtype]
    high = {"int8": INT8_HIGH, "int32": INT32_HIGH}[quant.dtype]
    if quant.dtype == "int8" and quant.axis is not None:
        low = -SYMMETRIC_HIGH
    steps = np.round(array.astype(np.float64) / scale) + zero_point
    return np.clip(steps, low, high).astype(quant.dtype)
