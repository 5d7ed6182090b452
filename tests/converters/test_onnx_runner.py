"""The ONNX Runtime runner: batches, damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgezoo.converters.onnx.runner import load_onnx, run_onnx
from edgezoo.converters.onnx.writer import onnx_bytes
from edgezoo.errors import ArtifactError
from tests.graph.case import Case
from tests.graph.cases import CASES


def case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@pytest.mark.parametrize("name", ["two_outputs", "conv_batch_of_two"])
def test_batch_by_batch(name: str, tmp_path: Path) -> None:
    content = onnx_bytes(case(name).graph())
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    inputs = torch.randn(6, 4, 9, 7, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        result = case(name).module()(inputs)
    expected = result if isinstance(result, tuple) else (result,)
    for model in (content, path):
        outputs = run_onnx(model, inputs.numpy(), threads=2)
        for output, reference in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(output, reference.numpy(), atol=1e-5)


def test_knows_its_input() -> None:
    model = load_onnx(onnx_bytes(case("conv_batch_of_two").graph()))
    assert (model.input_name, model.input_shape) == ("input", (2, 4, 9, 7))


@pytest.mark.parametrize("count", [0, 3])
def test_unfilled_batch(count: int) -> None:
    model = load_onnx(onnx_bytes(case("conv_batch_of_two").graph()))
    with pytest.raises(ValueError, match=f"{count} inputs do not fill batches of 2"):
        model.run(np.zeros((count, 4, 9, 7), np.float32))


@pytest.mark.parametrize("content", [b"", b"not a model", b"truncated"])
def test_damaged_model(content: bytes, tmp_path: Path) -> None:
    if content == b"truncated":
        content = onnx_bytes(case("conv").graph())[:-40]
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.onnx"):
        load_onnx(path)
    with pytest.raises(ArtifactError, match=f"model of {len(content)} bytes"):
        load_onnx(content)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"gone\.onnx"):
        load_onnx(tmp_path / "gone.onnx")
