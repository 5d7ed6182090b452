"""Tiny real model files: one convolution with ReLU, in both formats, float and int8."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

Build = Callable[..., Path]

SIDE = 16


class _Tflite:
    """A TFLite subgraph under construction; tensors are referred to by index."""

    def __init__(self) -> None:
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.subgraphs = [self.graph]
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]

    def tensor(
        self,
        shape: tuple[int, ...],
        kind: int,
        data: Any = None,  # Any: an array of any dtype
        scale: float | None = None,
    ) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), kind, 0
        tensor.name = f"t{len(self.graph.tensors)}".encode()
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([scale], np.float32)
            tensor.quantization.zeroPoint = np.zeros(1, np.int64)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, code: int, version: int, inputs: list[int], output: int) -> Any:
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)
        entry.version = version
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes)
        operator.inputs, operator.outputs = inputs, [output]
        self.model.operatorCodes.append(entry)
        self.graph.operators.append(operator)
        return operator

    def save(self, path: Path, inputs: list[int], outputs: list[int]) -> Path:
        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        return path


def _convolution(
    net: _Tflite, given: int, channels: tuple[int, int], bias: float, int8: bool, side: int
) -> int:
    """Add a 3x3 convolution with ReLU from ``channels[0]`` to ``channels[1]``."""
    types = schema.TensorType
    shape = (channels[1], 3, 3, channels[0])
    generator = np.random.default_rng(1)
    if int8:
        weights = generator.integers(-127, 128, shape, np.int8)
        kernel = net.tensor(shape, types.INT8, weights, 0.01)
        shift = net.tensor(shape[:1], types.INT32, np.zeros(shape[:1], np.int32), 0.05 * 0.01)
        output = net.tensor((1, side, side, channels[1]), types.INT8, None, 0.1)
    else:
        kernel = net.tensor(shape, types.FLOAT32, generator.standard_normal(shape, np.float32))
        shift = net.tensor(shape[:1], types.FLOAT32, np.full(shape[:1], bias, np.float32))
        output = net.tensor((1, side, side, channels[1]), types.FLOAT32)
    operator = net.operator(
        schema.BuiltinOperator.CONV_2D, 3 if int8 else 1, [given, kernel, shift], output
    )
    operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    options = operator.builtinOptions = schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    return output


@pytest.fixture
def build_tflite(tmp_path: Path) -> Build:
    """``sign`` puts an operator that XNNPACK lacks between two convolutions."""

    def build(
        name: str = "small.tflite",
        channels: int = 8,
        bias: float = 0.0,
        int8: bool = False,
        sign: bool = False,
        side: int = SIDE,
    ) -> Path:
        net = _Tflite()
        types = schema.TensorType
        kind, scale = (types.INT8, 0.05) if int8 else (types.FLOAT32, None)
        given = net.tensor((1, side, side, 3), kind, None, scale)
        value = _convolution(net, given, (3, channels), bias, int8, side)
        if sign:
            signs = net.tensor((1, side, side, channels), types.FLOAT32)
            net.operator(schema.BuiltinOperator.SIGN, 1, [value], signs)
            value = _convolution(net, signs, (channels, channels), bias, int8, side)
        return net.save(tmp_path / name, [given], [value])

    return build


@pytest.fixture
def build_onnx(tmp_path: Path) -> Build:
    """``kind`` is the input's type; ``batch`` its first dimension, open where it is a name."""

    def build(
        name: str = "small.onnx",
        channels: int = 8,
        bias: float = 0.0,
        kind: int = TensorProto.FLOAT,
        batch: int | str = 1,
        side: int = SIDE,
    ) -> Path:
        generator = np.random.default_rng(1)
        weights = generator.standard_normal((channels, 3, 3, 3), np.float32)
        nodes = [
            helper.make_node("Cast", ["x"], ["float_x"], to=TensorProto.FLOAT),
            helper.make_node("Conv", ["float_x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["y"]),
        ]
        graph = helper.make_graph(
            nodes,
            "net",
            [helper.make_tensor_value_info("x", kind, [batch, 3, side, side])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, channels, side, side])],
            [
                numpy_helper.from_array(weights, "w"),
                numpy_helper.from_array(np.full(channels, bias, np.float32), "b"),
            ],
        )
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / name)
        return tmp_path / name

    return build


@pytest.fixture
def build_model(build_tflite: Build, build_onnx: Build) -> Build:
    """Either builder, chosen by the file name's suffix."""

    def build(name: str, **options: Any) -> Path:
        return (build_onnx if name.endswith(".onnx") else build_tflite)(name, **options)

    return build
