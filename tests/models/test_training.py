"""Fresh networks can be trained, evaluated and exported."""

import math

import pytest
import torch
from torch import nn

from edgezoo.models.registry import get_model, list_models

NAMES = (
    "shufflenet_v1_g1_x0_25",
    "shufflenet_v1_g3_x2_0_se",
    "shufflenet_v1_g3_x0_5_shallow",
    "shufflenet_v1_g3_x1_0",
    "shufflenet_v1_g8_x0_5",
    "mnasnet_a1_x1_0",
    "mnasnet_b1_x0_5",
    "mnasnet_small",
    "efficientnet_b0",
    "tf_efficientnet_b0",
    "efficientnet_lite0",
    "tf_efficientnet_lite1",
    "residual_attention_56",
    "residual_attention_next_56",
    "residual_attention_cifar_56",
)
DEEP = ("efficientnet_b4", "tf_efficientnet_lite4")


def build(name: str, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return get_model(name).build(**options)


REST = [
    pytest.param(spec.name, marks=pytest.mark.slow)
    for spec in list_models()
    if spec.family in ("shufflenet", "mnasnet", "efficientnet") and spec.name not in NAMES
    if spec.params < 50e6
]


@pytest.mark.parametrize("name", [*NAMES, *REST])
def test_every_parameter_gets_a_gradient(name: str) -> None:
    module = build(name, num_classes=10).train()
    logits = module(torch.randn(4, 3, 64, 64))
    loss = torch.nn.functional.cross_entropy(logits, torch.arange(4))
    names, parameters = zip(*module.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    without = [
        name
        for name, gradient in zip(names, gradients, strict=True)
        if gradient is None or not bool(gradient.isfinite().all()) or not bool(gradient.any())
    ]
    assert without == []


@pytest.mark.parametrize("name", [*NAMES, *DEEP])
def test_fresh_network_answers_differently_to_different_inputs(name: str) -> None:
    module = build(name).eval()
    with torch.no_grad():
        logits = module(torch.randn(2, 3, 96, 96))
    assert bool(logits.isfinite().all())
    largest = float(logits.abs().max())
    assert float(logits.std()) > 1e-2 * largest  # not one number for all classes
    # Float32 noise is 1e-6 of the largest logit; the answer must depend on the image far more.
    assert float((logits[0] - logits[1]).abs().max()) > 1e-3 * largest


def test_dropout_and_stochastic_depth_act_in_training_only() -> None:
    module = build("efficientnet_b0")
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.Dropout):
            layer.train(False)  # what still varies is stochastic depth
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert not torch.equal(module(x), module(x))
        module.eval()
        assert torch.equal(module(x), module(x))


def test_stochastic_depth_drops_as_often_as_it_says() -> None:
    """Of a block whose branch is all that its output has, over 2000 samples."""
    module = build("efficientnet_b0", num_classes=0)
    block = module.get_submodule("blocks.5.3")
    rate = float(block.drop_path_rate)  # type: ignore[arg-type]  # an attribute of nn.Module
    assert rate == pytest.approx(0.2 * 14 / 16)  # block 14 of 16
    block.train()
    x = torch.randn(2000, 192, 1, 1)
    with torch.no_grad():
        dropped = ((block(x) - x).flatten(1) == 0).all(1)
    # Five standard errors, sqrt(rate * (1 - rate) / 2000).
    assert float(dropped.float().mean()) == pytest.approx(rate, abs=0.043)


DROPOUTS = {
    **dict.fromkeys(("b0", "b1", "lite0", "lite1"), 0.2),
    **dict.fromkeys(("b2", "b3", "lite2", "lite3", "lite4"), 0.3),
    **dict.fromkeys(("b4", "b5"), 0.4),
    **dict.fromkeys(("b6", "b7", "b8", "l2"), 0.5),
}


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        *((f"efficientnet_{size}", rate) for size, rate in DROPOUTS.items()),
        ("mnasnet_a1_x1_0", 0.2),
        ("mnasnet_b1_x0_5", 0.2),
        ("mnasnet_small", 0.0),
    ],
)
def test_dropout_rates(name: str, rate: float) -> None:
    with torch.device("meta"):
        dropout = build(name).get_submodule("dropout")
    assert isinstance(dropout, nn.Dropout)
    assert dropout.p == rate


def drawn_from(name: str, layer: nn.Module) -> float:
    """Standard deviation of a layer's weight by the reference's training code; megvii's and Google's."""
    weight = layer.get_parameter("weight")
    if name.startswith("shufflenet"):
        first_or_last = weight.ndim == 2 or (weight.shape[-1] == 3 and weight.shape[1] == 3)
        return 0.01 if first_or_last else 1.0 / weight.shape[1]
    if isinstance(layer, nn.Conv2d):
        return math.sqrt(
            2.0 / (weight.shape[2] * weight.shape[3] * layer.out_channels / layer.groups)
        )
    return 1.0 / math.sqrt(weight.shape[0]) / math.sqrt(3.0)  # uniform between ± 1 / sqrt(classes)


@pytest.mark.parametrize("name", ["shufflenet_v1_g3_x2_0_se", "mnasnet_a1_x1_0", "efficientnet_b0"])
def test_initial_weights(name: str) -> None:
    module = build(name)
    layers = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers:
        weight = layer.weight.detach().double()
        ratio = float(weight.square().mean().sqrt()) / drawn_from(name, layer)
        # Six standard errors of a normal's deviation, 1 / sqrt(2 n): one in 10^9 per layer.
        assert ratio == pytest.approx(1.0, abs=6 / math.sqrt(2 * weight.numel()))
        assert layer.bias is None or not bool(layer.bias.any())
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    shift = 1e-4 if name.startswith("shufflenet") else 0.0
    for norm in norms:
        assert set(norm.weight.tolist()) == {1.0}
        assert norm.bias.tolist() == pytest.approx([shift] * norm.num_features)
    assert len(layers) > 40 < len(norms)


@pytest.mark.parametrize("name", ["shufflenet_v1_g3_x0_25", "mnasnet_small"])
def test_initial_weights_follow_the_seed(name: str) -> None:
    first, same = build(name).state_dict(), build(name).state_dict()
    torch.manual_seed(1)
    other = get_model(name).build().state_dict()
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize(
    "name",
    ["shufflenet_v1_g3_x1_0", "mnasnet_a1_x1_0", "efficientnet_b0", "residual_attention_cifar_56"],
)
def test_embedding_and_other_inputs(name: str) -> None:
    module = build(name, num_classes=0, in_channels=1).eval()
    with torch.no_grad():
        assert module(torch.randn(2, 1, 75, 53)).shape[0] == 2
        assert module(torch.randn(1, 1, 75, 53)).ndim == 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shufflenet_v1_g3_x1_0", {"aten.reshape.default": 32, "aten.transpose.int": 16}),
        ("mnasnet_a1_x1_0", {"aten.sigmoid.default": 8, "aten.mean.dim": 9}),
        ("efficientnet_b0", {"aten.silu.default": 49, "aten.pad.default": 0}),
        ("tf_efficientnet_lite0", {"aten.hardtanh.default": 33, "aten.pad.default": 5}),
        (
            "residual_attention_56",
            {"aten.max_pool2d.default": 7, "aten.upsample_bilinear2d.vec": 6},
        ),
    ],
)
def test_exports_to_single_nodes(name: str, expected: dict[str, int]) -> None:
    module = build(name).eval()
    program = torch.export.export(module, (torch.randn(1, 3, 224, 224),))
    targets = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert {target: targets.count(target) for target in expected} == expected
