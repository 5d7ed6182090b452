"""The Residual Attention Network part by part: sizes, masks, attention, learning, training."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.errors import UsageError
from edgezoo.models.registry import get_model, list_models
from edgezoo.models.residual_attention import (
    CIFAR_MODULES,
    ResidualAttention,
    Stage,
    Stem,
    residual_attention,
    residual_attention_cifar,
)
from edgezoo.models.residual_attention_blocks import (
    ATTENTIONS,
    LEARNINGS,
    UNITS,
    AttentionModule,
    Design,
    HalvingPool,
    Mask,
    PreActivationUnit,
    ResNeXtUnit,
)

# The deeper CIFAR networks only have more modules.
DEEP = ("_128", "_164", "_236", "_452")
NAMES = [
    spec.name
    for spec in list_models()
    if spec.family == "residual_attention" and not spec.name.endswith(DEEP)
]


def tiny(**words: str | bool) -> ResidualAttention:
    """Build two stages, with three poolings and one, for pictures of 16x16."""
    torch.manual_seed(0)
    stages = (Stage(64, 1, 1, poolings=3), Stage(128, 2, 1, poolings=1, closing=1))
    return ResidualAttention(
        Stem(16, 3, 1),
        stages,
        Design(**words),  # type: ignore[arg-type]  # words and flags by name
        num_classes=5,
    )


# --------------------------------------------------------------------------------- sizes


def caffe_size(side: int) -> int:
    """Count the windows of 3 that begin inside the map, in steps of 2, until one reaches the end."""
    windows = 1
    while (windows - 1) * 2 + 3 < side:
        windows += 1
    return windows


@pytest.mark.parametrize("side", [2, 3, 4, 5, 6, 7, 8, 13, 14, 28, 56, 57])
def test_pool_rounds_up_and_does_not_pad(side: int) -> None:
    x = -torch.rand(1, 1, side, 6) - 1  # a zero from padding would be the largest
    pooled = HalvingPool(3, padded=False)(x)
    assert pooled.shape == (1, 1, caffe_size(side), 3)
    for i in range(pooled.shape[2]):
        window = x[0, 0, 2 * i : 2 * i + 3, 0:3]
        assert float(pooled[0, 0, i, 0]) == float(window.max())


@pytest.mark.parametrize("side", [1, 2, 7, 8, 13, 56])
def test_padded_pool_halves_rounding_up(side: int) -> None:
    assert HalvingPool(3, padded=True)(torch.rand(1, 1, side, side)).shape[2] == -(-side // 2)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("extra_adds", [False, True])
@pytest.mark.parametrize("size", [(56, 56), (31, 44), (47, 33), (97, 64)])
def test_masks_come_back_to_any_size(unit: str, extra_adds: bool, size: tuple[int, int]) -> None:
    """Maps of every size on the way down; the interpolations must follow them on the way up."""
    module = residual_attention(56, unit=unit, extra_adds=extra_adds, num_classes=0)
    module = module.to("meta").eval()
    maps = module.features(torch.empty(1, 3, *size, device="meta"))
    sides = [-(-side // 2) for side in size]  # the first convolution
    sides = [-(-s // 2) if extra_adds else caffe_size(s) for s in sides]
    for index, features in enumerate(maps):
        assert features.shape == (1, module.feature_channels[index], *sides)
        sides = [-(-side // 2) for side in sides]


@pytest.mark.parametrize("name", NAMES)
def test_features_and_embedding(name: str) -> None:
    with torch.device("meta"):
        module = get_model(name).build(num_classes=0, in_channels=1).eval()
    assert isinstance(module, ResidualAttention)
    x = torch.empty(2, 1, 64, 96, device="meta")
    maps = module.features(x)
    expected = [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(module.feature_channels, module.feature_strides, strict=True)
    ]
    assert [tuple(features.shape) for features in maps] == expected
    assert list(module.feature_strides) == sorted(module.feature_strides)
    assert module(x).shape == (2, module.feature_channels[-1])


def test_features_lead_to_the_logits() -> None:
    module = tiny().eval()
    x = torch.randn(2, 3, 16, 16)
    last = module.features(x)[-1]
    assert module.norm is not None
    expected = module.classifier(F.relu(module.norm(last)).mean((2, 3)))
    assert torch.equal(module(x), expected)


def test_too_small_an_input_is_refused_in_one_sentence() -> None:
    module = residual_attention(56, num_classes=0).to("meta").eval()
    module(torch.empty(1, 3, 31, 31, device="meta"))
    with pytest.raises(UsageError, match=r"a map of 1x2 is too small .* give the network a larger"):
        module(torch.empty(1, 3, 16, 31, device="meta"))


# --------------------------------------------------------------------------------- masks


def test_interpolation_takes_nothing_but_a_size_from_its_second_input() -> None:
    torch.manual_seed(0)
    x, trunk = torch.randn(2, 1, 16, 11, 9).unbind()
    official = Mask(16, 2, Design()).eval()
    ported = Mask(16, 2, Design(extra_adds=True)).eval()
    with torch.no_grad():
        assert torch.equal(official(x, trunk), official(x, -3 * trunk))
        assert not torch.equal(ported(x, trunk), ported(x, -3 * trunk))


def test_interpolation_puts_corners_on_corners() -> None:
    mask = Mask(16, 1, Design())
    x = torch.randn(1, 16, 4, 3)
    large = mask._enlarged(x, torch.empty(1, 16, 7, 5))
    assert torch.allclose(large[..., ::2, ::2], x)  # 7 = 2·4 - 1: every second pixel is a given one
    assert torch.allclose(large[..., 1, 0], (x[..., 0, 0] + x[..., 1, 0]) / 2)


@pytest.mark.parametrize(("poolings", "units"), [(3, 8), (2, 5), (1, 2), (0, 2)])
def test_units_of_a_mask(poolings: int, units: int) -> None:
    mask = Mask(16, poolings, Design())
    assert sum(isinstance(layer, PreActivationUnit) for layer in mask.modules()) == units


@pytest.mark.parametrize("stride", [1, 2])
def test_pre_activation_unit_projects_what_is_activated(stride: int) -> None:
    torch.manual_seed(0)
    unit = PreActivationUnit(8, 16, stride).eval()
    assert unit.projection is not None
    x = torch.randn(2, 8, 6, 6)
    activated = F.relu(unit.norm1(x))
    hidden = F.relu(unit.norm2(F.conv2d(activated, unit.conv1.weight)))
    hidden = F.conv2d(hidden, unit.conv2.weight, stride=stride, padding=1)
    branch = F.conv2d(F.relu(unit.norm3(hidden)), unit.conv3.weight)
    shortcut = F.conv2d(activated, unit.projection.weight, stride=stride)
    assert torch.allclose(unit(x), branch + shortcut, atol=1e-6)
    same = PreActivationUnit(8, 8).eval()
    nn.init.zeros_(same.conv3.weight)
    assert torch.equal(same(x), x)


def test_resnext_unit_activates_the_sum() -> None:
    torch.manual_seed(0)
    unit = ResNeXtUnit(64, 64).eval()
    assert (unit.conv2.groups, unit.conv2.in_channels) == (32, 32)
    nn.init.zeros_(unit.conv3.weight)
    nn.init.constant_(unit.norm3.bias, -0.5)
    x = torch.randn(2, 64, 6, 6)
    assert torch.allclose(unit(x), F.relu(x - 0.5), atol=1e-6)


# ---------------------------------------------------------------- attention and learning


@pytest.mark.parametrize(("learning", "expected"), [("residual", 3.0), ("naive", 1.0)])
def test_learning(learning: str, expected: float) -> None:
    assert float(LEARNINGS[learning](torch.tensor(2.0), torch.tensor(0.5))) == expected


@pytest.mark.parametrize("learning", LEARNINGS)
def test_an_open_mask(learning: str) -> None:
    """Where the gate's last convolution gives 0, the mask is 1/2 everywhere."""
    torch.manual_seed(0)
    module = AttentionModule(16, 1, Design(learning=learning)).eval()
    nn.init.zeros_(module.mask.gate.conv2.weight)
    x = torch.randn(1, 16, 6, 6)
    factor = {"residual": 1.5, "naive": 0.5}[learning]
    with torch.no_grad():
        expected = module.last(factor * module.trunk(module.first(x)))
        assert torch.allclose(module(x), expected, rtol=1e-5, atol=1e-6)


