"""Fresh networks can be trained, evaluated and exported."""

import pytest
import torch
from torch import nn

from edgezoo.models.registry import get_model

NAMES = (
    "shufflenet_v1_g1_x0_25",
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


@pytest.mark.parametrize("name", NAMES)
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
