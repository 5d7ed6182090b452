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

from edgezoo.models.counts import count_layers, count_macs, count_params, count_stages
from edgezoo.models.nfnet import nf_resnet
from edgezoo.models.registry import get_model, list_models
from edgezoo.types import ModelSpec

REFERENCES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "reference_counts.json").read_text()
)
BIG = (
    *("b5", "b6", "b7", "b8", "l2", "l2_475"),
    *("f3", "f4", "f5", "f6", "f7", "t200", "t288", "_452"),
)
# Not in the registry; one line of a family's definition makes each.
OUTSIDE: dict[str, Callable[[], nn.Module]] = {
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
    for rows in (count_stages(module, spec.input), count_layers(module, spec.input)):
        assert sum(row.params for row in rows) == spec.params
        assert sum(row.macs for row in rows) == spec.macs
        assert all(row.name and row.output for row in rows)
        assert rows[-1].output == (1, spec.options["num_classes"])


def test_every_reference_is_reached() -> None:
    missing = {row["model"] for row in REFERENCES.values()} - {s.name for s in list_models()}
    assert missing == set(OUTSIDE)


def test_one_filter_over_channel_means_counts_nothing() -> None:
    assert count_macs(nn.Conv1d(1, 1, 5, padding=2), (1, 1, 64)) == 0
    assert count_macs(nn.Conv1d(2, 1, 5, padding=2), (1, 2, 64)) == 2 * 5 * 64
    assert count_macs(nn.ConvTranspose2d(2, 3, 2, stride=2), (1, 2, 4, 4)) == 2 * 3 * 4 * 16


# Multiply-accumulates (M) of MnasNet by multiplier at 224, 192, 160, 128 and 96 pixels, as computed
# with timm's and torchvision's networks and printed with two decimals.
SIDES = (224, 192, 160, 128, 96)
MNASNET_MACS = {
    "a1_x0_35": (61.68, 45.67, 32.11, 21.02, 12.40),
    "a1_x0_5": (103.162992, 76.15, 53.29, 34.59, 20.05),
    "a1_x0_75": (223.448480, 164.55, 114.70, 73.93, 42.21),
    "a1_x1_0": (311.579072, 229.32, 159.72, 102.77, 58.48),
    "a1_x1_3": (525.98, 386.89, 269.19, 172.90, 98.00),
    "a1_x1_4": (586.317952, 431.24, 300.02, 192.65, 109.15),
    "b1_x0_35": (58.88, 43.60, 30.67, 20.09, 11.86),
    "b1_x0_5": (104.455968, 77.08, 53.92, 34.97, 20.23),
    "b1_x0_75": (215.493104, 158.66, 110.57, 71.23, 40.63),
    "b1_x1_0": (314.415872, 231.34, 161.04, 103.53, 58.79),
    "b1_x1_3": (526.362432, 387.05, 269.18, 172.74, 97.72),
    "b1_x1_4": (588.799408, 432.93, 301.03, 193.12, 109.19),
}


@pytest.mark.parametrize("variant", MNASNET_MACS)
def test_mnasnet_at_every_input_size(variant: str) -> None:
    module = build_on_meta(f"mnasnet_{variant}")
    counted = [count_macs(module, (1, 3, side, side)) / 1e6 for side in SIDES]
    assert counted == pytest.approx(MNASNET_MACS[variant], abs=0.00501)  # half a printed digit


# MACs of a layer by hand: kernel area x inputs / groups x outputs x positions.
STAGES_OF_B0 = {
    "stem": (3 * 3 * 3 * 32 + 2 * 32, 27 * 32 * 112 * 112, (1, 32, 112, 112)),
    # parameters of the blocks summed from timm's list: 1448, 6004 + 10710
    "blocks.0": (1448, None, (1, 16, 112, 112)),
    "blocks.1": (16_714, None, (1, 24, 56, 56)),
    "head": (320 * 1280 + 2 * 1280, 320 * 1280 * 49, (1, 1280, 7, 7)),
    "classifier": (1_281_000, 1_280_000, (1, 1000)),
}


def test_stages_of_b0() -> None:
    rows = {
        row.name: row for row in count_stages(build_on_meta("efficientnet_b0"), (1, 3, 224, 224))
    }
    assert list(rows) == ["stem", *(f"blocks.{i}" for i in range(7)), "head", "classifier"]
    for name, (params, macs, output) in STAGES_OF_B0.items():
        assert (rows[name].params, rows[name].output) == (params, output)
        assert macs in (None, rows[name].macs)


class Nested(nn.Module):
    """A user's network: a container of blocks, a layer called twice, a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()) for _ in "ab"))
        self.twice = nn.Conv2d(3, 3, 1, bias=False)
        self.scale = nn.Parameter(torch.ones(3, 3))
        self.unused = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.twice(self.twice(self.blocks(x)))
        return x.mean((2, 3)) @ self.scale


def test_stages_of_a_users_network() -> None:
    rows = {row.name: row for row in count_stages(Nested(), (1, 3, 2, 2))}
    assert {name: (row.params, row.macs) for name, row in rows.items()} == {
        "blocks.0": (12, 9 * 4),
        "blocks.1": (12, 9 * 4),
        "twice": (9, 2 * 9 * 4),
        "unused": (6, 0),
        "Nested": (9, 9),  # what the network does itself
    }
    assert rows["unused"].output is None
    layers = count_layers(Nested(), (1, 3, 2, 2))
    assert [row.name for row in layers][:3] == ["blocks.0.0", "blocks.1.0", "twice"]
    assert sum(row.params for row in layers) == count_params(Nested())


def test_counting_leaves_the_module_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3, groups=1), nn.BatchNorm2d(4)).train()
    # 3x3 kernel, 3 inputs, 4 outputs, 6x6 positions: 9 * 3 * 4 * 36
    assert count_macs(module, (1, 3, 8, 8)) == 3888
    assert module.training
    batch_norm = module[1]
    assert isinstance(batch_norm, nn.BatchNorm2d)
    assert batch_norm.num_batches_tracked is not None
    assert int(batch_norm.num_batches_tracked) == 0
