"""Joins a model's bytes by hand, so that the weights are copied once.

``ModelProto.SerializeToString`` would hold them three times: in the graph, in the message and
in the bytes. A field is its tag, its length and its content, in the order of the numbers, as
protobuf itself writes them: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, TensorProto, helper

from edgezoo.errors import ArtifactError

# field numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
MODEL_GRAPH = 7
GRAPH_INITIALIZER = 5
TENSOR_RAW_DATA = 9

LARGEST_MESSAGE_BYTES = 2**31 - 1

Array = NDArray[np.generic]


def joined(
    models: tuple[ModelProto, ModelProto],
    graphs: tuple[GraphProto, GraphProto],
    initializers: Mapping[str, Array],
) -> bytes:
    """Return the model's bytes.

    ``models`` hold what comes before and after the graph, ``graphs`` what comes before and after
    the initializers.

    Raises:
        ArtifactError: the file would be larger than protobuf allows.
    """
    before, after = (part.SerializeToString() for part in graphs)
    headers = {name: _headers(name, array) for name, array in initializers.items()}
    tensors_bytes = sum(len(headers[name]) + array.nbytes for name, array in initializers.items())
    graph_bytes = len(before) + tensors_bytes + len(after)
    if graph_bytes > LARGEST_MESSAGE_BYTES:
        raise ArtifactError(
            f"the ONNX file would hold {graph_bytes / 2**20:.0f} MiB, more than the 2048 MiB of "
            "one protobuf message; convert to TFLite or make the network smaller"
        )
    file = io.BytesIO()
    file.write(models[0].SerializeToString() + _start(MODEL_GRAPH, graph_bytes) + before)
    for name, array in initializers.items():
        file.write(headers[name])
        file.write(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data)
    file.write(after + models[1].SerializeToString())
    return file.getvalue()


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
