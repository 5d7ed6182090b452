"""Large ONNX models: the weights in a file of their own beside the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from edgezoo.artifacts import data_path, file_sha256
from edgezoo.converters.onnx.intermediates import onnx_intermediates
from edgezoo.converters.onnx.runner import load_onnx
from edgezoo.converters.onnx.writer import write_onnx
from edgezoo.errors import ArtifactError
from edgezoo.graph.graph import Graph
from edgezoo.graph.interpreter import compile_graph
from edgezoo.graph.passes import optimize
from tests.graph.cases import CASES

CASE = next(case for case in CASES if case.name == "vision_transformer")


def written(folder: Path, graph: Graph | None = None) -> Path:
    path = folder / "model.onnx"
    write_onnx(graph or optimize(CASE.graph()), path, largest_one_file_bytes=1000)
    return path


def test_small_models_are_one_file(tmp_path: Path) -> None:
    write_onnx(optimize(CASE.graph()), tmp_path / "model.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_two_files_compute_what_pytorch_does(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    onnx.checker.check_model(str(path), full_check=True)
    (output,) = load_onnx(path).run(CASE.inputs().numpy())
    (expected,) = CASE.expected()
    # float32 sums in another order, as for the models in one file
    assert np.abs(output - expected.numpy()).max() <= 5e-6 * expected.abs().max()


def test_weights_start_at_pages_and_small_constants_stay_inside(tmp_path: Path) -> None:
    model = onnx.load(written(tmp_path), load_external_data=False)
    outside = [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    inside = [t for t in model.graph.initializer if t not in outside]
    assert outside and inside
    assert all(len(tensor.raw_data) < 1024 for tensor in inside)
    for tensor in outside:
        place = {entry.key: entry.value for entry in tensor.external_data}
        assert place["location"] == "model.onnx.data"
        assert int(place["offset"]) % 4096 == 0 and int(place["length"]) >= 1024


def test_other_weights_are_another_model(tmp_path: Path) -> None:
    path = written(tmp_path)
    first = path.read_bytes()
    (entry,) = onnx.load(path, load_external_data=False).metadata_props
    assert (entry.key, entry.value) == ("weights_sha256", file_sha256(data_path(path)))
    assert written(tmp_path).read_bytes() == first
    graph = optimize(CASE.graph())
    name = max(graph.constants, key=lambda n: graph.constants[n].size)
    weights: Any = graph.constants[name]
    changed = Graph(
        graph.name, graph.inputs, graph.outputs, graph.nodes, graph.values,
        {**graph.constants, name: weights / 2},
    )  # fmt: skip
    assert written(tmp_path, changed).read_bytes() != first


def test_values_on_the_way_are_found_in_two_files_too(tmp_path: Path) -> None:
    graph = optimize(CASE.graph())
    found = onnx_intermediates(written(tmp_path), CASE.inputs().numpy(), graph)
    assert len(found) > 10
    (expected,) = compile_graph(graph).run(torch.from_numpy(CASE.inputs().numpy()))
    np.testing.assert_allclose(found[graph.outputs[0]], expected, rtol=1e-4, atol=1e-5)


def test_a_model_without_its_weights_is_reported(tmp_path: Path) -> None:
    path = written(tmp_path)
    data_path(path).unlink()
    with pytest.raises(ArtifactError, match=r"ONNX Runtime cannot load .*model\.onnx"):
        load_onnx(path)
