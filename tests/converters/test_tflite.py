"""The TFLite writer against PyTorch, in LiteRT, over the whole cases table."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch.nn.functional as F
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor, nn

from edgezoo.converters.tflite.lowering import LOWERINGS
from edgezoo.converters.tflite.runner import TfliteRunner
from edgezoo.converters.tflite.versions import operator_version
from edgezoo.converters.tflite.writer import tflite_bytes
from edgezoo.errors import ArtifactError
from edgezoo.graph.ops import OPS
from edgezoo.graph.passes import optimize
from edgezoo.graph.passes.precision import round_constants
from edgezoo.types import Inspection
from tests.graph.case import Case, call, layers
from tests.graph.cases import CASES

# float32 sums in another order, over at most a few hundred terms
TOLERANCE = 5e-6
# what XNNPACK does not take in float32 (LiteRT 2.3.0); everything else must be in one partition
OUTSIDE_XNNPACK = {
    "BROADCAST_TO", "LOG_SOFTMAX", "PADV2", "POW", "RESIZE_NEAREST_NEIGHBOR", "STRIDED_SLICE"
}  # fmt: skip

each_case = pytest.mark.parametrize("case", CASES, ids=str)


@cache
def written(case: Case) -> bytes:
    return bytes(tflite_bytes(optimize(case.graph())))


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@each_case
def test_outputs_are_pytorchs(case: Case) -> None:
    outputs = TfliteRunner(written(case)).run(case.inputs().numpy())
    for expected, output in zip(case.expected(), outputs, strict=True):
        reference = np.atleast_1d(expected.numpy())
        assert output.shape == reference.shape
        assert np.abs(output - reference).max() <= TOLERANCE * np.abs(reference).max()


@each_case
def test_the_unoptimized_graph_gives_the_same(case: Case) -> None:
    runner = TfliteRunner(tflite_bytes(round_constants(case.graph())))
    outputs = runner.run(case.inputs().numpy())
    for expected, output in zip(case.expected(), outputs, strict=True):
        reference = np.atleast_1d(expected.numpy())
        assert np.abs(output - reference).max() <= TOLERANCE * np.abs(reference).max()


@each_case
def test_names_are_unique_and_the_graphs_own(case: Case) -> None:
    graph = optimize(case.graph())
    model = schema.ModelT.InitFromPackedBuf(written(case), 0)
    names = [tensor.name.decode() for tensor in model.subgraphs[0].tensors]
    assert max(Counter(names).values()) == 1
    relabelled = {node.output for node in graph.nodes if node.op == "permute"}
    assert {node.output for node in graph.nodes} - relabelled <= set(names)


@each_case
def test_buffers_are_aligned_and_bytes_are_reproducible(case: Case) -> None:
    data = written(case)
    model = schema.Model.GetRootAs(data, 0)
    filled = [model.Buffers(i) for i in range(model.BuffersLength()) if model.Buffers(i).Data(0)]
    offsets = [buffer._tab.Vector(buffer._tab.Offset(4)) for buffer in filled]
    assert all(offset % 16 == 0 for offset in offsets)
    assert bytes(tflite_bytes(optimize(case.graph()))) == data


@each_case
def test_xnnpack_takes_the_whole_graph_but_the_ops_it_does_not_know(case: Case) -> None:
    runner = TfliteRunner(written(case))
    inspection = runner.inspect()
    if OUTSIDE_XNNPACK & set(inspection.ops):
        details = runner._interpreter._get_ops_details()
        taken = [op for op in details if op["op_name"] == "DELEGATE"]
        covered = {int(index) for op in taken for index in op["outputs"]}
        outside = [op for op in details if op["op_name"] in OUTSIDE_XNNPACK]
        assert not any(int(index) in covered for op in outside for index in op["outputs"])
    elif inspection.ops:
        assert inspection.partitions == 1


def test_every_op_has_a_lowering() -> None:
    assert set(LOWERINGS) == set(OPS)


def test_a_network_has_pictures_channels_last_and_a_signature() -> None:
    case = named("two_outputs")
    interpreter = Interpreter(model_content=written(case))
    runner = interpreter.get_signature_runner("serving_default")
    assert list(runner.get_input_details()["input"]["shape"]) == [1, 9, 7, 4]
    outputs = runner(input=case.inputs().permute(0, 2, 3, 1).contiguous().numpy())
    features, scores = (tensor.numpy() for tensor in case.expected())
    assert set(outputs) == {"output_0", "output_1"}
    np.testing.assert_allclose(outputs["output_0"].transpose(0, 3, 1, 2), features, atol=1e-5)
    np.testing.assert_allclose(outputs["output_1"], scores, atol=1e-5)


def test_one_output_is_called_output() -> None:
    interpreter = Interpreter(model_content=written(named("conv")))
    assert set(interpreter.get_signature_runner().get_output_details()) == {"output"}


def test_a_shuffled_network_needs_no_gather_and_no_more_transposes_than_shuffles() -> None:
    inspection = TfliteRunner(written(named("channel_shuffle"))).inspect()
    assert inspection.ops == {"RESHAPE": 2, "TRANSPOSE": 1}


def test_a_max_pool_that_same_does_not_pad_stays_in_xnnpack() -> None:
    shape = (1, 4, 10, 8)  # TensorFlow's SAME would pad after, PyTorch pads before
    pool = layers("pool", lambda: (nn.MaxPool2d(3, 2, 1),), shape)
    inspection = TfliteRunner(written(pool)).inspect()
    assert inspection == Inspection({"SLICE": 2, "CONCATENATION": 2, "MAX_POOL_2D": 1}, 1)
    rectified = layers("relu_pool", lambda: (nn.ReLU(), nn.MaxPool2d(3, 2, 1)), shape)
    inspection = TfliteRunner(written(rectified)).inspect()
    assert inspection == Inspection({"RELU": 1, "PAD": 1, "MAX_POOL_2D": 1}, 1)
    in_ceil_mode = layers("ceil_pool", lambda: (nn.MaxPool2d(3, 2, ceil_mode=True),), shape)
    assert TfliteRunner(written(in_ceil_mode)).inspect() == Inspection({"MAX_POOL_2D": 1}, 1)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(3, 1, (1, 0, 1, 0)), (5, 2, (2, 2, 1, 2)), (4, 3, (2, 1, 0, 2)), ((2, 4), 1, (2, 1, 1, 1))],
)
def test_a_max_pool_of_negative_numbers_never_sees_a_padded_zero(
    kernel: Any, stride: int, padding: tuple[int, int, int, int]
) -> None:
    """Padding by hand reaches what ``nn.MaxPool2d`` does not allow: other sides, other amounts."""

    def pool(x: Tensor) -> Tensor:
        padded = F.pad(-x.abs() - 1, padding, value=float("-inf"))
        return F.max_pool2d(padded, kernel, stride)

    case = call(f"pool_{kernel}_{stride}_{padding}", pool, (1, 3, 8, 7))
    (output,) = TfliteRunner(written(case)).run(case.inputs().numpy())
    np.testing.assert_array_equal(output, case.expected()[0].numpy())


def test_a_max_pool_padded_by_more_than_its_windows_share_uses_minus_infinity() -> None:
    def pool(x: Tensor) -> Tensor:
        return F.max_pool2d(F.pad(x, (3, 0, 0, 0), value=float("-inf")), 3)[..., 1:]

    case = call("pool_far", pool, (1, 3, 9, 10))
    runner = TfliteRunner(written(case))
    assert runner.inspect().ops["PADV2"] == 1
    np.testing.assert_array_equal(runner.run(case.inputs().numpy())[0], case.expected()[0].numpy())


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        ("permute", {}),  # a channels-last output is what is stored
        ("channels_last_mlp", {"FULLY_CONNECTED": 2, "GELU": 1, "ADD": 1}),
        ("classifier", {"TRANSPOSE": 1, "RESHAPE": 1, "FULLY_CONNECTED": 2}),
        ("pooled_tokens", {"MEAN": 1}),
        ("conv_groups", {"CONV_2D": 1}),
        ("conv_depthwise_twice", {"DEPTHWISE_CONV_2D": 1}),
        ("conv_padded_by_hand", {"CONV_2D": 1}),  # TensorFlow's own SAME
        ("max_pool_padded", {"MAX_POOL_2D": 1}),  # the same at an odd size
        ("conv_norm_relu", {"CONV_2D": 1}),
        ("avg_pool_padded", {"DEPTHWISE_CONV_2D": 1}),
        ("avg_pool_divisor", {"DEPTHWISE_CONV_2D": 1}),
    ],
)
def test_no_operator_is_written_in_vain(name: str, operators: dict[str, int]) -> None:
    counts = dict(TfliteRunner(written(named(name))).inspect().ops)
    if name == "permute":
        counts.pop("TRANSPOSE")
    assert counts == operators


def tensor(
    shape: tuple[int, ...], kind: int = schema.TensorType.FLOAT32, scale: float | None = None
) -> Any:
    made = schema.TensorT()
    made.shape, made.type = np.array(shape, np.int32), kind
    if scale is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.array([scale], np.float32)
    return made


def options(kind: str, **values: Any) -> Any:
    made = getattr(schema, f"{kind}OptionsT")()
    for name, value in values.items():
        setattr(made, name, value)
    return made


FLOAT, INT8 = schema.TensorType.FLOAT32, schema.TensorType.INT8
PICTURE, ROW, FIVE = (1, 8, 8, 4), (2, 4), (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("code", "inputs", "settings", "version"),
    [
        ("CONV_2D", [tensor(PICTURE), tensor((6, 3, 3, 4))], options("Conv2D"), 1),
        ("CONV_2D", [tensor(PICTURE, INT8), tensor((6, 3, 3, 4), INT8)], options("Conv2D"), 3),
        ("CONV_2D", [tensor(PICTURE), tensor((6, 3, 3, 2))], options("Conv2D"), 6),
        ("CONV_2D", [tensor(PICTURE, INT8), tensor((6, 3, 3, 2), INT8)], options("Conv2D"), 6),
        ("DEPTHWISE_CONV_2D", [tensor(PICTURE)], options("DepthwiseConv2D", dilationHFactor=1,
                                                         dilationWFactor=1), 1),
        ("DEPTHWISE_CONV_2D", [tensor(PICTURE)], options("DepthwiseConv2D", dilationHFactor=2,
                                                         dilationWFactor=1), 2),
        ("DEPTHWISE_CONV_2D", [tensor(PICTURE, INT8)], options("DepthwiseConv2D", dilationHFactor=2,
                                                               dilationWFactor=1), 3),
        ("FULLY_CONNECTED", [tensor(ROW)], options("FullyConnected"), 1),
        ("FULLY_CONNECTED", [tensor(ROW, INT8)], options("FullyConnected"), 4),
        ("FULLY_CONNECTED", [tensor(ROW, INT8)], options("FullyConnected", keepNumDims=True), 5),
        ("TRANSPOSE_CONV", [tensor((4,), schema.TensorType.INT32)], options("TransposeConv"), 3),
        ("TRANSPOSE_CONV", [tensor((4,), schema.TensorType.INT32)],
         options("TransposeConv", fusedActivationFunction=1), 4),
        ("MUL", [tensor(ROW), tensor(ROW)], options("Mul"), 1),
        ("MUL", [tensor(ROW, INT8, 0.1), tensor(ROW, INT8, 0.1)], options("Mul"), 2),
        ("MUL", [tensor(ROW, INT8, 2.0), tensor(ROW, INT8, 0.5)], options("Mul"), 3),
        ("TRANSPOSE", [tensor(FIVE)], options("Transpose"), 4),
        ("TRANSPOSE", [tensor((*FIVE, 2))], options("Transpose"), 6),
        ("SLICE", [tensor(FIVE)], options("Slice"), 5),
        ("PAD", [tensor(FIVE)], options("Pad"), 4),
        ("STRIDED_SLICE", [tensor(FIVE)], options("StridedSlice"), 4),
        ("SUB", [tensor(FIVE), tensor(FIVE)], options("Sub"), 1),
        ("SUB", [tensor(FIVE), tensor((1, 2, 1, 4, 5))], options("Sub"), 3),
        ("DIV", [tensor(FIVE), tensor((1, 2, 1, 4, 5))], options("Div"), 2),
        ("MAXIMUM", [tensor(FIVE), tensor((1,))], options("MaximumMinimum"), 3),
        ("RESIZE_BILINEAR", [tensor(PICTURE)], options("ResizeBilinear"), 1),
        ("RESIZE_BILINEAR", [tensor(PICTURE)], options("ResizeBilinear", halfPixelCenters=True), 3),
        ("BROADCAST_TO", [tensor(ROW)], options("BroadcastTo"), 2),
        ("BROADCAST_TO", [tensor(ROW, INT8)], options("BroadcastTo"), 3),
        ("LEAKY_RELU", [tensor(ROW, INT8)], options("LeakyRelu"), 1),
        ("QUANTIZE", [tensor(ROW)], None, 1),
        ("DEQUANTIZE", [tensor(ROW, INT8)], None, 2),
    ],
)  # fmt: skip
def test_versions_are_those_of_op_version_cc(
    code: str, inputs: list[Any], settings: Any, version: int
) -> None:
    output = tensor(ROW, INT8, 0.9) if code == "MUL" else inputs[-1]
    assert operator_version(code, inputs, output, settings) == version


def test_a_broken_file_is_reported_in_one_sentence() -> None:
    with pytest.raises(ArtifactError, match="LiteRT cannot load the model"):
        TfliteRunner(b"no flatbuffer at all")
