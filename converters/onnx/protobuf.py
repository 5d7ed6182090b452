"""Joins a model's bytes by hand, so that the weights are not copied.

``ModelProto.SerializeToString`` would hold them three times: in the graph, in the message and
in the bytes. A field is its tag, its length and its content, in the order of the numbers, as
protobuf itself writes them: https://protobuf.dev/programming-guides/encoding. The weights of large
models lie in a file of their own: https://onnx.ai/onnx/repo-docs/ExternalData.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, StringStringEntryProto, TensorProto, helper

# field numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
MODEL_GRAPH = 7
GRAPH_INITIALIZER = 5
TENSOR_RAW_DATA = 9

PAGE_BYTES = 4096

Array = NDArray[np.generic]


def pieces(
    models: tuple[ModelProto, ModelProto],
    graphs: tuple[GraphProto, GraphProto],
    initializers: Mapping[str, Array],
) -> Iterator[bytes | memoryview]:
    """Yield the model's bytes, piece by piece.

    ``models`` hold what comes before and after the graph, ``graphs`` what comes before and after
    the initializers.
    """
    before, after = (part.SerializeToString() for part in graphs)
    headers = {name: _headers(name, array) for name, array in initializers.items()}
    tensors_bytes = sum(len(headers[name]) + array.nbytes for name, array in initializers.items())
    graph_bytes = len(before) + tensors_bytes + len(after)
    yield models[0].SerializeToString() + _start(MODEL_GRAPH, graph_bytes) + before
    for name, array in initializers.items():
        yield headers[name]
        yield _elements(array)
    yield after + models[1].SerializeToString()


def write_outside(initializers: Mapping[str, Array], path: Path) -> tuple[list[TensorProto], str]:
    """Write arrays into a file; return the tensors that point into it, and its SHA-256.

    Each starts at a page, so that a runtime can map it.
    """
    tensors, offset, digest = [], 0, sha256()
    with path.open("wb") as file:
        for name, array in initializers.items():
            fill = bytes(-offset % PAGE_BYTES)
            for piece in (fill, _elements(array)):
                file.write(piece)
                digest.update(piece)
            offset += len(fill)
            tensors.append(_pointer(name, array, path.name, offset))
            offset += array.nbytes
    return tensors, digest.hexdigest()


def _pointer(name: str, array: Array, location: str, offset: int) -> TensorProto:
    place = {"location": location, "offset": str(offset), "length": str(array.nbytes)}
    return TensorProto(
        name=name,
        dims=array.shape,
        data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
        data_location=TensorProto.EXTERNAL,
        external_data=[StringStringEntryProto(key=key, value=place[key]) for key in place],
    )


def _elements(array: Array) -> memoryview:
    flat = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
    return flat.view(np.uint8).data


def _headers(name: str, array: Array) -> bytes:
    """Return everything of an initializer but its elements, which end it."""
    data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor = TensorProto(dims=array.shape, data_type=data_type, name=name)
    description: bytes = tensor.SerializeToString()
    data_bytes = prod(array.shape) * array.itemsize
    head = description + _start(TENSOR_RAW_DATA, data_bytes)
    return _start(GRAPH_INITIALIZER, len(head) + data_bytes) + head


def _start(field: int, length: int) -> bytes:
    """Return the tag and the length of a length-delimited field."""
    return _varint(field << 3 | 2) + _varint(length)


def _varint(number: int) -> bytes:
    """Return seven bits a byte, lowest first, the top bit set on all but the last."""
    low = []
    while number > 127:
        low.append(number & 127 | 128)
        number >>= 7
    return bytes((*low, number))
