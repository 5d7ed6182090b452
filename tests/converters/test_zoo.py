"""Every network of the zoo as a TFLite file of one XNNPACK partition, and as an ONNX file.

``pytest -m slow -k converts`` runs all of them: half an hour, and 8 GB of memory for the largest. Which
rewrites apply does not depend on the size of the input, so it is small.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import nn

import edgezoo
from edgezoo.models.registry import list_models
from edgezoo.samples import random_inputs
from edgezoo.types import FORMATS, ModelSpec, Shape

# float32 sums in another order: PyTorch's own kernels differ from each other by as much
LARGEST_ERROR = 5e-6

ONE_PER_FAMILY = (
    "shufflenet_v1_g8_x0_25",
    "mnasnet_small",
    "efficientnet_b0",
    "eca_nfnet_l0",
    "residual_attention_cifar_56",
)
SPECS = {spec.name: spec for spec in list_models()}


def small_input(spec: ModelSpec) -> Shape:
    """Return 64x64, or the network's own size where that is smaller."""
    size = min(64, spec.input[2])
    return (1, 3, size, size)


def lively(name: str) -> nn.Module:
    """Return a network in which everything counts.

    A fresh NFNet closes its branches by gains of 0, and a fresh batch norm does nothing.
    """
    torch.manual_seed(0)
    module = SPECS[name].build().eval()
    with torch.no_grad():
        for key, parameter in module.named_parameters():
            if key.endswith("gain") and not parameter.any():
                parameter.fill_(0.5)
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm2d):
                assert norm.running_mean is not None and norm.running_var is not None
                norm.weight.uniform_(0.8, 1.2)
                norm.bias.normal_(0, 0.1)
                norm.running_mean.normal_(0, 0.1)
                norm.running_var.uniform_(0.8, 1.25)
    return module


def convert(name: str, folder: Path) -> None:
    """Convert to both formats, hold both to the error and the TFLite file to one partition."""
    module, shape = lively(name), small_input(SPECS[name])
    result = edgezoo.convert(module, to=FORMATS, out=folder, input=shape)
    errors = {artifact.format: artifact.comparison.max_rel for artifact in result.artifacts}
    partitions = json.loads(result.artifacts[0].manifest.read_text())["partitions"]
    for file in folder.iterdir():
        file.unlink()  # some are larger than a gigabyte, and pytest keeps folders
    assert partitions == 1
    worst = max(errors.values())
    assert worst <= LARGEST_ERROR or worst <= 3 * error_of_float32(module, shape), errors


def error_of_float32(module: nn.Module, shape: Shape) -> float:
    """Return how far PyTorch's own float32 is from the exact result, of the largest output.

    Dozens of random layers amplify any rounding (EfficientNet-Lite4: 6e-6, L2: 1e-5), and two float32
    runs of such a network differ by the sum of their own errors.
    """
    x = torch.from_numpy(random_inputs(shape, 8, seed=0))
    with torch.inference_mode():
        found = torch.cat([module(one) for one in torch.split(x, 1)]).double()
        exact = copy.deepcopy(module).double()(x.double())
    return float((found - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize("name", ONE_PER_FAMILY)
def test_one_of_each_family(name: str, tmp_path: Path) -> None:
    convert(name, tmp_path)


def test_every_family_has_one() -> None:
    assert {SPECS[name].family for name in ONE_PER_FAMILY} == {s.family for s in SPECS.values()}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_converts(name: str, tmp_path: Path) -> None:
    convert(name, tmp_path)
