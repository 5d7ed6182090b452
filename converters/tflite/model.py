"""Builds a TFLite flatbuffer with the schema classes of ai-edge-litert; knows nothing of graphs.

Schema: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
Buffers are aligned to 16 bytes, as the schema's ``force_align`` asks and the generated Python code forgets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgezoo.graph.graph import QuantParams
from edgezoo.types import Shape

Array = np.ndarray[Any, np.dtype[Any]]

TENSOR_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "bool": schema.TensorType.BOOL,
}
FILE_IDENTIFIER = b"TFL3"
SIGNATURE_KEY = b"serving_default"


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # generated code has no types
    """A buffer whose bytes start at a multiple of 16."""

    def Pack(self, builder: Any) -> Any:  # noqa: N802  # the generated code's name
        data: Array = self.data
        flat = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        builder.StartVector(1, flat.size, 16)
        head = builder.head = builder.Head() - flat.size
        builder.Bytes[head : head + flat.size] = flat.data
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


class TfliteModel:
    """A model under construction: add tensors and operators, then ``serialize``."""

    def __init__(self, description: str) -> None:
        self.graph = schema.SubGraphT()
        self.graph.name = b"main"
        self.graph.tensors, self.graph.operators = [], []
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = description.encode()
        self.model.subgraphs = [self.graph]
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]  # buffer 0 is the empty one, by convention
        self._codes: dict[tuple[int, int], int] = {}
        self._small_constants: dict[tuple[str, Shape, bytes], int] = {}
        self._names: dict[str, int] = {}
        self._bytes = 0

    def tensor(
        self, name: str, shape: Iterable[int], dtype: str, quant: QuantParams | None = None
    ) -> int:
        """Add a computed tensor; ``quant.axis`` counts the axes of ``shape``.

        A name that is taken gets a number behind it: runtimes look tensors up by name.
        """
        tensor = schema.TensorT()
        tensor.shape = np.array(tuple(shape), np.int32)
        tensor.type = TENSOR_TYPES[dtype]
        tensor.name = self._unique(name).encode()
        tensor.buffer = 0
        if quant is not None:
            tensor.quantization = _quantization(quant)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, name: str, array: Array, quant: QuantParams | None = None) -> int:
        """Add a constant tensor; equal small ones (shapes, axes) are stored once."""
        key = (str(array.dtype), tuple(array.shape), array.tobytes() if array.size <= 16 else b"")
        if array.size <= 16 and quant is None and key in self._small_constants:
            return self._small_constants[key]
        index = self.tensor(name, array.shape, str(array.dtype), quant)
        buffer = _AlignedBuffer()
        buffer.data = array
        self._bytes += array.nbytes
        self.model.buffers.append(buffer)
        self.graph.tensors[index].buffer = len(self.model.buffers) - 1
        if array.size <= 16 and quant is None:
            self._small_constants[key] = index
        return index

    def operator(
        self,
        code: str,
        inputs: Iterable[int],
        output: int,
        options: Any = None,  # one of the schema's ...OptionsT
        version: int = 1,
    ) -> None:
        """Append an operator; ``code`` is its name in ``BuiltinOperator``."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(schema.BuiltinOperator, code), version)
        operator.inputs = np.array(tuple(inputs), np.int32)
        operator.outputs = np.array([output], np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.graph.operators.append(operator)

    def serialize(self, inputs: dict[str, int], outputs: dict[str, int]) -> memoryview:
        """Return the file's bytes, with one signature over the named inputs and outputs."""
        self.graph.inputs = np.array(list(inputs.values()), np.int32)
        self.graph.outputs = np.array(list(outputs.values()), np.int32)
        self.model.signatureDefs = [_signature(inputs, outputs)]
        builder = flatbuffers.Builder(self._bytes + 4096 * (len(self.graph.tensors) + 16))
        builder.Finish(self.model.Pack(builder), FILE_IDENTIFIER)
        return memoryview(builder.Bytes)[builder.Head() :]

    def _unique(self, name: str) -> str:
        unique = name
        while unique in self._names:
            self._names[name] += 1
            unique = f"{name}_{self._names[name]}"
        self._names[unique] = 0
        return unique

    def _code(self, builtin: int, version: int) -> int:
        if (builtin, version) not in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode = builtin
            code.deprecatedBuiltinCode = min(builtin, 127)
            code.version = version
            self._codes[builtin, version] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(code)
        return self._codes[builtin, version]


def _quantization(quant: QuantParams) -> Any:
    parameters = schema.QuantizationParametersT()
    parameters.scale = np.asarray(quant.scale, np.float32)
    parameters.zeroPoint = np.asarray(quant.zero_point, np.int64)
    parameters.quantizedDimension = quant.axis or 0
    return parameters


def _signature(inputs: dict[str, int], outputs: dict[str, int]) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE_KEY
    signature.subgraphIndex = 0
    signature.inputs = [_tensor_map(*item) for item in inputs.items()]
    signature.outputs = [_tensor_map(*item) for item in outputs.items()]
    return signature


def _tensor_map(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name = name.encode()
    entry.tensorIndex = index
    return entry
