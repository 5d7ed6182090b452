import math
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgezoo.models.nfnet import DEPTHS, RESNET_DEPTHS, nf_resnet
from edgezoo.models.norm_free import (
    ALPHA,
    ATTENTION_GAIN,
    EfficientChannelAttention,
    Layers,
    NormFreeBlock,
    Shortcut,
    drop_branch,
    drop_rates,
    expected_stds,
    get_flavour,
)
from edgezoo.models.registry import get_model


def test_multipliers_of_f0() -> None:
    # From running timm 1.0.31: 1 / β of F0's blocks in order.
    expected = (
        *(1.0, 0.98058, 0.98058, 0.96225, 0.98058, 0.96225),
        *(0.94491, 0.92848, 0.91287, 0.89803, 0.98058, 0.96225),
    )
    betas = [beta for stage in expected_stds(DEPTHS) for beta in stage]
    assert [1 / beta for beta in betas] == pytest.approx(expected, abs=5e-6)


def test_stochastic_depth_rates() -> None:
    deepmind = [rate for stage in drop_rates(DEPTHS, 0.25, True) for rate in stage]
    assert deepmind == pytest.approx([0.25 * i / 12 for i in range(12)])
    assert [len(stage) for stage in drop_rates(DEPTHS, 0.25, True)] == list(DEPTHS)


def test_stochastic_depth_rates_are_timms(timm: ModuleType) -> None:
    with torch.device("meta"):
        theirs = timm.create_model("nfnet_f0", drop_path_rate=0.25)
        ours = get_model("nfnet_f0").build()
    expected = [getattr(block.drop_path, "drop_prob", 0.0) for s in theirs.stages for block in s]
    rates = [block.drop_rate for block in ours.modules() if isinstance(block, NormFreeBlock)]
    assert rates == pytest.approx(expected)
    assert rates[-1] == 0.25


@pytest.mark.parametrize(("rescale", "kept"), [(True, 1 / 0.8), (False, 1.0)])
def test_dropped_branches(rescale: bool, kept: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(20_000, 2, 1, 1)
    dropped = drop_branch(x, 0.2, True, rescale)
    assert set(dropped.flatten().tolist()) == {0.0, torch.tensor(kept).item()}
    assert torch.equal(dropped[:, 0], dropped[:, 1])  # a sample's branch falls as a whole
    # Standard error of the mean is at most 1.25 * sqrt(0.2 * 0.8 / 20000) = 0.0035; five of them.
    assert float(dropped.mean()) == pytest.approx(0.8 * kept, abs=0.018)
    assert drop_branch(x, 0.2, False, rescale) is x


@pytest.mark.parametrize(("channels", "kernel"), [(32, 3), (256, 5), (1536, 5), (2048, 7)])
def test_window_over_channels_grows_with_them(channels: int, kernel: int) -> None:
    assert EfficientChannelAttention(channels).conv.kernel_size == (kernel,)


def test_variance_is_what_beta_says() -> None:
    """β is never measured; here it is, on open branches at initialisation."""
    torch.manual_seed(0)
    module = nf_resnet(branch_gain=1.0).eval()
    measured: list[float] = []

    def measure(block: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # The variance over everything but the channel, as the paper averages it.
        measured.append(float(inputs[0].var((0, 2, 3)).mean()))

    blocks = [block for block in module.modules() if isinstance(block, NormFreeBlock)]
    for block in blocks:
        block.register_forward_pre_hook(measure)
    with torch.no_grad():
        module(torch.randn(8, 3, 96, 96))
    for stage in (1, 2):  # the stem's max-pool and the last small maps have statistics of their own
        first = sum(RESNET_DEPTHS[:stage]) + 1  # after the transition the variance starts from 1
        grown = [
            value / measured[first] for value in measured[first : first + RESNET_DEPTHS[stage] - 1]
        ]
        expected = [
            blocks[first + i].beta ** 2 / blocks[first].beta ** 2 for i in range(len(grown))
        ]
        assert grown == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("side", [6, 7])
def test_shortcuts_halve_by_pool_or_stride(side: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 4, side, side, dtype=torch.float64)
    layers = Layers(get_flavour("dm"), "relu")
    pooled, strided = (Shortcut(4, 8, 2, pooled, layers).double() for pooled in (True, False))
    # Windows of 2x2; over the last row and column of an odd side they average what is there.
    rows = [x[:, :, i : i + 2].mean(2) for i in range(0, side, 2)]
    wide = torch.stack(rows, 2)
    means = torch.stack([wide[..., i : i + 2].mean(3) for i in range(0, side, 2)], 3)
    torch.testing.assert_close(pooled(x), pooled.conv(means), rtol=0, atol=1e-13)
    every_second = x[:, :, ::2, ::2]
    weight = strided.conv.standardized_weight()
    expected = torch.einsum("nchw,oc->nohw", every_second, weight[:, :, 0, 0])
    torch.testing.assert_close(strided(x), expected, rtol=0, atol=1e-13)


def test_block_against_the_formula() -> None:
    """x + α·s·2·σ(SE)·W3 γf(W2 γf(W1 γf(x)/β)), written out with independent operations."""
    torch.manual_seed(0)
    block = nf_resnet(attention="se", branch_gain=0.7).double().eval().get_submodule("stages.0.1")
    assert isinstance(block, NormFreeBlock)
    x = torch.randn(2, 256, 6, 5, dtype=torch.float64)

    def conv(y: np.ndarray, layer: str) -> np.ndarray:
        weight = block.get_parameter(f"{layer}.weight").detach().numpy()
        axes = (1, 2, 3)
        fan_in = weight[0].size
        centred = weight - weight.mean(axes, keepdims=True)
        scale = 1 / np.sqrt(np.maximum(fan_in * weight.var(axes, keepdims=True), 1e-4))
        side = weight.shape[2] // 2
        padded = np.pad(y, ((0, 0), (0, 0), (side, side), (side, side)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], (2, 3))
        return np.asarray(np.einsum("nchwij,ocij->nohw", windows, centred * scale, optimize=True))

    def act(y: np.ndarray) -> np.ndarray:
        return np.asarray(np.maximum(y, 0) * 1.7139588594436646)

    y = conv(act(x.numpy()) / math.sqrt(1.04), "conv1")
    y = conv(act(conv(act(y), "conv2")), "conv3")
    fc1, fc2 = (
        block.get_parameter(f"attn_last.fc{i}.weight").detach().numpy()[:, :, 0, 0] for i in (1, 2)
    )
    gate = 1 / (1 + np.exp(-(np.maximum(y.mean((2, 3)) @ fc1.T, 0) @ fc2.T)))
    skip = float(torch.tensor(0.7))  # the gain is a float32
    y = y * gate[:, :, None, None] * ATTENTION_GAIN * skip
    with torch.no_grad():
        actual = block(x).numpy()
    np.testing.assert_allclose(actual, x.numpy() + ALPHA * y, rtol=0, atol=1e-12)