def test_mixed_attention_is_a_sigmoid() -> None:
    x = torch.tensor([[[[0.0, math.log(3.0)]]]])
    assert torch.allclose(ATTENTIONS["mixed"](x), torch.tensor([[[[0.5, 0.75]]]]))


def test_channel_attention_has_length_1_at_every_position() -> None:
    torch.manual_seed(0)
    attention = ATTENTIONS["channel"]
    assert torch.allclose(
        attention(torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1)).flatten(), torch.tensor([0.6, 0.8])
    )
    x = torch.randn(2, 8, 5, 4)
    assert torch.allclose(attention(x).square().sum(1), torch.ones(2, 5, 4))
    assert torch.allclose(attention(7 * x), attention(x))
    assert torch.equal(attention(torch.zeros(1, 8, 1, 1)), torch.zeros(1, 8, 1, 1))


def test_spatial_attention_ignores_scale_and_shift_of_a_channel() -> None:
    attention = ATTENTIONS["spatial"]
    x = torch.tensor([[[[1.0, 3.0], [1.0, 3.0]]]])  # mean 2, biased deviation 1
    expected = torch.tensor([[[[-1.0, 1.0], [-1.0, 1.0]]]]).sigmoid()
    assert torch.allclose(attention(x), expected, atol=1e-5)
    torch.manual_seed(0)
    x = torch.randn(2, 8, 9, 7)
    scale, shift = torch.rand(1, 8, 1, 1) + 1, torch.randn(1, 8, 1, 1)
    # 1e-5 in the denominator is all that tells scales apart.
    assert torch.allclose(attention(scale * x + shift), attention(x), atol=1e-4)


