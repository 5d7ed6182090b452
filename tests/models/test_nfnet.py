import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgezoo.models.counts import count_macs, count_params
from edgezoo.models.nfnet import NormFreeNet, SamePool, nf_resnet, nfnet
from edgezoo.models.norm_free import NormFreeBlock
from edgezoo.models.registry import get_model


def build(name: str, **options: Any) -> NormFreeNet:
    torch.manual_seed(0)
    module = get_model(name).build(**options)
    assert isinstance(module, NormFreeNet)
    return module


def small(**options: Any) -> NormFreeNet:
    """F0 with an eighth of the width and open branches."""
    return (
        nfnet(widths=(32, 64, 192, 192), group_width=16, branch_gain=1.0, **options).double().eval()
    )


@pytest.mark.parametrize(
    ("depths", "attention", "params"),
    [
        ((3, 4, 6, 3), "none", 25_557_048),
        ((3, 4, 23, 3), "none", 44_549_193),
        ((3, 8, 36, 3), "none", 60_192_858),
        ((3, 24, 36, 3), "none", 64_673_898),
        ((24, 24, 24, 24), "none", 146_460_552),
        ((3, 4, 6, 3), "se", 35_635_704),
        ((3, 4, 23, 3), "se", 63_562_505),
    ],
)
def test_params_of_deepminds_resnets(
    depths: tuple[int, int, int, int], attention: str, params: int
) -> None:
    # Worked out by hand from nf_resnet.py; timm's 50 layers are 16 skip gains less.
    with torch.device("meta"):
        assert count_params(nf_resnet(depths=depths, attention=attention)) == params


def test_each_f_adds_the_same() -> None:
    with torch.device("meta"):
        counts = [count_params(nfnet(depth=depth)) for depth in (1, 2, 3, 4)]
    assert {after - before for before, after in pairwise(counts)} == {61_144_972}


def test_wide_f4_is_as_printed() -> None:
    # arXiv 2102.06171, section 5: F4+ has 527 M parameters and 367 G multiply-accumulates.
    with torch.device("meta"):
        module = nfnet(depth=5, widths=(384, 768, 2048, 2048))
    assert count_params(module) == pytest.approx(527e6, rel=1e-3)
    assert count_macs(module, (1, 3, 512, 512)) == pytest.approx(367e9, rel=5e-3)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("dm_nfnet_f0", (256, 512, 1536, 1536)),
        ("eca_nfnet_l0", (256, 512, 1536, 1536)),
        ("dm_nf_resnet50", (256, 512, 1024, 2048)),
        ("nf_resnet50", (256, 512, 1024, 2048)),
    ],
)
def test_features_embedding_and_other_inputs(name: str, channels: tuple[int, ...]) -> None:
    module = build(name, num_classes=0, in_channels=1).eval()
    assert module.feature_channels == channels
    assert module.feature_strides == (4, 8, 16, 32)
    image = torch.randn(2, 1, 75, 53)
    with torch.no_grad():
        maps, pooled = module.features(image), module(image)
    for made, width, stride in zip(maps, channels, module.feature_strides, strict=True):
        assert made.shape == (2, width, math.ceil(75 / stride), math.ceil(53 / stride))
    with torch.no_grad():
        last = module.final_act(module.final_conv(maps[-1])).mean((2, 3))
    assert torch.equal(pooled, last)


def test_flavours_differ_where_they_should() -> None:
    torch.manual_seed(0)
    flavours = ("dm", "dm_timm", "timm")
    nets = {name: small(flavour=name) for name in flavours}
    state = nets["dm"].state_dict()
    nets["dm_timm"].load_state_dict(state)
    without = {key: value for key, value in state.items() if not key.endswith("skipinit_gain")}
    nets["timm"].load_state_dict(without)
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        logits = {name: net(x) for name, net in nets.items()}
    scale = float(logits["dm"].abs().max())
    # timm's guard adds 1e-5 to variances of 1 / fan-in, which is up to 10 % of them in 3x3 filters.
    assert 1e-5 < float((logits["dm"] - logits["dm_timm"]).abs().max()) / scale < 0.2
    assert float((logits["dm_timm"] - logits["timm"]).abs().max()) / scale > 0.1


def test_forms_of_gelu_are_close_but_two() -> None:
    torch.manual_seed(0)
    exact = small(flavour="dm", activation="gelu")
    tanh = small(flavour="dm")
    tanh.load_state_dict(exact.state_dict())
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected, actual = exact(x), tanh(x)
    # Both stay within 5e-4 of each other per activation.
    assert 1e-6 < float((actual - expected).abs().max() / expected.abs().max()) < 1e-2


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: nfnet(flavour="jax"), "dm, dm_timm, timm"),
        (lambda: nfnet(activation="mish"), "unknown activation 'mish'; choose one of celu"),
        (lambda: nf_resnet(attention="cbam"), "se, eca, none"),
    ],
)
def test_wrong_options_list_the_choices(call: Any, named: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=named):
        call()


