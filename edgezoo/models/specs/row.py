"""What the families' tables share: units, names and the usual input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# What a paper or README prints of one network, rounded as printed, beside its `source`: `top1`,
# `top5` (percent), `params`, `macs` (a multiply-accumulate counts 1), `latency_ms` by device.
# `input` is the side in pixels where it is not the network's own, `training` what set these weights
# apart. `note` explains where the print and the exact counts differ by more than rounding, or what
# is inferred; `others` is a tuple of such rows from other sources.
Published = Mapping[str, Any]  # Any: numbers, a source string and a mapping of latencies

INPUT = (1, 3, 224, 224)


def multiplier(value: float) -> str:
    """Return how a name spells a multiplier: ``x1_0``."""
    return "x" + str(value).replace(".", "_")


def million(value: float) -> float:
    """Return ``value`` millions as a whole number."""
    return round(value * 1e6, 0)


def joined(rows: Iterable[Published], note: str | None = None) -> Published:
    """Return the first row, with the rest as its ``others`` and ``note``; empty without rows."""
    first, *others = [dict(row) for row in rows] or [{}]
    if others:
        first["others"] = tuple(others)
    if note and first:
        first["note"] = note
    return first
