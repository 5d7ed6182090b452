"""A planted fault in a file is found, and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import Tensor, nn

from edgezoo.converters.capture import capture
from edgezoo.converters.formats import ENTRIES
from edgezoo.converters.tflite.model import FILE_IDENTIFIER
from edgezoo.converters.verify import (
    Check,
    first_jump,
    first_non_finite,
    float_values,
    verify_file,
)
from edgezoo.errors import NonFiniteError, VerificationError
from edgezoo.graph.graph import Graph
from edgezoo.graph.passes import optimize
from edgezoo.quantization.calibrate import quantize
from edgezoo.quantization.recipes import get_recipe
from edgezoo.types import FORMATS, Comparison, Format

Array = NDArray[Any]


class Small(nn.Module):
    """Square pictures as wide as they have channels: shapes alone do not tell layouts apart."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(8, 8, 3, padding=1)
        self.middle = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.mixer = nn.Conv2d(8, 8, 1)
        self.last = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = x + self.mixer(torch.nn.functional.silu(self.middle(x)))
        return self.head(self.last(x).mean((2, 3)))  # type: ignore[no-any-return]  # a Tensor


LAYERS = ("stem", "middle", "mixer", "last", "head")


@cache
def module() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


@cache
def float_graph() -> Graph:
    return optimize(capture(module(), (1, 8, 8, 8)))


@cache
def graph_of(recipe: str) -> Graph:
    if recipe == "fp32":
        return float_graph()
    batches = [inputs()[i : i + 1] for i in range(4)]
    return quantize(float_graph(), batches, batches).graph


def inputs() -> Array:
    return torch.randn(4, 8, 8, 8, generator=torch.Generator().manual_seed(1)).numpy()


def corrupt_tflite(path: Path, layer: str, change: Callable[[Array], Array]) -> None:
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    (tensor,) = (t for t in model.subgraphs[0].tensors if _is_weight(t.name.decode(), layer))
    dtype = np.int8 if tensor.type == schema.TensorType.INT8 else np.float32
    buffer = model.buffers[tensor.buffer]
    stored = np.asarray(buffer.data, np.uint8).view(dtype)
    buffer.data = np.frombuffer(change(stored).astype(dtype).tobytes(), np.uint8)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    path.write_bytes(builder.Output())


def corrupt_onnx(path: Path, layer: str, change: Callable[[Array], Array]) -> None:
    model = onnx.load(path)
    (tensor,) = (t for t in model.graph.initializer if _is_weight(t.name, layer))
    stored = onnx.numpy_helper.to_array(tensor)
    changed = change(stored).astype(stored.dtype)
    tensor.CopyFrom(onnx.numpy_helper.from_array(changed, tensor.name))
    onnx.save(model, path)


def _is_weight(name: str, layer: str) -> bool:
    return name in (f"{layer}.weight", f"{layer}/int8/weight")


CORRUPT: dict[Format, Callable[[Path, str, Callable[[Array], Array]], None]] = {
    "tflite": corrupt_tflite,
    "onnx": corrupt_onnx,
}


def written(folder: Path, format: Format, recipe: str) -> Path:
    path = folder / f"small.{format}"
    ENTRIES[format].write(graph_of(recipe), "float32", path)
    return path


def reference() -> list[Array]:
    with torch.no_grad():
        return [module()(torch.from_numpy(inputs())).numpy()]


def verified(path: Path, format: Format, recipe: str) -> Comparison:
    # a network this small is far above the floor that deep ones need; one bad layer must fail
    floored = replace(get_recipe(recipe), floor_db=80.0 if recipe == "fp32" else 25.0)
    runner = ENTRIES[format].load(path)
    check = Check(inputs(), reference(), "random")
    return verify_file(runner, path, format, floored, check, float_graph)


each_format = pytest.mark.parametrize("format", FORMATS)
each_recipe = pytest.mark.parametrize("recipe", ["fp32", "w8a8"])


