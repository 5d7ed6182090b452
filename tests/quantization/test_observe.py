"""Streaming statistics against numpy over everything that was seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from edgezoo.quantization.observe import BINS, SAMPLED, Observer, in_memory_order, stride


def seen(*tensors: Tensor) -> Observer:
    observer = Observer()
    for tensor in tensors:
        observer.update(tensor)
    return observer


numbers = st.lists(st.floats(-1e5, 1e5, width=32), min_size=1, max_size=30)


@given(st.lists(numbers, min_size=1, max_size=6))
def test_the_range_is_exact(batches: list[list[float]]) -> None:
    observer = seen(*(torch.tensor(batch) for batch in batches))
    everything = np.concatenate([np.array(batch, np.float32) for batch in batches])
    assert (observer.low, observer.high) == (everything.min(), everything.max())


@pytest.mark.parametrize("seed", range(5))
def test_the_histogram_of_a_growing_range_is_numpys(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    batches = [torch.randn(500, generator=generator) * 1.7**index for index in range(12)]
    observer = seen(*batches)
    everything = torch.cat(batches).numpy()
    edges = np.linspace(-observer.limit, observer.limit, BINS + 1)
    expected, _ = np.histogram(everything, edges)
    _, counts = observer.histogram()
    assert counts.sum() == everything.size
    # a number on an edge may be counted on its other side, nothing more
    assert np.abs(np.cumsum(counts) - np.cumsum(expected)).max() <= 2
    assert np.abs(everything).max() <= observer.limit < 2 * np.abs(everything).max()


def test_memory_does_not_grow_with_what_is_seen() -> None:
    observer = seen(*(torch.randn(1000) * 10**index for index in range(6)))
    assert observer.counts.shape == (BINS,)
    assert set(observer.__slots__) == {"low", "high", "limit", "counts"}


def test_zeros_alone_leave_an_empty_histogram_that_later_values_fill() -> None:
    observer = seen(torch.zeros(10))
    assert (observer.low, observer.high, observer.limit) == (0.0, 0.0, 0.0)
    observer.update(torch.tensor([1.0, -2.0]))
    assert observer.limit == 2.0 and observer.histogram()[1].sum() == 2


def test_infinity_is_seen_and_does_not_hang() -> None:
    assert seen(torch.tensor([1.0, math.inf])).high == math.inf
    assert math.isnan(seen(torch.tensor([1.0, math.nan])).high)
    assert math.isnan(seen(torch.ones(2), torch.tensor([1.0, math.nan])).low)


def test_constants_may_come_after_calibration() -> None:
    with torch.inference_mode():
        observer = seen(torch.randn(10))
    observer.update(torch.tensor([5.0]))
    assert observer.high == 5.0


@given(st.integers(1, 10**7))
def test_the_sample_leaves_no_channel_out(count: int) -> None:
    step = stride(count)
    assert math.gcd(step, count) == 1
    assert count / step <= SAMPLED * 2 or step == 1


def test_every_channel_is_sampled_in_memory_order() -> None:
    channels, side = 240, 28
    x = torch.zeros(1, channels, side, side).contiguous(memory_format=torch.channels_last)
    x += torch.arange(1.0, channels + 1)[:, None, None]
    flat = in_memory_order(x)
    assert flat.data_ptr() == x.data_ptr()
    assert set(flat[:: stride(flat.numel())].tolist()) == set(range(1, channels + 1))
