"""The nodes of a model file as a profile needs them: names, operators and multiply-accumulates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgezoo.types import Format, Shape


class UnreadableFileError(Exception):
    """A model file that this reader does not understand, although a runtime may."""


@dataclass(frozen=True, slots=True)
class FileNode:
    """One node of a file, in its order.

    ``value`` names the tensor that it computes, ``op`` is the format's operator (CONV_2D, Conv).
    ``macs`` is 0 for what multiplies no matrices and ``None`` where the file does not hold the
    shapes. ``name`` is the node's own and ``inputs`` the values it reads, both ONNX's; ``fused``
    tells that an activation is part of the node (TFLite).
    """

    value: str
    op: str
    macs: int | None
    name: str = ""
    inputs: tuple[str, ...] = ()
    fused: bool = False


def read_nodes(path: Path, format_: Format) -> tuple[FileNode, ...]:
    """Return the nodes of a file; raises ``UnreadableFileError`` and ``OSError``."""
    from edgezoo.devices.profiles import onnx_file, tflite_file

    readers: Mapping[Format, Callable[[bytes], tuple[FileNode, ...]]] = {
        "tflite": tflite_file.parse_nodes,
        "onnx": onnx_file.parse_nodes,
    }
    return readers[format_](path.read_bytes())


def product(*shapes: Shape | None) -> int | None:
    """Return how many elements all shapes have together; ``None`` where a dimension is unknown."""
    sizes = [size for shape in shapes for size in (shape if shape is not None else (-1,))]
    return math.prod(sizes) if all(size >= 0 for size in sizes) else None
