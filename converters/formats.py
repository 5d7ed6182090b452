"""The formats: how each is written, run and looked into; one table.

Adding a format is one entry here and one package beside ``tflite`` and ``onnx``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgezoo.errors import ArtifactError
from edgezoo.graph.graph import Graph
from edgezoo.types import Format, Inspection, IoDtype

Array = np.ndarray[Any, np.dtype[Any]]

# a flatbuffer's offsets are signed 32-bit numbers; 16 MB are left for what is not weights
LARGEST_FLATBUFFER = 2**31 - 2**24


class Runner(Protocol):
    """A model file loaded into its runtime."""

    def run(self, inputs: Array) -> list[Array]:
        """Return the outputs (n, …) in PyTorch's layout for inputs (n, …)."""

    def inspect(self) -> Inspection:
        """Return what the runtime made of the file."""


@dataclass(frozen=True, slots=True)
class FormatEntry:
    """``write`` makes a file, ``load`` a runner for a file, and ``intermediates`` every value of one run
    that the file still holds under a name of the graph, in PyTorch's layout.

    ``largest_bytes`` is what the weights of one model may take.
    """

    write: Callable[[Graph, IoDtype, Path], None]
    load: Callable[[Path], Runner]
    intermediates: Callable[[Path, Array, Graph], dict[str, Array]]
    largest_bytes: int | None = None


def _write_tflite(graph: Graph, io_dtype: IoDtype, path: Path) -> None:
    from edgezoo.converters.tflite.writer import tflite_bytes

    path.write_bytes(tflite_bytes(graph, io_dtype=io_dtype))


def _load_tflite(path: Path) -> Runner:
    from edgezoo.converters.tflite.runner import TfliteRunner

    return TfliteRunner(path)


def _intermediates_tflite(path: Path, inputs: Array, graph: Graph) -> dict[str, Array]:
    from edgezoo.converters.tflite.intermediates import tflite_intermediates

    return tflite_intermediates(path, inputs, graph)


def _write_onnx(graph: Graph, io_dtype: IoDtype, path: Path) -> None:
    from edgezoo.converters.onnx.writer import write_onnx

    write_onnx(graph, path)


def _load_onnx(path: Path) -> Runner:
    from edgezoo.converters.onnx.runner import load_onnx

    return load_onnx(path)


def _intermediates_onnx(path: Path, inputs: Array, graph: Graph) -> dict[str, Array]:
    from edgezoo.converters.onnx.intermediates import onnx_intermediates

    return onnx_intermediates(path, inputs, graph)


def refuse_too_large(graph: Graph, formats: Iterable[Format]) -> None:
    """Raise before the long work what a writer would raise at its end.

    Raises:
        ArtifactError: the weights are more than a file of one of the formats can hold.
    """
    size = sum(array.nbytes for array in graph.constants.values())
    for format in formats:
        largest = ENTRIES[format].largest_bytes
        if largest is not None and size > largest:
            raise ArtifactError(
                f"{graph.name} holds {size / 1e9:.2f} GB of weights and a {format} file at most "
                f"{largest / 1e9:.2f} GB; convert it with --to onnx or quantize it"
            )


ENTRIES: Mapping[Format, FormatEntry] = {
    "tflite": FormatEntry(_write_tflite, _load_tflite, _intermediates_tflite, LARGEST_FLATBUFFER),
    "onnx": FormatEntry(_write_onnx, _load_onnx, _intermediates_onnx),
}
