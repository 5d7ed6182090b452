"""Every network of the zoo against exact counts, names and shapes of reference implementations.

``reference_counts.json`` was made by executing timm 1.0.31, torchvision 0.24.1 and megvii's
ShuffleNetV1 (aa91feb; ``megvii_style`` is its code with the paper's Table 1 widths): trainable
parameters, multiply-accumulates of convolutions and linear layers by input size, and the SHA-256 of
the lines "name AxBxCxD" of the state dict in order. torchvision names differently: its digest is
over the shapes alone.
"""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from edgezoo.models.counts import count_macs, count_params
from edgezoo.models.efficientnet import efficientnet
from edgezoo.models.nfnet import nf_resnet
from edgezoo.models.registry import get_model, list_models
from edgezoo.types import ModelSpec

L2: dict[str, Any] = {"width": 4.3, "depth": 5.3, "resolution": 800, "dropout": 0.5}
REFERENCES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "reference_counts.json").read_text()
)
BIG = ("b5", "b6", "b7", "b8", "t_l2", "f3", "f4", "f5", "f6", "f7", "t200", "t288", "_452")
# Not in the registry; one line of a family's definition makes each.
OUTSIDE: dict[str, Callable[[], nn.Module]] = {
    "efficientnet_l2": partial(efficientnet, **L2, flavour="timm"),
    "tf_efficientnet_l2": partial(efficientnet, **L2, flavour="tf"),
    "nf_resnet26": partial(nf_resnet, depths=(2, 2, 2, 2), flavour="timm"),
    "nf_seresnet50": partial(nf_resnet, attention="se", se_ratio=1 / 16, flavour="timm"),
    "nf_ecaresnet50": partial(nf_resnet, attention="eca", flavour="timm"),
}


def build_on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return OUTSIDE[name]() if name in OUTSIDE else get_model(name).build()


def marked(name: str, value: object) -> Any:
    return pytest.param(value, id=name, marks=pytest.mark.slow if name.endswith(BIG) else ())


@pytest.mark.parametrize("variant", [marked(name, name) for name in REFERENCES])
def test_equals_reference(variant: str) -> None:
    reference = REFERENCES[variant]
    module = build_on_meta(reference["model"])
    state = {key: "x".join(map(str, tensor.shape)) for key, tensor in module.state_dict().items()}
    assert count_params(module) == reference["params"]
    assert len(state) == reference["keys"]
    if "names_sha256" in reference:
        lines, digest = [f"{key} {shape}" for key, shape in state.items()], "names_sha256"
    else:
        lines, digest = list(state.values()), "shapes_sha256"
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == reference[digest]
    for side, macs in reference["macs"].items():
        assert count_macs(module, (1, 3, int(side), int(side))) == macs, side


@pytest.mark.parametrize("spec", [marked(spec.name, spec) for spec in list_models()])
def test_table_is_exact(spec: ModelSpec) -> None:
    module = build_on_meta(spec.name)
    assert count_params(module) == spec.params
    assert count_macs(module, spec.input) == spec.macs


def test_every_reference_is_reached() -> None:
    missing = {row["model"] for row in REFERENCES.values()} - {s.name for s in list_models()}
    assert missing == set(OUTSIDE)


def test_one_filter_over_channel_means_counts_nothing() -> None:
    assert count_macs(nn.Conv1d(1, 1, 5, padding=2), (1, 1, 64)) == 0
    assert count_macs(nn.Conv1d(2, 1, 5, padding=2), (1, 2, 64)) == 2 * 5 * 64
    assert count_macs(nn.ConvTranspose2d(2, 3, 2, stride=2), (1, 2, 4, 4)) == 2 * 3 * 4 * 16


def test_counting_leaves_the_module_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3, groups=1), nn.BatchNorm2d(4)).train()
    # 3x3 kernel, 3 inputs, 4 outputs, 6x6 positions: 9 * 3 * 4 * 36
    assert count_macs(module, (1, 3, 8, 8)) == 3888
    assert module.training
    batch_norm = module[1]
    assert isinstance(batch_norm, nn.BatchNorm2d)
    assert batch_norm.num_batches_tracked is not None
    assert int(batch_norm.num_batches_tracked) == 0
