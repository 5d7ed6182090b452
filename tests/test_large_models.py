"""Between 1 and 2 GB: ONNX in two files, TFLite in one; both verified, found again and timed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import edgezoo
from edgezoo.errors import ArtifactError
from edgezoo.plan import Plan
from edgezoo.types import Artifact

WIDTH = 16_800  # squared, in float32: 1.13 GB


class Wide(nn.Module):
    """One matrix, made of two vectors so that it is there at once."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        left, right = torch.randn(2, WIDTH, 1, generator=generator)
        self.weight = nn.Parameter(left @ right.T / WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean((2, 3)).repeat(1, WIDTH // 3)
        return nn.functional.linear(pooled, self.weight)[:, :10]


def wide() -> nn.Module:
    return Wide()


@pytest.mark.slow
def test_more_than_a_gigabyte(tmp_path: Path) -> None:
    def convert() -> tuple[Artifact, ...]:
        return edgezoo.convert(
            "tests.test_large_models:wide",
            to=("onnx", "tflite"),
            out=tmp_path,
            input=(1, 3, 8, 8),
        ).artifacts

    made = convert()
    assert all(2**30 < artifact.bytes < 2**31 for artifact in made)
    assert max(artifact.comparison.max_rel for artifact in made) <= 5e-6
    onnx = made[0].path
    data = onnx.with_name(onnx.name + ".data")
    assert onnx.stat().st_size < 2**20 < data.stat().st_size
    assert all(artifact.reused for artifact in convert())
    edgezoo.verify([artifact.path for artifact in made])
    plan = Plan(processes=1, warmup=1, runs=2)
    timed = edgezoo.bench([artifact.path for artifact in made], plan=plan).measurements
    assert all(measurement.latency_ms for measurement in timed)
    with data.open("r+b") as file:
        file.seek(2**20)
        file.write(b"another")
    with pytest.raises(ArtifactError, match=r"\.onnx\.data was changed"):
        edgezoo.verify(onnx)
    data.unlink()
    assert [artifact.reused for artifact in convert()] == [False, True]
    for file_left in tmp_path.iterdir():
        file_left.unlink()  # pytest keeps the folder
