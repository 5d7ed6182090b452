"""ONNX Runtime's profile, a Chrome trace: one event per executed node, then one per inference."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from edgezoo.devices.runners.quiet import mean_ms, quieter_half
from edgezoo.devices.runners.session import RunnerError
from edgezoo.measurement import OpTime, Profile

KERNEL_SUFFIX = "_kernel_time"
RUN_EVENT = "model_run"


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    op: str
    provider: str
    us: float


@dataclass(frozen=True, slots=True)
class _Inference:
    nodes: tuple[_Node, ...]
    us: float

    @property
    def names(self) -> list[str]:
        return [node.name for node in self.nodes]


def read_trace(content: bytes, untimed: int, runs: int) -> Profile:
    """Return the mean time of every node over the quieter half of the last ``runs`` inferences.

    The first ``untimed`` inferences are left out. Raises ``RunnerError`` where the trace is cut or
    an inference ran other nodes than the others.
    """
    try:
        inferences = list(_inferences(json.loads(content)))[untimed:]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunnerError("bad_output", f"its profile cannot be read ({error})") from error
    if len(inferences) != runs:
        raise RunnerError("bad_output", f"its profile holds {len(inferences)} of {runs} runs")
    first = inferences[0]
    if any(inference.names != first.names for inference in inferences):
        raise RunnerError("bad_output", "its profile differs from run to run")
    quiet = [inferences[index] for index in quieter_half([run.us for run in inferences])]
    ops = tuple(
        OpTime(
            node.name,
            node.op,
            mean_ms([inference.nodes[index].us for inference in quiet]),
            where=node.provider,
        )
        for index, node in enumerate(first.nodes)
    )
    return Profile(ops, len(quiet), mean_ms([inference.us for inference in quiet]))


def _inferences(events: Iterable[Any]) -> Iterator[_Inference]:  # Any: JSON
    """Yield every inference; its event follows those of its nodes."""
    nodes: list[_Node] = []
    for event in events:
        name = event["name"]
        if event["cat"] == "Node" and name.endswith(KERNEL_SUFFIX):
            told = event["args"]
            op, provider = str(told["op_name"]), str(told["provider"])
            nodes.append(_Node(name.removesuffix(KERNEL_SUFFIX), op, provider, float(event["dur"])))
        elif name == RUN_EVENT:
            yield _Inference(tuple(nodes), float(event["dur"]))
            nodes = []