@pytest.mark.parametrize(
    ("option", "value"), [("attention", "soft"), ("learning", "none"), ("unit", "vgg")]
)
def test_unknown_words_list_the_choices(option: str, value: str) -> None:
    choices = {"attention": ATTENTIONS, "learning": LEARNINGS, "unit": UNITS}[option]
    with pytest.raises(ValueError, match=f"{option}='{value}' is not one of {', '.join(choices)}"):
        tiny(**{option: value})


@pytest.mark.parametrize("build", [residual_attention, residual_attention_cifar])
def test_unknown_depth(build: Callable[[int], nn.Module]) -> None:
    with pytest.raises(ValueError, match="depth=57 is not one of 56, 92"):
        build(57)


# ------------------------------------------------------------------------------ training


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("learning", LEARNINGS)
@pytest.mark.parametrize("extra_adds", [False, True])
def test_every_parameter_gets_a_gradient(
    unit: str, attention: str, learning: str, extra_adds: bool
) -> None:
    module = tiny(unit=unit, attention=attention, learning=learning, extra_adds=extra_adds)
    logits = module.train()(torch.randn(4, 3, 16, 16))
    loss = F.cross_entropy(logits, torch.arange(4))
    loss.backward()  # type: ignore[no-untyped-call]
    bad = [
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is None or not finite_and_not_zero(parameter.grad)
    ]
    assert bad == []


def finite_and_not_zero(gradient: Tensor) -> bool:
    return bool(gradient.isfinite().all()) and bool(gradient.any())


def test_a_mask_scales_the_gradient_of_its_trunk() -> None:
    """Section 3.1: d(M·T)/dφ = M·dT/dφ with M below 1, d((1 + M)·T)/dφ = (1 + M)·dT/dφ above."""
    trunk, mask = torch.tensor(2.0, requires_grad=True), torch.tensor(0.25)
    slopes = {
        name: float(torch.autograd.grad(learn(trunk, mask), trunk)[0])
        for name, learn in LEARNINGS.items()
    }
    assert slopes == {"residual": 1.25, "naive": 0.25}


@pytest.mark.parametrize("unit", UNITS)
def test_statistics_move_in_training_only(unit: str) -> None:
    module = tiny(unit=unit)
    x = torch.randn(4, 3, 16, 16)
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]

    def means() -> list[Tensor]:
        return [norm.running_mean.clone() for norm in norms if norm.running_mean is not None]

    before = means()
    with torch.no_grad():
        module.eval()(x)
        assert all(map(torch.equal, before, means()))
        module.train()(x)
    assert len(before) == len(norms)
    assert not any(map(torch.equal, before, means()))


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("residual_attention_56", 56),
        ("residual_attention_92", 92),
        ("residual_attention_next_92", 92),
        ("residual_attention_cifar_92_wide", 92),
        *((f"residual_attention_cifar_{depth}", depth) for depth in CIFAR_MODULES),
    ],
)
def test_depth_is_what_the_name_says(name: str, depth: int) -> None:
    """Convolutions and the classifier on the way of the trunk; masks and shortcuts do not count."""
    with torch.device("meta"):
        module = get_model(name).build()
    layers = [
        path
        for path, layer in module.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
        and ".mask." not in path
        and "projection" not in path
    ]
    assert len(layers) == depth


@pytest.mark.parametrize(("depth", "modules"), [(56, 1), (92, 2), (128, 3), (164, 4), (236, 6)])
def test_depth_formula(depth: int, modules: int) -> None:
    assert depth == 36 * modules + 20
    assert CIFAR_MODULES[depth] == (modules, 1, 2, 1)


def test_depth_of_452() -> None:
    modules, outer, trunk, mask = CIFAR_MODULES[452]
    assert (modules, outer, trunk, mask) == (6, 2, 4, 3)
    assert 3 * (2 * outer + trunk) * 3 * modules + 20 == 452


@pytest.mark.parametrize("depth", [92, 236])
def test_inferred_widths_meet_the_printed_parameters(depth: int) -> None:
    spec = get_model(f"residual_attention_cifar_{depth}")
    assert spec.params == pytest.approx(spec.published["params"], rel=0.05)
    assert "inferred" in spec.published["note"]


@pytest.mark.parametrize("depth", [56, 236, 452])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_fresh_network_keeps_its_maps_in_range(depth: int, attention: str) -> None:
    """Without the scaled start the maps of 452 would reach 2^75 · 1.5^18, and masks only 0 and 1."""
    torch.manual_seed(0)
    module = residual_attention_cifar(depth, attention=attention).eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert all(0.1 < float(features.std()) < 10 for features in module.features(x))
        single, double = module(x), module.double()(x.double())
    # What is left of float32's 1e-7 after some 400 layers; saturated masks left 3e-3.
    assert float((single - double).abs().max() / double.abs().max()) < 5e-6
