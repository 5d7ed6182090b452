"""Each rule on distributions whose best range is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgezoo.graph.graph import dequantized
from edgezoo.quantization.observe import Observer
from edgezoo.quantization.qparams import activation_grid, to_grid
from edgezoo.quantization.ranges import RULES, mean_squared_error, min_max, percentile

Array = NDArray[np.float64]


def observed(array: Array) -> Observer:
    observer = Observer()
    for part in np.array_split(array.astype(np.float32), 50):  # each part is sampled whole
        observer.update(torch.from_numpy(part))
    return observer


@pytest.fixture(scope="module")
def noise() -> Array:
    return np.random.default_rng(0).normal(size=100_000)


def test_min_max_keeps_everything(noise: Array) -> None:
    assert min_max(observed(noise)) == tuple(
        float(np.float32(end)) for end in (noise.min(), noise.max())
    )


@pytest.mark.parametrize("share", [0.99, 0.9999])
def test_percentile_is_the_quantile(noise: Array, share: float) -> None:
    low, high = percentile(share)(observed(noise))
    expected = (1 - share) / 2 * noise.size
    # the limits are the outer edges of bins, so a few numbers of those bins stay inside
    assert expected * 0.9 - 3 <= (noise < low).sum() <= expected + 1
    assert expected * 0.9 - 3 <= (noise > high).sum() <= expected + 1


def test_percentile_drops_one_outlier_and_never_leaves_what_was_seen() -> None:
    array = np.append(np.linspace(0, 1, 99_999), 50.0)
    low, high = percentile(0.9999)(observed(array))
    assert low >= 0.0 and high == pytest.approx(1.0, abs=0.1)
    assert percentile(1.0)(observed(array)) == pytest.approx((0.0, 50.0), abs=0.1)


def error(array: Array, limits: tuple[float, float]) -> float:
    quant = activation_grid(*limits)
    return float(np.mean((dequantized(to_grid(array, quant), quant) - array) ** 2))


@pytest.mark.parametrize("name", ["normal", "laplace", "rectified", "uniform"])
def test_least_squares_beats_everything(name: str) -> None:
    random = np.random.default_rng(1)
    array = {
        "normal": random.normal(size=50_000),
        "laplace": random.laplace(size=50_000),
        "rectified": np.maximum(random.laplace(size=50_000), 0),
        "uniform": random.uniform(-1, 1, size=50_000),
    }[name]
    observer = observed(array)
    found = error(array, mean_squared_error(observer))
    # 5 %: histogram bins, a coarse grid of shrink factors
    assert found <= 1.05 * min(
        error(array, min_max(observer)), error(array, percentile(0.999)(observer))
    )
    if name == "laplace":
        assert found < 0.9 * error(array, min_max(observer))


def test_zeros_alone() -> None:
    observer = Observer()
    observer.update(torch.zeros(10))
    for rule in RULES.values():
        assert rule(observer) == (0.0, 0.0)


def test_one_sided_values_keep_their_side() -> None:
    observer = observed(np.random.default_rng(2).uniform(1, 2, 10_000))
    for rule in RULES.values():
        low, high = rule(observer)
        quant = activation_grid(low, high)
        assert quant.zero_point[0] == -128 and high <= 2
