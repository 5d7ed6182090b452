"""LiteRT in process, with XNNPACK, which the interpreter applies on its own unless told not to.

XNNPACK leaves the operators it takes in the list and appends one DELEGATE node per partition, so
what remains for the built-in kernels has to be worked out from the tensors (``delegated``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgezoo.devices.runners.litert_profile import profile
from edgezoo.devices.runners.session import (
    InputInfo,
    Runner,
    Session,
    runner_error,
)

if TYPE_CHECKING:
    from edgezoo.devices.runners.session import Tensor
    from edgezoo.plan import Plan

DELEGATE_NODE = "DELEGATE"


def open_session(path: Path, plan: Plan) -> Session:
    """Load a .tflite file with its tensors allocated; raises ``RunnerError``.

    Without ``plan.xnnpack`` the built-in kernels run every operator: the optimized ones, not the
    reference ones.
    """
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(
            model_path=str(path),
            num_threads=plan.threads,
            experimental_op_resolver_type=OpResolverType.AUTO if plan.xnnpack else plain,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise runner_error("load_error", error) from error
    inputs = interpreter.get_input_details()
    outputs = interpreter.get_output_details()

    def feed(tensors: Sequence[Tensor]) -> None:
        for detail, tensor in zip(inputs, tensors, strict=True):
            interpreter.set_tensor(detail["index"], tensor)

    def invoke() -> None:
        try:
            interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise runner_error("run_error", error) from error

    return Session(
        inputs=tuple(
            InputInfo(d["name"], tuple(map(int, d["shape"])), np.dtype(d["dtype"])) for d in inputs
        ),
        feed=feed,
        invoke=invoke,
        outputs=lambda: tuple(interpreter.get_tensor(d["index"]) for d in outputs),
        # No public call lists the operators after delegation.
        delegate=delegated(interpreter._get_ops_details(), plan.xnnpack),
    )


def delegated(nodes: Sequence[Mapping[str, Any]], xnnpack: bool = True) -> dict[str, Any]:
    """Return how many of the model's operators XNNPACK took, and in how many partitions.

    ``nodes`` are the interpreter's: every operator of the file, then one DELEGATE per partition.
    A partition holds all operators between its inputs and its outputs. ``xnnpack`` tells whether
    it was asked for.
    """
    partitions = [node for node in nodes if node["op_name"] == DELEGATE_NODE]
    operators = [node for node in nodes if node["op_name"] != DELEGATE_NODE]
    producer = {int(t): node for node in operators for t in node["outputs"]}
    taken: set[int] = set()
    for partition in partitions:
        given = {int(t) for t in partition["inputs"]}
        tensors = [int(t) for t in partition["outputs"]]
        while tensors:
            tensor = tensors.pop()
            node = producer.get(tensor)
            if tensor not in given and node is not None and node["index"] not in taken:
                taken.add(node["index"])
                tensors += [int(t) for t in node["inputs"]]
    left = {node["op_name"] for node in operators if node["index"] not in taken}
    return {
        "requested": "xnnpack" if xnnpack else "none",
        "used": "xnnpack" if partitions else "none",
        "partitions": len(partitions),
        "delegated_ops": len(taken),
        "total_ops": len(operators),
        "remaining_ops": sorted(left),
    }


LITERT = Runner(
    name="litert",
    format="tflite",
    module="ai_edge_litert.interpreter",
    distribution="ai-edge-litert",
    open=open_session,
    profile=profile,
)
