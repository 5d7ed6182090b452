"""Reference runs as a table for people: one row per setting, latency and throughput apart."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from edgezoo.cli.tables import STATUS_STYLES, empty_table, latency_cells
from edgezoo.measurement import Measurement
from edgezoo.report import numbers


def references(taken: Sequence[Measurement]) -> RenderableType:
    """Return one row per network or file and setting, and under the table how to read it."""
    table = empty_table(
        *("model", "setting", "latency", "95 % interval", "p90", "throughput", "peak memory"),
        "status",
        left=("setting", "status"),
    )
    for measurement in taken:
        memory = measurement.peak_memory_mib
        table.add_row(
            Text(measurement.artifact),
            Text(_setting(measurement)),
            *latency_cells(measurement.latency_ms),
            numbers.images_per_second(measurement.throughput),
            numbers.ABSENT if memory is None else numbers.mebibytes(memory),
            Text(measurement.status, STATUS_STYLES[measurement.status]),
        )
    doubted = [m for m in taken if m.status != "ok" and m.message]
    # The message of a failure names what failed itself.
    notes = [m.message if m.status == "failed" else f"{m.title}: {m.message}" for m in doubted]
    return Group(table, *(Text(str(note)) for note in notes), *_conditions(taken))


def _setting(measurement: Measurement) -> str:
    reference = measurement.plan.reference
    return numbers.ABSENT if reference is None else reference.label


def _conditions(taken: Sequence[Measurement]) -> tuple[Text, ...]:
    if not taken:
        return ()
    plan, device = taken[0].plan, taken[0].device
    kind = "a GPU reference" if device.kind == "gpu" else "on this computer's processor"
    return (
        Text(
            f"median of {plan.processes} processes x {plan.runs} runs on {device.name}, {kind}, not "
            "on a phone; inputs and outputs stay on the device; throughput from runs back to back",
            "dim",
        ),
    )
