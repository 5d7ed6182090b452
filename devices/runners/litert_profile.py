"""LiteRT's own profiler, through the C functions that libLiteRt.so exports (2.x).

XNNPACK appears operator by operator, each with the whole microseconds that it took. The library is
the one of the ai-edge-litert package, whose interpreter is timed; the interpreter itself has no
profiler. Declarations: litert/c/litert_*.h of google-ai-edge/LiteRT.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgezoo.devices.runners.quiet import mean_ms, quieter_half
from edgezoo.devices.runners.session import RunnerError
from edgezoo.measurement import OpTime, Profile

if TYPE_CHECKING:
    from edgezoo.plan import Plan

PACKAGE, LIBRARY = "ai_edge_litert", "libLiteRt.so"
MOST_EVENTS = 1 << 20

# LiteRtProfilerEventType
INVOKE, OPERATOR, DELEGATE_OPERATOR = 1, 2, 8
WHERE: Mapping[int, str] = {OPERATOR: "built-in kernels", DELEGATE_OPERATOR: "XNNPACK"}


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the profiler: its kind, what it is called, and how long it took."""

    kind: int
    tag: str
    us: int


def profile(path: Path, plan: Plan) -> Profile:
    """Run a .tflite file under the profiler; raises ``RunnerError``."""
    from edgezoo.devices.runners.litert_library import open_profiled

    run = open_profiled(_library(), path, plan.threads, plan.seed)
    for _ in range(1 + plan.warmup):
        run()
    return averaged([run() for _ in range(plan.runs)])


def averaged(inferences: Sequence[Sequence[Event]]) -> Profile:
    """Return the mean time of every operator over the quieter half of the inferences.

    Raises ``RunnerError`` where one ran other operators than the first, or none at all.
    """
    runs = [[event for event in events if event.kind in WHERE] for events in inferences]
    names = [(event.kind, event.tag) for event in runs[0]]
    if not names:
        raise RunnerError("bad_output", "its profile holds no operator")
    if any([(event.kind, event.tag) for event in events] != names for events in runs):
        raise RunnerError("bad_output", "its profile differs from run to run")
    whole_us = [sum(e.us for e in events if _is_whole(e)) for events in inferences]
    quiet = quieter_half(whole_us)
    ops = tuple(
        OpTime(
            f"{tag}:{index}", tag, mean_ms([runs[n][index].us for n in quiet]), where=WHERE[kind]
        )
        for index, (kind, tag) in enumerate(names)
    )
    known = all(whole_us)
    return Profile(ops, len(quiet), mean_ms([whole_us[n] for n in quiet]) if known else None)


def _is_whole(event: Event) -> bool:
    return event.kind == INVOKE and event.tag == "Invoke"


def _library() -> Any:  # Any: ctypes finds functions by name
    found = importlib.util.find_spec(PACKAGE)
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / LIBRARY
        if path.exists():
            return ctypes.CDLL(str(path))
    reason = f"{PACKAGE} holds no {LIBRARY}: run pip install 'ai-edge-litert>=2' to profile"
    raise RunnerError("library_missing", reason)
