import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgezoo.models.efficientnet import efficientnet
from edgezoo.models.layers import SameConv2d, drop_path, plan_blocks, same_padding
from edgezoo.models.mnasnet import mnasnet
from edgezoo.models.scaling import SCALINGS, round_filters, round_repeats, scale
from edgezoo.models.shufflenet import ShuffleNetV1, channel_shuffle, stage_width


@pytest.mark.parametrize(
    ("filters", "multiplier", "expected"),
    [
        (32, 1.1, 32),
        (16, 1.1, 16),
        (24, 1.2, 32),
        (40, 1.1, 48),
        (1280, 1.1, 1408),
        (32, 1.4, 48),
        (112, 1.2, 136),
        (320, 1.8, 576),
        (16, 0.35, 8),
    ],
)
def test_round_filters(filters: int, multiplier: float, expected: int) -> None:
    assert round_filters(filters, multiplier) == expected


@given(st.integers(1, 4000), st.floats(0.1, 6.0))
def test_round_filters_stays_near(filters: int, multiplier: float) -> None:
    rounded = round_filters(filters, multiplier)
    assert rounded % 8 == 0
    assert rounded >= max(8, 0.9 * filters * multiplier)
    assert rounded <= max(8, filters * multiplier + 8)


@pytest.mark.parametrize(
    ("repeats", "multiplier", "expected"), [(1, 1.1, 2), (3, 1.4, 5), (4, 3.1, 13)]
)
def test_round_repeats(repeats: int, multiplier: float, expected: int) -> None:
    assert round_repeats(repeats, multiplier) == expected


def test_compound_scaling() -> None:
    assert scale(0.0) == (1.0, 1.0, 1.0)
    depth, width, resolution = scale(1.0)
    assert (depth, width, resolution) == (1.2, 1.1, 1.15)
    # arXiv 1905.11946 section 3.3: alpha * beta^2 * gamma^2 is about 2; 1.2 * 1.21 * 1.3225
    assert depth * width**2 * resolution**2 == pytest.approx(1.920270)
    assert scale(2.0, alpha=2.0, beta=1.0, gamma=1.0) == (4.0, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"alpha=0\.9"):
        scale(1.0, alpha=0.9)


@given(st.floats(0.0, 8.0), st.floats(0.0, 8.0))
def test_compound_scaling_is_a_power_law(first: float, second: float) -> None:
    together = scale(first + second)
    products = tuple(a * b for a, b in zip(scale(first), scale(second), strict=True))
    assert together == pytest.approx(products)


def test_a_network_in_one_line() -> None:
    import edgezoo

    with torch.device("meta"):
        module = edgezoo.efficientnet(width=1.15, depth=1.3, resolution=288)
    assert module.default_input == (1, 3, 288, 288)
    # 24 * 1.15 = 27.6 to 24 + 8 because 24 < 0.9 * 27.6 = 24.84; repeats 1 2 2 3 3 4 1 times 1.3 up
    assert module.feature_channels[1] == 32
    assert [len(stage) for stage in module.blocks] == [2, 3, 3, 4, 4, 6, 2]  # type: ignore[arg-type]  # a Sequential of Sequentials
    with pytest.raises(AttributeError, match="no attribute 'mobilenet'"):
        _ = edgezoo.mobilenet


@pytest.mark.parametrize("options", [{"width": 0.0}, {"depth": -1.0}, {"resolution": 0}])
def test_no_network_is_left(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        efficientnet(**options)  # type: ignore[arg-type]  # resolution is an int there


def test_drop_path_rates_of_b0() -> None:
    from edgezoo.models.efficientnet import scale_stages

    blocks = [
        block for stage in plan_blocks(scale_stages(1.0, 1.0, False), 32, 0.2) for block in stage
    ]
    rates = [block.drop_path_rate for block in blocks]
    assert rates == pytest.approx([0.0125 * i for i in range(16)])


def test_drop_path_keeps_the_mean() -> None:
    torch.manual_seed(0)
    x = torch.ones(20_000, 1, 1, 1)
    dropped = drop_path(x, 0.2, training=True)
    assert set(dropped.flatten().tolist()) == {0.0, 1.25}
    # Standard error of the mean is 1.25 * sqrt(0.2 * 0.8 / 20000) = 0.0035; five of them.
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.018)
    assert drop_path(x, 0.2, training=False) is x


