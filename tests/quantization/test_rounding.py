"""Weight rounding against the textbook form of its paper, and what it is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from edgezoo.converters.capture import capture
from edgezoo.graph.graph import dequantized
from edgezoo.quantization.moments import MomentWatch
from edgezoo.quantization.qparams import activation_grid
from edgezoo.quantization.rounding import (
    BLOCK,
    DAMPING,
    compensated_rounding,
    round_layers,
)

Array = NDArray[Any]


def correlated(random: np.random.Generator, groups: int, inputs: int) -> Array:
    """Return covariances with a few strong directions, as neighbouring pixels have."""
    mixing = random.normal(size=(groups, inputs, max(inputs // 4, 1)))
    noise = 0.05 * np.eye(inputs)
    return (mixing @ mixing.transpose(0, 2, 1) + noise).astype(np.float32)


def loss(error: Array, covariance: Array) -> float:
    """Return the expected squared error of the outputs, tr(E C E^T)."""
    return float(np.einsum("goi,gij,goj->", error, covariance.astype(np.float64), error))


def textbook(weight: Array, covariance: Array) -> Array:
    """Optimal brain quantization, one row at a time, the inverse updated after each input."""
    size = len(covariance)
    damped = covariance.astype(np.float64)
    damped = damped + np.eye(size) * (DAMPING * np.diag(damped).mean() + 1e-12)
    inverse = np.linalg.inv(damped)
    left, steps = weight.astype(np.float64).copy(), np.zeros_like(weight)
    for i in np.argsort(-np.diag(covariance), kind="stable"):
        steps[:, i] = np.clip(np.rint(left[:, i]), -127, 127)
        error = (left[:, i] - steps[:, i]) / inverse[i, i]
        left -= error[:, None] * inverse[i]
        inverse -= np.outer(inverse[:, i], inverse[i]) / inverse[i, i]
        inverse[i, i] = 1.0  # never read again, but never zero
    return steps


@pytest.mark.parametrize("inputs", [1, 9, BLOCK, BLOCK + 1, 3 * BLOCK - 5])
def test_blocks_and_the_factor_give_what_the_textbook_gives(inputs: int) -> None:
    random = np.random.default_rng(inputs)
    covariance = correlated(random, 2, inputs)
    weight = random.uniform(-100, 100, (2, 8, inputs)).astype(np.float32)
    steps = compensated_rounding(weight, np.ones((2, 8), np.float32), covariance)
    expected = np.stack([textbook(w, c) for w, c in zip(weight, covariance, strict=True)])
    # float32: a number near a tie may round the other way, and what follows answers to it
    same = np.mean([np.array_equal(a, b) for a, b in zip(steps[0], expected[0], strict=True)])
    assert same >= 0.7
    assert loss(steps - weight, covariance) <= 1.05 * loss(expected - weight, covariance)


@pytest.mark.parametrize("seed", range(8))
def test_it_beats_nearest_on_correlated_inputs(seed: int) -> None:
    random = np.random.default_rng(seed)
    covariance = correlated(random, 3, 48)
    weight = random.normal(size=(3, 16, 48)).astype(np.float32)
    scales = (np.abs(weight).max(2) / 127).astype(np.float32)
    steps = compensated_rounding(weight, scales, covariance)
    assert np.array_equal(steps, np.rint(steps)) and np.abs(steps).max() <= 127
    error = steps * scales[:, :, None] - weight
    nearest = np.rint(weight / scales[:, :, None]) * scales[:, :, None] - weight
    assert loss(error, covariance) < 0.7 * loss(nearest, covariance)


@pytest.mark.parametrize("kind", ["independent", "none", "dead inputs"])
def test_without_correlation_it_is_rounding_to_the_nearest(kind: str) -> None:
    random = np.random.default_rng(0)
    variance = {
        "independent": random.uniform(0.1, 5, (2, 20)),
        "none": np.zeros((2, 20)),
        "dead inputs": np.where(np.arange(20) % 3 == 0, 0.0, 1.0) * np.ones((2, 1)),
    }[kind]
    covariance = np.stack([np.diag(row) for row in variance]).astype(np.float32)
    weight = random.uniform(-120, 120, (2, 4, 20)).astype(np.float32)
    steps = compensated_rounding(weight, np.ones((2, 4), np.float32), covariance)
    assert np.array_equal(steps, np.rint(weight))


def test_groups_do_not_see_each_other() -> None:
    random = np.random.default_rng(3)
    covariance, weight = correlated(random, 4, 9), random.normal(size=(4, 2, 9)).astype(np.float32)
    scales = np.full((4, 2), 0.02, np.float32)
    together = compensated_rounding(weight, scales, covariance)
    for g in range(4):
        alone = compensated_rounding(*(a[g : g + 1] for a in (weight, scales, covariance)))
        assert np.array_equal(together[g], alone[0])


LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "conv": (nn.Conv2d(6, 8, 3, padding=1), (1, 6, 12, 12)),
    "grouped": (nn.Conv2d(6, 8, 3, groups=2), (1, 6, 12, 12)),
    "depthwise": (nn.Conv2d(6, 6, 3, groups=6), (1, 6, 12, 12)),
    "linear": (nn.Linear(24, 5), (16, 24)),
}


def smooth(shape: tuple[int, ...], count: int) -> list[torch.Tensor]:
    """Return inputs whose neighbours are alike and whose mean is not 0, as pictures are."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, *shape, generator=generator)
    return list(noise.cumsum(-1) * 0.3 + 1.5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_rounded_layer_is_nearer_and_its_mean_is_right(name: str) -> None:
    module, shape = LAYERS[name]
    torch.manual_seed(0)
    module.reset_parameters()  # type: ignore[operator]  # both kinds have it
    graph = capture(module.eval(), shape)
    inputs = smooth(shape, 30)
    watch = MomentWatch(graph, graph.nodes)
    for x in inputs:
        watch.take(graph.values["input"], x)
    (node,) = graph.nodes
    rounded = round_layers(graph, watch.moments, {"input": activation_grid(-6.0, 6.0)})
    careful = rounded[node.output]
    weight = np.asarray(graph.constants[node.inputs[1]], np.float32)
    shape_of_scale = (-1, *(1 for _ in weight.shape[1:]))
    nearest = np.rint(weight / careful.quant.scale.reshape(shape_of_scale))

    def outputs(integers: Array, bias: Array) -> torch.Tensor:
        copy = nn.Module.__new__(type(module))
        copy.__dict__.update(module.__dict__)
        copy._parameters = {
            "weight": nn.Parameter(torch.from_numpy(dequantized(integers, careful.quant)).float()),
            "bias": nn.Parameter(torch.from_numpy(bias).float()),
        }
        with torch.no_grad():
            return torch.stack([copy(x) for x in inputs])

    with torch.no_grad():
        exact = torch.stack([module(x) for x in inputs])
    plain = outputs(nearest, graph.constants[node.inputs[2]]) - exact
    found = outputs(careful.weight, careful.bias) - exact
    assert found.square().mean() < 0.9 * plain.square().mean()
    axes = (0, 1, 3, 4) if exact.ndim == 5 else (0, 1)
    # the mean over all positions, of which the moments saw a sample
    assert found.mean(axes).abs().max() < 0.3 * plain.mean(axes).abs().max()


def test_a_layer_whose_input_never_changes_is_rounded_without_nan() -> None:
    module = nn.Conv2d(4, 6, 3).eval()
    graph = capture(module, (1, 4, 8, 8))
    watch = MomentWatch(graph, graph.nodes)
    for _ in range(40):
        watch.take(graph.values["input"], torch.full((1, 4, 8, 8), 7.3))
    rounded = round_layers(graph, watch.moments, {"input": activation_grid(0.0, 8.0)})
    (careful,) = rounded.values()
    assert np.isfinite(careful.bias).all()
    real = dequantized(careful.weight, careful.quant)
    weight = np.asarray(graph.constants[graph.nodes[0].inputs[1]], np.float32)
    assert np.abs(real - weight).max() <= 2 * careful.quant.scale.max()


def test_a_layer_that_was_never_run_is_rounded_to_the_nearest() -> None:
    graph = capture(nn.Conv2d(4, 6, 3).eval(), (1, 4, 8, 8))
    watch = MomentWatch(graph, graph.nodes)
    (careful,) = round_layers(graph, watch.moments, {"input": activation_grid(0, 1)}).values()
    weight = np.asarray(graph.constants[graph.nodes[0].inputs[1]], np.float32)
    nearest = np.rint(weight / careful.quant.scale.reshape(-1, 1, 1, 1))
    assert np.array_equal(careful.weight, nearest)


def test_a_layer_too_wide_for_a_covariance_is_rounded_to_the_nearest_and_its_mean_is_right() -> (
    None
):
    torch.manual_seed(0)
    module = nn.Linear(3000, 5).eval()
    graph = capture(module, (1, 3000))
    watch = MomentWatch(graph, graph.nodes)
    x = torch.rand(1, 3000)
    watch.take(graph.values["input"], x)
    (careful,) = round_layers(graph, watch.moments, {"input": activation_grid(0, 1)}).values()
    weight = np.asarray(graph.constants[graph.nodes[0].inputs[1]], np.float32)
    assert np.array_equal(careful.weight, np.rint(weight / careful.quant.scale[:, None]))
    found = dequantized(careful.weight, careful.quant) @ x[0].numpy() + careful.bias
    assert np.allclose(found, module(x)[0].detach().numpy(), atol=1e-4)
