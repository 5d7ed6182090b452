"""What a format cannot hold is said before the long work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgezoo.converters.formats import refuse_too_large
from edgezoo.errors import ArtifactError
from edgezoo.graph.graph import Graph, Value


def graph_of(floats: int) -> Graph:
    huge: Any = np.broadcast_to(np.float32(0), (floats,))  # takes no memory
    values = {"x": Value("x", (1, 2)), "w": Value("w", (floats,))}
    return Graph("huge", ("x",), ("x",), (), values, {"w": huge})


def test_more_than_a_flatbuffer_holds_is_refused() -> None:
    with pytest.raises(ArtifactError) as error:
        refuse_too_large(graph_of(2**29), ("onnx", "tflite"))
    assert str(error.value) == (
        "huge holds 2.15 GB of weights and a tflite file at most 2.13 GB; "
        "convert it with --to onnx or quantize it"
    )


def test_onnx_takes_it_and_tflite_what_fits() -> None:
    refuse_too_large(graph_of(2**29), ("onnx",))
    refuse_too_large(graph_of(500_000_000), ("onnx", "tflite"))  # NFNet-F7
