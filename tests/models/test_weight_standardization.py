import math

import pytest
import torch

from edgezoo.models.weight_standardization import GUARDS, NONLINEARITIES, ScaledStdConv2d


@pytest.mark.parametrize("name", NONLINEARITIES)
def test_gamma_gives_back_unit_variance(name: str) -> None:
    # The integral over N(0, 1) on a fine grid; the tails beyond 12 hold nothing.
    z = torch.linspace(-12, 12, 240_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    y = NONLINEARITIES[name].function(z)
    variance = (density * y.square()).sum() - (density * y).sum().square()
    # The constants are estimates from samples, good to three digits.
    assert NONLINEARITIES[name].gamma == pytest.approx(float(variance.rsqrt()), rel=2e-3)


def test_gamma_of_relu() -> None:
    assert NONLINEARITIES["relu"].gamma == pytest.approx(math.sqrt(2 / (1 - 1 / math.pi)), abs=2e-3)


def test_filter_of_the_worked_example() -> None:
    conv = ScaledStdConv2d(4, 1, 1).double()
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1))
    # mean 2.5, variance 1.25, N = 4: (W - 2.5) / sqrt(5)
    expected = [-0.67082039, -0.22360680, 0.22360680, 0.67082039]
    assert conv.standardized_weight().flatten().tolist() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("guard", GUARDS)
def test_filters_have_no_mean_and_the_norm_of_their_gain(guard: str) -> None:
    torch.manual_seed(0)
    conv = ScaledStdConv2d(8, 6, 3, groups=2, gamma=1.7, guard=guard).double()
    with torch.no_grad():
        conv.weight.mul_(50.0).add_(3.0)
        conv.gain.uniform_(0.5, 1.5)
    filters = conv.standardized_weight().flatten(1)
    torch.testing.assert_close(filters.mean(1), torch.zeros(6).double(), rtol=0, atol=1e-12)
    expected = (conv.gain.flatten() * 1.7).square()
    # timm's guard adds 1e-5 to a variance of about 70.
    torch.testing.assert_close(filters.square().sum(1), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("guard", GUARDS)
def test_guards_on_filters_of_little_variance(guard: str) -> None:
    conv = ScaledStdConv2d(2, 2, 1, guard=guard).double()
    with torch.no_grad():
        weight = torch.tensor([[7.0, 7.0], [-1e-4, 1e-4]], dtype=torch.float64)
        conv.weight.copy_(weight.reshape(2, 2, 1, 1))
    filters = conv.standardized_weight().flatten(1)
    assert filters[0].tolist() == [0.0, 0.0]
    # W - mean = 1e-4, N = 2, N·var = 2e-8: clamped to 1e-4, or 2·(1e-8 + 1e-5).
    root = math.sqrt(1e-4) if guard == "clamp" else math.sqrt(2 * (1e-8 + 1e-5))
    assert filters[1].tolist() == pytest.approx([-1e-4 / root, 1e-4 / root], rel=1e-9)
