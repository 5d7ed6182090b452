"""Profiles as tables for people, below the latencies."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from edgezoo.cli.tables import empty_table
from edgezoo.measurement import Measurement, Profile
from edgezoo.report import numbers
from edgezoo.report.profile import (
    by_kind,
    by_place,
    coverage_sentence,
    longest,
    rate,
    share_of,
    shown_value,
)

SHOWN_OPS = 10
SHOWN_KINDS = 6


def with_profiles(above: RenderableType, taken: Sequence[Measurement]) -> RenderableType:
    """Return ``above`` and below it the profile of every measurement that has one."""
    profiles = [(m.artifact, m.profile) for m in taken if m.profile is not None]
    return Group(above, *(part for found in profiles for part in ("", *_profile(*found))))


def _profile(artifact: str, profile: Profile) -> tuple[RenderableType, ...]:
    places = ", ".join(f"{s.name} {numbers.percent(s.share)}" for s in by_place(profile))
    return (
        Text(f"{artifact}: where the time goes", "bold"),
        _operations(profile),
        Text(""),
        _kinds(profile),
        Text(f"executed by: {places}", "dim"),
        Text(coverage_sentence(profile), "dim"),
    )


def _operations(profile: Profile) -> RenderableType:
    table = empty_table("operation", "computes", "time", "share", "MACs", "achieved",
                        left=("computes",))  # fmt: skip
    for op in longest(profile, SHOWN_OPS):
        table.add_row(
            Text(op.op),
            Text(shown_value(op) or numbers.ABSENT),
            numbers.milliseconds(op.ms),
            numbers.percent(share_of(op, profile)),
            numbers.count(op.macs) if op.macs else numbers.ABSENT,
            rate(op) or numbers.ABSENT,
        )
    return table


def _kinds(profile: Profile) -> RenderableType:
    table = empty_table("kind", "count", "time", "share")
    for share in by_kind(profile)[:SHOWN_KINDS]:
        table.add_row(
            Text(share.name),
            numbers.count(share.count),
            numbers.milliseconds(share.ms),
            numbers.percent(share.share),
        )
    return table
