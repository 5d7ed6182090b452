"""From the graph to an ONNX file: float, or quantized in the QDQ form.

Same graph, same bytes. Names in the file are the graph's; a node is called as its output.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, helper

from edgezoo.artifacts import data_path
from edgezoo.converters.onnx import lowerings
from edgezoo.converters.onnx.emitter import Array, Emitter
from edgezoo.converters.onnx.protobuf import pieces, write_outside
from edgezoo.converters.onnx.table import LOWERINGS
from edgezoo.graph.attrs import CLIP_RANGES, Activation, Fusable
from edgezoo.graph.graph import INTEGER_RANGES, Graph, Node, QuantParams
from edgezoo.graph.passes.precision import round_constants

OPSET = 20  # the first with Gelu
IR_VERSION = 9  # the one of that opset; newer files do not load in older runtimes


LARGEST_ONE_FILE_BYTES = 2**30  # a protobuf message ends at 2 GiB, and is held in memory whole
SMALLEST_OUTSIDE_BYTES = 1024  # shapes and scales stay inside, where graph optimizers look for them

Parts = tuple[tuple[ModelProto, ModelProto], tuple[GraphProto, GraphProto], dict[str, Array]]


def onnx_bytes(graph: Graph) -> bytes:
    """Return ``graph`` as the bytes of an ONNX model with float32 inputs and outputs, NCHW.

    Values with ``QuantParams`` are rounded by QuantizeLinear → DequantizeLinear; integer constants
    are stored as they are, before a DequantizeLinear.
    """
    return b"".join(pieces(*_parts(graph)))


def write_onnx(
    graph: Graph, path: Path, *, largest_one_file_bytes: int = LARGEST_ONE_FILE_BYTES
) -> None:
    """Write ``graph`` as an ONNX model, as ``onnx_bytes`` makes it.

    More weights than ``largest_one_file_bytes`` go into ``path`` with ``.data`` behind it; the model
    holds the SHA-256 of that file, so that other weights are another model.
    """
    models, graphs, initializers = _parts(graph)
    if sum(array.nbytes for array in initializers.values()) > largest_one_file_bytes:
        outside = {n: a for n, a in initializers.items() if a.nbytes >= SMALLEST_OUTSIDE_BYTES}
        tensors, sha256 = write_outside(outside, data_path(path))
        graphs[1].initializer.extend(tensors)
        models[1].metadata_props.add(key="weights_sha256", value=sha256)
        initializers = {n: a for n, a in initializers.items() if n not in outside}
    with path.open("wb") as file:
        file.writelines(pieces(models, graphs, initializers))


def _parts(graph: Graph) -> Parts:
    """Return what comes before and after the graph, before and after its initializers, and these."""
    graph = round_constants(graph)
    emitter = Emitter(graph)
    for name in graph.inputs:
        quant = graph.values[name].quant
        if quant is not None:
            emitter.names[name] = emitter.rounded(name, emitter.fresh(f"{name}/rounded"), quant)
    for node in graph.nodes:
        _write(emitter, node)
    models = (
        ModelProto(ir_version=IR_VERSION, producer_name="edgezoo", producer_version=_version()),
        ModelProto(opset_import=[helper.make_opsetid("", OPSET)]),
    )
    known = [node.output for node in graph.nodes if node.output not in graph.outputs]
    graphs = (
        GraphProto(node=emitter.nodes, name=graph.name),
        GraphProto(
            input=[_described(graph, name) for name in graph.inputs],
            output=[_described(graph, name) for name in graph.outputs],
            value_info=[_described(graph, name) for name in known],
        ),
    )
    return models, graphs, emitter.initializers


def _version() -> str:
    return version("edgezoo")


def _write(emitter: Emitter, node: Node) -> None:
    """Write the op, its fused activation where the grid does not clip anyway, and the rounding."""
    quant = emitter.graph.values[node.output].quant
    activation = node.attrs.activation if isinstance(node.attrs, Fusable) else None
    if activation is not None and quant is not None and saturates(quant, activation):
        activation = None
    exact = node.output if quant is None else emitter.fresh(f"{node.output}/exact")
    raw = exact if activation is None else emitter.fresh(f"{node.output}/raw")
    LOWERINGS[node.op](emitter, node.attrs, node, raw)
    if activation is not None:
        _activate(emitter, activation, raw, exact)
    if quant is not None:
        emitter.rounded(exact, node.output, quant)


def _activate(emitter: Emitter, activation: Activation, source: str, output: str) -> None:
    if activation == "relu":
        emitter.node("Relu", [source], output)
        return
    bounds = lowerings.clip_bounds(emitter, output, *CLIP_RANGES[activation])
    emitter.node("Clip", [source, *bounds], output)


def saturates(quant: QuantParams, activation: Activation) -> bool:
    """Tell whether rounding to the grid clips as the activation does, to within half a step.

    The grid holds ``scale * (q - zero_point)`` for q in [-128, 127]; what lies outside saturates.
    """
    low, high = CLIP_RANGES[activation]
    scale, zero_point = float(quant.scale[0]), int(quant.zero_point[0])
    smallest, largest = (scale * (q - zero_point) for q in INTEGER_RANGES[quant.dtype])
    half_a_step = 0.501 * scale  # [-1, 1] in 255 steps is off by half a step, rounded to float32
    return smallest >= low - half_a_step and largest <= high + half_a_step


def _described(graph: Graph, name: str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, graph.shape(name))
