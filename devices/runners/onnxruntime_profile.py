"""ONNX Runtime's profile, a Chrome trace: one event per executed node, then one per inference."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from edgezoo.devices.runners.quiet import mean_ms, quieter_half
from edgezoo.devices.runners.session import RunnerError
from edgezoo.measurement import OpTime, Profile

KERNEL_SUFFIX = "_kernel_time"
RUN_EVENT = "model_run"

Event = Mapping[str, Any]  # Any: JSON


def read_trace(content: bytes, untimed: int, runs: int) -> Profile:
    """Return the mean time of every node over the quieter half of the last ``runs`` inferences.

    The first ``untimed`` inferences are left out. Raises ``RunnerError`` where the trace is cut or
    an inference ran other nodes than the others.
    """
    try:
        events = [event for event in json.loads(content) if isinstance(event, Mapping)]
        inferences = list(_inferences(events))[untimed:]
    except (ValueError, KeyError, TypeError) as error:
        raise RunnerError("bad_output", f"its profile cannot be read ({error})") from error
    if len(inferences) != runs:
        raise RunnerError("bad_output", f"its profile holds {len(inferences)} of {runs} runs")
    first = inferences[0][0]
    names = [event["name"] for event in first]
    if any([event["name"] for event in nodes] != names for nodes, _ in inferences):
        raise RunnerError("bad_output", "its profile differs from run to run")
    quiet = [inferences[i] for i in quieter_half([float(run["dur"]) for _, run in inferences])]
    ops = tuple(
        OpTime(
            name=str(event["name"]).removesuffix(KERNEL_SUFFIX),
            op=str(event["args"].get("op_name", "")),
            ms=mean_ms([float(nodes[index]["dur"]) for nodes, _ in quiet]),
            where=event["args"].get("provider"),
        )
        for index, event in enumerate(first)
    )
    return Profile(ops, len(quiet), mean_ms([float(run["dur"]) for _, run in quiet]))


def _inferences(events: Iterable[Event]) -> Iterable[tuple[list[Event], Event]]:
    """Yield the nodes of each inference with the event of the inference, which follows them."""
    nodes: list[Event] = []
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith(KERNEL_SUFFIX):
            nodes.append(event)
        elif event["name"] == RUN_EVENT:
            yield nodes, event
            nodes = []
