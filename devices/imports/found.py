"""What a result file of another tool says, before it becomes a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgezoo.measurement import MeasuredFormat, ProcessSamples


@dataclass(frozen=True, slots=True)
class Found:
    """One process of another tool; ``graph`` is the model as it names it, empty where it does not.

    ``notes`` are sentences that a reader of the number has to know.
    """

    process: ProcessSamples
    runner: str
    format: MeasuredFormat
    delegate: Mapping[str, Any]
    graph: str = ""
    threads: int = 1
    warmup: int = 0
    notes: tuple[str, ...] = ()
