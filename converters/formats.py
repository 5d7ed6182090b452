"""The formats: how each is written, run and looked into; one table.

Adding a format is one entry here and one package beside ``tflite`` and ``onnx``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgezoo.graph.graph import Graph
from edgezoo.types import Format, Inspection, IoDtype

Array = np.ndarray[Any, np.dtype[Any]]


class Runner(Protocol):
    """A model file loaded into its runtime."""

    def run(self, inputs: Array) -> list[Array]:
        """Return the outputs (n, …) in PyTorch's layout for inputs (n, …)."""

    def inspect(self) -> Inspection:
        """Return what the runtime made of the file."""


@dataclass(frozen=True, slots=True)
class FormatEntry:
    """``write`` gives the file's bytes, ``load`` a runner for a file, and ``intermediates`` every value
    of one run that the file still holds under a name of the graph, in PyTorch's layout.
    """

    write: Callable[[Graph, IoDtype], bytes | memoryview]
    load: Callable[[Path], Runner]
    intermediates: Callable[[Path, Array, Graph], dict[str, Array]]


def _write_tflite(graph: Graph, io_dtype: IoDtype) -> memoryview:
    from edgezoo.converters.tflite.writer import tflite_bytes

    return tflite_bytes(graph, io_dtype=io_dtype)


def _load_tflite(path: Path) -> Runner:
    from edgezoo.converters.tflite.runner import TfliteRunner

    return TfliteRunner(path)


def _intermediates_tflite(path: Path, inputs: Array, graph: Graph) -> dict[str, Array]:
    from edgezoo.converters.tflite.intermediates import tflite_intermediates

    return tflite_intermediates(path, inputs, graph)


def _write_onnx(graph: Graph, io_dtype: IoDtype) -> bytes:
    from edgezoo.converters.onnx.writer import onnx_bytes

    return onnx_bytes(graph)


def _load_onnx(path: Path) -> Runner:
    from edgezoo.converters.onnx.runner import load_onnx

    return load_onnx(path)


def _intermediates_onnx(path: Path, inputs: Array, graph: Graph) -> dict[str, Array]:
    from edgezoo.converters.onnx.intermediates import onnx_intermediates

    return onnx_intermediates(path, inputs, graph)


ENTRIES: Mapping[Format, FormatEntry] = {
    "tflite": FormatEntry(_write_tflite, _load_tflite, _intermediates_tflite),
    "onnx": FormatEntry(_write_onnx, _load_onnx, _intermediates_onnx),
}
