"""The formats: how each is written, run and looked into; one table.

Adding a format is one entry here and one package beside ``tflite`` and ``onnx``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgezoo.graph.graph import Graph
from edgezoo.types import Format, IoDtype

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the runtime made of a file: its operators by name, and XNNPACK partitions (TFLite)."""

    ops: Mapping[str, int]
    partitions: int | None = None


@dataclass(frozen=True, slots=True)
class FormatEntry:
    """``write`` gives the file's bytes; ``run`` the outputs (n, …) in PyTorch's layout for inputs
    (n, …); ``inspect`` the operators; ``intermediates`` every value of one run that the file still
    holds under a name of the graph, in PyTorch's layout.
    """

    write: Callable[[Graph, IoDtype], bytes | memoryview]
    run: Callable[[Path, Array], list[Array]]
    inspect: Callable[[Path], Inspection]
    intermediates: Callable[[Path, Array, Graph], dict[str, Array]]


def _write_tflite(graph: Graph, io_dtype: IoDtype) -> memoryview:
    from edgezoo.converters.tflite.writer import tflite_bytes

    return tflite_bytes(graph, io_dtype=io_dtype)


def _run_tflite(path: Path, inputs: Array) -> list[Array]:
    from edgezoo.converters.tflite.runner import TfliteRunner

    return TfliteRunner(path).run(inputs)


def _inspect_tflite(path: Path) -> Inspection:
    from edgezoo.converters.tflite.runner import TfliteRunner

    return Inspection(*TfliteRunner(path).op_counts())


def _intermediates_tflite(path: Path, inputs: Array, graph: Graph) -> dict[str, Array]:
    from edgezoo.converters.tflite.intermediates import tflite_intermediates

    return tflite_intermediates(path, inputs, graph)


def _write_onnx(graph: Graph, io_dtype: IoDtype) -> bytes:
    from edgezoo.converters.onnx.writer import onnx_bytes

    return onnx_bytes(graph)


def _run_onnx(path: Path, inputs: Array) -> list[Array]:
    from edgezoo.converters.onnx.runner import run_onnx

    return run_onnx(path, inputs)


def _inspect_onnx(path: Path) -> Inspection:
    from edgezoo.converters.onnx.intermediates import onnx_op_counts

    return Inspection(onnx_op_counts(path))


def _intermediates_onnx(path: Path, inputs: Array, graph: Graph) -> dict[str, Array]:
    from edgezoo.converters.onnx.intermediates import onnx_intermediates

    return onnx_intermediates(path, inputs, graph)


ENTRIES: Mapping[Format, FormatEntry] = {
    "tflite": FormatEntry(_write_tflite, _run_tflite, _inspect_tflite, _intermediates_tflite),
    "onnx": FormatEntry(_write_onnx, _run_onnx, _inspect_onnx, _intermediates_onnx),
}
