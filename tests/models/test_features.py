"""The zoo inside other networks: what every stage gives, and files of such networks.

``Any`` stands for a network of the zoo, whose attributes ``nn.Module`` does not know.
"""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import edgezoo
from edgezoo.models.registry import get_model

# What the papers' tables say: the output channels of every stage, and how much smaller it is.
STAGES = {
    "shufflenet_v1_g3_x1_0": ((240, 480, 960), (8, 16, 32)),
    "shufflenet_v1_g3_x0_5_shallow": ((180, 360, 720), (8, 16, 32)),
    "mnasnet_a1_x1_0": ((16, 24, 40, 80, 112, 160, 320), (2, 4, 8, 16, 16, 32, 32)),
    "mnasnet_small": ((8, 16, 16, 32, 32, 88, 144), (2, 4, 8, 16, 16, 32, 32)),
    "efficientnet_b0": ((16, 24, 40, 80, 112, 192, 320), (2, 4, 8, 16, 16, 32, 32)),
    "tf_efficientnet_b3": ((24, 32, 48, 96, 136, 232, 384), (2, 4, 8, 16, 16, 32, 32)),
    "efficientnet_lite0": ((16, 24, 40, 80, 112, 192, 320), (2, 4, 8, 16, 16, 32, 32)),
}


@pytest.mark.parametrize("name", STAGES)
def test_features_of_every_stage(name: str) -> None:
    with torch.device("meta"):
        module: Any = get_model(name).build(in_channels=4).eval()
        channels, strides = STAGES[name]
        assert (module.feature_channels, module.feature_strides) == (channels, strides)
        height, width = 75, 224
        features = module.features(torch.zeros(2, 4, height, width))
    for feature, count, stride in zip(features, channels, strides, strict=True):
        sides = (math.ceil(height / stride), math.ceil(width / stride))
        assert feature.shape == (2, count, *sides)


@pytest.mark.parametrize("name", ["shufflenet_v1_g3_x0_25", "mnasnet_small", "efficientnet_b0"])
@pytest.mark.parametrize("side", [1, 33])
def test_features_lead_to_the_embedding(name: str, side: int) -> None:
    """Without classes a network gives the mean of its last map; any size runs, one pixel too."""
    torch.manual_seed(0)
    module: Any = get_model(name).build(num_classes=0).eval()
    x = torch.randn(2, 3, side, side)
    with torch.no_grad():
        last, embedding = module.features(x)[-1], module(x)
        if hasattr(module, "conv_head"):
            last = module.act(module.bn2(module.conv_head(last)))
    assert torch.equal(embedding, last.mean((2, 3)))


class Backbone(nn.Module):
    """A user's network around one of the zoo's: several outputs, a shape of its own."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.net: Any = get_model(name).build(num_classes=0, in_channels=1)
        self.default_input = (1, 1, 64, 48)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return dict(zip(("fine", "middle", "coarse"), self.net.features(x)[-3:], strict=True))


@pytest.mark.parametrize("name", ["shufflenet_v1_g3_x0_25", "mnasnet_small", "efficientnet_lite0"])
def test_features_become_files(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Backbone(name)
    done = edgezoo.convert(module, to=("tflite", "onnx"), out=tmp_path)
    for artifact in done.artifacts:
        assert artifact.comparison.max_rel <= 5e-6  # float32 sums in another order
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(done.artifacts[1].path).graph
    shapes = [[d.dim_value for d in o.type.tensor_type.shape.dim] for o in graph.output]
    channels, strides = module.net.feature_channels[-3:], module.net.feature_strides[-3:]
    expected = [
        [1, c, math.ceil(64 / s), math.ceil(48 / s)] for c, s in zip(channels, strides, strict=True)
    ]
    assert shapes == expected


def test_a_scaled_network_brings_its_input(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = edgezoo.efficientnet(width=0.35, depth=0.3, resolution=72, num_classes=5)
    (artifact,) = edgezoo.convert(module, out=tmp_path).artifacts
    assert edgezoo.info(module).input == (1, 3, 72, 72)
    assert artifact.comparison.max_rel <= 5e-6
    with pytest.raises(edgezoo.errors.UsageError, match=r"the input shape of .* is not known"):
        edgezoo.convert(nn.Sequential(nn.Conv2d(3, 3, 1)), out=tmp_path)
