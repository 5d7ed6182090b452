"""Sums over a profile: by operation, by what executed it, and by module path."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgezoo.measurement import OpTime, Profile
from edgezoo.report.numbers import milliseconds, percent, significant

UNJOINED = "not in the file"
# Leaves that our writers append to the name of a module's value.
_PLAIN_LEAVES = ("raw", "exact", "quantized", "rounded")


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the operations' time: ``count`` operations, ``share`` of all."""

    name: str
    ms: float
    share: float
    count: int
    macs: int = 0


def by_kind(profile: Profile) -> tuple[Share, ...]:
    """Return the sums per kind of operation ("Convolution", "Conv"), longest first."""
    return _shares(profile, lambda op: op.op.split(" (")[0] or op.name)


def by_place(profile: Profile) -> tuple[Share, ...]:
    """Return the sums per what executed the operations, longest first."""
    return _shares(profile, lambda op: op.where or "unknown")


def longest(profile: Profile, count: int) -> tuple[OpTime, ...]:
    """Return the ``count`` operations that took longest."""
    return tuple(sorted(profile.ops, key=lambda op: -op.ms)[:count])


def share_of(op: OpTime, profile: Profile) -> float:
    """Return the share of one operation in the time of all."""
    return op.ms / profile.ops_ms if profile.ops_ms else 0.0


def shown_value(op: OpTime) -> str | None:
    """Return the file's value that an operation computes, without what our writers append."""
    if op.value is None:
        return None
    name, _, leaf = op.value.rpartition("/")
    return name if name and leaf in _PLAIN_LEAVES else op.value


def path_of(op: OpTime) -> tuple[str, ...]:
    """Return the module path of an operation, outermost first: blocks, 0, conv.

    What the runtime added itself stands under one name of its own.
    """
    value = shown_value(op)
    if value is None:
        return (UNJOINED, op.op.split(" (")[0] or op.name)
    return tuple(part for part in re.split(r"[./]", value) if part) or (value,)


def coverage_sentence(profile: Profile) -> str:
    """Return what the numbers stand for and what they leave open."""
    runs = "of 1 inference" if profile.runs == 1 else f"mean of {profile.runs} inferences"
    count = len(profile.ops)
    words = "1 operation takes" if count == 1 else f"{count} operations take"
    parts = [f"{words} {milliseconds(profile.ops_ms)} ({runs})"]
    if profile.whole_ms is not None and profile.coverage is not None:
        parts.append(
            f"{percent(profile.coverage)} of the {milliseconds(profile.whole_ms)} of a whole "
            "inference in the same instrumented process"
        )
    if profile.joined is not None and profile.joined < 1:
        parts.append(f"{percent(1 - profile.joined)} of it belongs to no node of the file")
    return "; ".join(parts) + "."


def rate(op: OpTime) -> str:
    """Return achieved operations per second as text; empty where there are no MACs."""
    return "" if op.gflops is None else f"{significant(op.gflops)} GOP/s"


def _shares(profile: Profile, name: Callable[[OpTime], str]) -> tuple[Share, ...]:
    groups: dict[str, list[OpTime]] = {}
    for op in profile.ops:
        groups.setdefault(name(op), []).append(op)
    total = profile.ops_ms or 1.0
    shares = (_share(key, ops, total) for key, ops in groups.items())
    return tuple(sorted(shares, key=lambda share: (-share.ms, share.name)))


def _share(name: str, ops: Iterable[OpTime], total_ms: float) -> Share:
    listed = tuple(ops)
    ms = math.fsum(op.ms for op in listed)
    return Share(name, ms, ms / total_ms, len(listed), sum(op.macs or 0 for op in listed))