@pytest.mark.parametrize("shape", [(8, 8), (9, 9), (8, 9), (9, 8)])
def test_max_pool_pads_as_tensorflow_does(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, *shape) - 5.0  # below the 0 that a wrong padding would bring in
    sides = [max((math.ceil(size / 2) - 1) * 2 + 3 - size, 0) for size in shape]
    (top, bottom), (left, right) = [(total // 2, total - total // 2) for total in sides]
    padded = F.pad(x, (left, right, top, bottom), value=-math.inf)
    assert torch.equal(SamePool()(x), F.max_pool2d(padded, 3, 2))


@pytest.mark.parametrize(
    "name", ["dm_nfnet_f0", "nfnet_l0", "eca_nfnet_l0", "nf_resnet50", "dm_nf_resnet50"]
)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    # A fresh branch ends in a gain of 0, which lets a gradient through to nothing but itself: open it.
    # Without stochastic depth, which may drop a block for the whole batch.
    module = build(name, num_classes=10, branch_gain=1.0, drop_path_rate=0.0).train()
    loss = F.cross_entropy(module(torch.randn(4, 3, 64, 64)), torch.arange(4))
    names, parameters = zip(*module.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    without = [
        name
        for name, gradient in zip(names, gradients, strict=True)
        if gradient is None or not bool(gradient.isfinite().all()) or not bool(gradient.any())
    ]
    assert without == []


@pytest.mark.parametrize("name", ["dm_nf_resnet50", "nf_resnet50"])
def test_fresh_branches_are_closed_but_learn_to_open(name: str) -> None:
    module = build(name, num_classes=4).train()
    logits = module(torch.randn(2, 3, 64, 64))
    closing = [
        parameter
        for key, parameter in module.named_parameters()
        if key.endswith("skipinit_gain" if name.startswith("dm_") else "conv3.gain")
    ]
    inner = [p for key, p in module.named_parameters() if key.endswith("conv1.weight")]
    loss = F.cross_entropy(logits, torch.arange(2))
    gradients = torch.autograd.grad(loss, [*closing, *inner])
    assert len(closing) == len(inner) == 16
    assert all(bool(g.any()) for g in gradients[:16])
    assert not any(bool(g.any()) for g in gradients[16:])


def test_dropout_and_stochastic_depth_act_in_training_only() -> None:
    # Without the classifier dropout has nothing to drop: what varies then is stochastic depth.
    depth = build("nfnet_f0", num_classes=0, branch_gain=1.0)
    dropout = nf_resnet(dropout=0.5, drop_path_rate=0.0, num_classes=10)
    still = nf_resnet(branch_gain=1.0, num_classes=10)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for module in (depth, dropout):
            assert not torch.equal(module.train()(x), module(x))
            assert torch.equal(module.eval()(x), module(x))
        assert torch.equal(still.train()(x), still.eval()(x))


def test_published_rates() -> None:
    with torch.device("meta"):
        nets = [get_model(f"{prefix}nfnet_f2").build() for prefix in ("dm_", "")]
    for net in nets:
        blocks = [block for block in net.modules() if isinstance(block, NormFreeBlock)]
        assert {layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)} == {0.4}
        # 36 blocks; DeepMind's last rate stays below 0.25, timm's reaches it.
        last = 0.25 * 35 / 36 if net is nets[0] else 0.25
        assert blocks[-1].drop_rate == pytest.approx(last)
        assert {block.rescale for block in blocks} == {net is nets[1]}


@pytest.mark.parametrize("name", ["dm_nfnet_f0", "nf_resnet50"])
def test_initialisation(name: str) -> None:
    skip_gain = name.startswith("dm_")
    for key, parameter in build(name).named_parameters():
        if key.endswith("skipinit_gain") or (key.endswith("conv3.gain") and not skip_gain):
            assert not bool(parameter.any()), key
        elif key.endswith("gain"):
            assert bool((parameter == 1).all()), key
        elif key.endswith("bias"):
            assert not bool(parameter.any()), key
        elif parameter.numel() > 10_000:
            fan_in = math.prod(parameter.shape[1:])
            expected = 0.01 if key == "head.fc.weight" else 1 / math.sqrt(fan_in)
            # Standard error of a deviation from 10,000 numbers is 0.7 %; five of them.
            assert float(parameter.detach().std()) == pytest.approx(expected, rel=0.035), key


def numbers(*arguments: Any, out_shape: Sequence[int], **options: Any) -> int:
    return math.prod(out_shape)


@pytest.mark.parametrize("name", ["dm_nfnet_f0", "eca_nfnet_l3", "nf_resnet152"])
def test_weights_are_drawn_once(name: str) -> None:
    # Drawing is what building takes: 0.24 s of CPU for 70 million numbers, on the machine at hand.
    aten = torch.ops.aten
    draws = FlopCounterMode(
        display=False, custom_mapping={aten.normal_: numbers, aten.uniform_: numbers}
    )
    with torch.device("meta"), draws:
        module = get_model(name).build()
    assert isinstance(module, NormFreeNet)
    assert isinstance(module.head.fc, nn.Linear)
    twice = module.head.fc.weight.numel() + module.head.fc.bias.numel()  # nn.Linear's own first
    assert 0.9 * count_params(module) < draws.get_total_flops() <= count_params(module) + twice