@each_format
@each_recipe
def test_a_sound_file_passes(tmp_path: Path, format: Format, recipe: str) -> None:
    comparison = verified(written(tmp_path, format, recipe), format, recipe)
    assert comparison.sqnr_db > (100 if recipe == "fp32" else 25)
    assert comparison.samples == 4


@each_format
@each_recipe
@pytest.mark.parametrize("layer", LAYERS)
def test_the_damaged_layer_is_named(
    tmp_path: Path, format: Format, recipe: str, layer: str
) -> None:
    path = written(tmp_path, format, recipe)
    CORRUPT[format](path, layer, np.negative)
    with pytest.raises(VerificationError) as caught:
        verified(path, format, recipe)
    message = str(caught.value)
    assert message.startswith(f"small.{format} is at ")
    assert f"jumps at {layer} (" in message


@each_format
@each_recipe
def test_every_layer_can_be_looked_at(tmp_path: Path, format: Format, recipe: str) -> None:
    path = written(tmp_path, format, recipe)
    inner = ENTRIES[format].intermediates(path, inputs(), float_graph())
    known = float_values(float_graph(), inputs())
    names = {node.output for node in float_graph().nodes}
    assert set(inner) == names
    for name, array in inner.items():
        assert array.shape == known[name].shape
        # each value in PyTorch's layout: a transposed one would be near 0 dB
        power = np.square(known[name]).sum() / np.square(known[name] - array).sum()
        assert 10 * np.log10(power) > (100 if recipe == "fp32" else 20)


@each_format
def test_a_small_fault_is_under_the_floor_of_floats_too(tmp_path: Path, format: Format) -> None:
    path = written(tmp_path, format, "fp32")
    CORRUPT[format](path, "mixer", lambda weight: weight * 1.01)
    with pytest.raises(
        VerificationError, match=r"under the 80 dB that fp32 needs.*jumps at mixer "
    ):
        verified(path, format, "fp32")


@each_format
def test_what_is_not_finite_is_told_apart(tmp_path: Path, format: Format) -> None:
    path = written(tmp_path, format, "fp32")
    CORRUPT[format](path, "last", lambda weight: weight * np.float32(np.inf))
    with pytest.raises(NonFiniteError, match=rf"small\.{format} computes NaN or infinity"):
        verified(path, format, "fp32")


def test_outputs_of_another_shape_are_told_apart(tmp_path: Path) -> None:
    path = written(tmp_path, "tflite", "fp32")
    runner = ENTRIES["tflite"].load(path)
    wrong = [reference()[0][:, :3]]
    with pytest.raises(VerificationError, match="outputs of shape"):
        check = Check(inputs(), wrong, "random")
        verify_file(runner, path, "tflite", get_recipe("fp32"), check, float_graph)


def test_the_first_non_finite_value_is_named() -> None:
    torch.manual_seed(0)
    damaged = Small().eval()
    with torch.no_grad():
        damaged.mixer.weight[0, 0] = float("nan")
    graph = capture(damaged, (1, 8, 8, 8))
    assert first_non_finite(graph, inputs()) == "mixer"
    assert first_non_finite(float_graph(), inputs()) is None


def test_a_fall_is_measured_from_the_worst_input() -> None:
    random = np.random.default_rng(0)
    exact = {node.output: random.normal(size=100) for node in float_graph().nodes}

    def off(name: str, decibel: float) -> Array:
        return exact[name] * (1 + 10 ** (-decibel / 20))

    names = [node.output for node in float_graph().nodes]
    steady = {name: off(name, 40.0) for name in names}
    assert first_jump(exact, steady, float_graph()) == pytest.approx((names[0], 40.0, 60.0))
    fallen = {**steady, "mixer": off("mixer", 10.0), "head": off("head", 3.0)}
    assert first_jump(exact, fallen, float_graph()) == pytest.approx(("mixer", 10.0, 40.0))
    assert first_jump(exact, {}, float_graph()) is None
