"""Integer grids: the arithmetic of the int8 specification, for any range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.graph.graph import QuantParams, dequantized
from edgezoo.quantization.qparams import (
    activation_grid,
    channel_grid,
    coarsened,
    fixed_grid,
    to_grid,
    weight_scales,
)

reals = st.floats(-1e4, 1e4, width=32)


def real(integers: Any, quant: QuantParams) -> Any:
    return dequantized(np.asarray(integers), quant)


@given(reals, reals, st.floats(0, 1))
def test_a_number_inside_the_range_is_off_by_half_a_step_at_most(
    one: float, other: float, position: float
) -> None:
    low, high = min(one, other, 0.0), max(one, other, 0.0)
    quant = activation_grid(one, other) if one <= other else activation_grid(other, one)
    number = np.array([low + position * (high - low)])
    step = float(quant.scale[0])
    off = abs(float(real(to_grid(number, quant), quant)[0] - number[0]))
    # the zero point is whole, so the ends of the grid move by up to half a step
    assert off <= step * 1.001


@given(reals, reals)
def test_zero_is_exact(one: float, other: float) -> None:
    quant = activation_grid(min(one, other), max(one, other))
    assert -128 <= int(quant.zero_point[0]) <= 127
    assert real(to_grid(np.zeros(1), quant), quant)[0] == 0


@given(reals, reals)
def test_what_is_outside_clips_to_the_ends(one: float, other: float) -> None:
    quant = activation_grid(min(one, other), max(one, other))
    assert to_grid(np.array([-1e9, 1e9]), quant).tolist() == [-128, 127]


@given(st.integers(-128, 127), st.floats(1e-6, 100), st.integers(-128, 127))
def test_grid_points_come_back(step: int, scale: float, zero_point: int) -> None:
    quant = fixed_grid(scale, zero_point)
    integers = np.array([step], np.int8)
    assert to_grid(real(integers, quant), quant)[0] == step


def test_ties_go_to_even() -> None:
    assert to_grid(np.array([0.5, 1.5, 2.5, -0.5, -1.5]), fixed_grid(1.0, 0)).tolist() == [
        0, 2, 2, 0, -2
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero_point"),
    [
        (0.0, 255.0, 1.0, -128),
        (-255.0, 0.0, 1.0, 127),
        (-128.0, 127.0, 1.0, 0),
        (5.0, 10.0, 10 / 255, -128),  # stretched to hold 0
        (-10.0, -5.0, 10 / 255, 127),
        (0.0, 0.0, 1 / 255, -128),  # never anything but 0
    ],
)
def test_known_ranges(low: float, high: float, scale: float, zero_point: int) -> None:
    quant = activation_grid(low, high)
    assert quant.scale[0] == np.float32(scale)
    assert quant.zero_point[0] == zero_point


@given(st.lists(st.floats(-100, 100, width=32), min_size=12, max_size=12), st.integers(0, 2))
def test_weights_are_symmetric_per_channel(numbers: list[float], axis: int) -> None:
    weight = np.array(numbers, np.float32).reshape(2, 3, 2)
    quant = channel_grid(weight_scales(weight, axis), axis)
    integers = to_grid(weight, quant)
    assert integers.dtype == np.int8 and np.abs(integers.astype(int)).max() <= 127
    assert not quant.zero_point.any()
    off = np.abs(real(integers, quant) - weight)
    assert np.all(np.moveaxis(off, axis, -1) <= quant.scale * 0.5001)


def test_a_channel_of_zeros_keeps_a_positive_scale() -> None:
    weight = np.zeros((2, 3), np.float32)
    weight[0] = 1.27
    scales = weight_scales(weight, 0, np.array([0.0, 0.5]) + 1e-12)
    assert scales == pytest.approx([0.01, 0.5])


def test_biases_are_int32() -> None:
    quant = channel_grid(np.array([1e-3, 1e-9]), 0, "int32")
    assert to_grid(np.array([1.0, 100.0]), quant).tolist() == [1000, 2**31 - 1]


def test_coarsened_keeps_the_zero_point() -> None:
    fine = fixed_grid(0.001, 7)
    assert coarsened(fine, 0.0001) is fine
    coarse = coarsened(fine, 0.5)
    assert (float(coarse.scale[0]), int(coarse.zero_point[0])) == (0.5, 7)