@given(st.integers(1, 300), st.sampled_from([1, 3, 5, 7]), st.sampled_from([1, 2]))
def test_same_padding_gives_the_ceiling(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    assert 0 <= after - before <= 1
    assert (size + before + after - kernel) // stride + 1 == math.ceil(size / stride)


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("kernel", [3, 5])
def test_same_convolution_pads_at_the_end(kernel: int, side: int) -> None:
    torch.manual_seed(0)
    conv = SameConv2d(2, 2, kernel, stride=2, groups=2, bias=False).double()
    x = torch.randn(1, 2, side, side, dtype=torch.float64)
    total = (math.ceil(side / 2) - 1) * 2 + kernel - side
    before = total // 2
    padded = F.pad(x, (before, total - before, before, total - before))
    expected = F.conv2d(padded, conv.weight, stride=2, groups=2)
    torch.testing.assert_close(conv(x), expected, rtol=0, atol=1e-14)  # same sums, float64


def order_of(groups: int, channels: int) -> list[int]:
    x = torch.arange(channels).reshape(1, channels, 1, 1)
    return [int(value) for value in channel_shuffle(x, groups).flatten()]


def test_shuffle_orders() -> None:
    assert order_of(2, 6) == [0, 3, 1, 4, 2, 5]  # the paper's, g = 2
    assert order_of(6 // 2, 6) == [0, 2, 4, 1, 3, 5]  # megvii's, g = 2


@given(st.integers(1, 8), st.integers(1, 8))
def test_shuffles_are_inverse(groups: int, size: int) -> None:
    channels = groups * size
    x = torch.randn(2, channels, 3, 2)
    assert torch.equal(channel_shuffle(channel_shuffle(x, groups), size), x)
    torch.testing.assert_close(channel_shuffle(x, groups), F.channel_shuffle(x, groups))


@pytest.mark.parametrize(
    ("groups", "scale", "width"),
    [(3, 0.5, 120), (8, 0.5, 192), (4, 0.5, 144), (1, 0.5, 72), (3, 1.5, 360), (8, 2.0, 768)],
)
def test_published_stage_widths(groups: int, scale: float, width: int) -> None:
    assert stage_width(groups, scale) == width


def test_one_unit_costs_what_the_formula_says() -> None:
    # hw(2cm/g + 9m), arXiv 1707.01083 section 3.2, with g=3, c=240, m=60, 28x28
    from edgezoo.models.counts import count_macs
    from edgezoo.models.shufflenet import ShuffleUnit

    unit = ShuffleUnit(240, 240, stride=1, groups=3, first_groups=3, shuffle="paper")
    assert count_macs(unit, (1, 240, 28, 28)) == 784 * (2 * 240 * 60 // 3 + 9 * 60)


def test_shuffle_options_differ() -> None:
    torch.manual_seed(0)
    paper = ShuffleNetV1(3, 0.25).eval()
    megvii = ShuffleNetV1(3, 0.25, shuffle="megvii").eval()
    megvii.load_state_dict(paper.state_dict())
    x = torch.randn(1, 3, 64, 64)
    assert not torch.allclose(paper(x), megvii(x))


def test_small_first_block_differs_between_timm_and_tensorflow() -> None:
    torch.manual_seed(0)
    timm_like = mnasnet("small").eval()
    tensorflow_like = mnasnet("small", first_skip=False).eval()
    tensorflow_like.load_state_dict(timm_like.state_dict())
    x = torch.randn(1, 3, 64, 64)
    assert not torch.allclose(timm_like(x), tensorflow_like(x))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: ShuffleNetV1(5), "groups=5"),
        (lambda: ShuffleNetV1(3, 0.7), "scale=0.7"),
        (lambda: ShuffleNetV1(3, shuffle="none"), "paper, megvii"),
        (lambda: mnasnet("a2"), "a1, b1, small"),
        (lambda: mnasnet("a1", flavour="keras"), "timm, tf"),
    ],
)
def test_wrong_options_list_the_choices(call: object, named: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=named):
        call()


def test_tf_flavour_reaches_every_batch_norm() -> None:
    for flavour, eps, momentum in (("timm", 1e-5, 0.1), ("tf", 1e-3, 0.01)):
        norms = [
            layer
            for layer in mnasnet("small", flavour=flavour).modules()
            if isinstance(layer, nn.BatchNorm2d)
        ]
        assert {(norm.eps, norm.momentum) for norm in norms} == {(eps, momentum)}


def test_resolutions_of_the_authors() -> None:
    sides = [SCALINGS[name].resolution for name in ("b0", "b7", "lite3", "lite4")]
    assert sides == [224, 600, 280, 300]
