"""Every network of the zoo as a TFLite file of one XNNPACK partition, and as an ONNX file.

``pytest -m slow -k converts`` runs all of them: half an hour, and 8 GB of memory for the largest. Which
rewrites apply does not depend on the size of the input, so it is small.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edgezoo
from edgezoo.models.registry import list_models
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


def convert(name: str, folder: Path) -> None:
    """Convert to both formats, hold both to the error and the TFLite file to one partition."""
    result = edgezoo.convert(
        name, to=FORMATS, out=folder, weights="random", input=small_input(SPECS[name])
    )
    errors = {artifact.format: artifact.comparison.max_rel for artifact in result.artifacts}
    partitions = json.loads(result.artifacts[0].manifest.read_text())["partitions"]
    for file in folder.iterdir():
        file.unlink()  # some are larger than a gigabyte, and pytest keeps folders
    assert partitions == 1
    assert max(errors.values()) <= LARGEST_ERROR, errors


@pytest.mark.parametrize("name", ONE_PER_FAMILY)
def test_one_of_each_family(name: str, tmp_path: Path) -> None:
    convert(name, tmp_path)


def test_every_family_has_one() -> None:
    assert {SPECS[name].family for name in ONE_PER_FAMILY} == {s.family for s in SPECS.values()}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_converts(name: str, tmp_path: Path) -> None:
    convert(name, tmp_path)
