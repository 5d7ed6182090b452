"""Results as tables for people; scripts read ``--json``.

Each function takes a noun and returns something that rich can print. Numbers are written as the
report writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgezoo.measurement import CompareResult, Latency, Measurement
from edgezoo.models.look import latencies_ms, top1_of
from edgezoo.report import numbers
from edgezoo.types import (
    Artifact,
    Comparison,
    ModelInfo,
    ReportFiles,
    RunResult,
)

if TYPE_CHECKING:
    from edgezoo.devices.runners.build import BuiltRunner
    from edgezoo.doctor import Finding

STATUS_STYLES = {"ok": "green", "unstable": "yellow", "throttled": "yellow", "failed": "red"}


def empty_table(*columns: str, left: Sequence[str] = ()) -> Table:
    """Return an empty table; numbers stand right, the columns in ``left`` and the first one left."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for index, name in enumerate(columns):
        at_left = index == 0 or name in left
        table.add_column(
            name, justify="left" if at_left else "right", overflow="fold", no_wrap=not at_left
        )
    return table


def artifacts(made: Sequence[Artifact]) -> RenderableType:
    """Return one row per model file, and under the table what each was compared on."""
    table = empty_table("file", "size", "SQNR", "agreement", "rel. error", "", left=("",))
    for artifact in made:
        comparison = artifact.comparison
        table.add_row(
            Text(str(artifact.path)),
            numbers.megabytes(artifact.bytes),
            numbers.decibels(comparison.sqnr_db),
            numbers.percent(comparison.top1_agreement),
            numbers.relative_error(comparison.max_rel),
            Text("reused", "dim") if artifact.reused else "",
        )
    recipes: dict[str, list[str]] = {}
    for artifact in made:
        uses = recipes.setdefault(_inputs(artifact.comparison), [])
        uses += [artifact.recipe] if artifact.recipe not in uses else []
    compared = "; ".join(f"{', '.join(names)} on {on}" for on, names in recipes.items())
    return Group(table, Text(f"compared with PyTorch: {compared}", "dim"))


def _inputs(comparison: Comparison) -> str:
    words = {"random": "random input", "photos": "photo"}
    held_out = {True: " kept out of calibration", False: " that also calibrated", None: ""}
    kind = words.get(comparison.inputs, comparison.inputs)
    plural = "" if comparison.samples == 1 else "s"
    return f"{comparison.samples} {kind}{plural}{held_out[comparison.held_out]}"


def measurements(taken: Sequence[Measurement]) -> RenderableType:
    """Return one row per timed file, and under the table what must be known to read it."""
    several = len({_place(measurement) for measurement in taken}) > 1
    table = empty_table(
        "file", *(["device"] if several else []), "latency", "95 % interval", "p90",
        "peak memory", "status", left=("device", "status"),
    )  # fmt: skip
    for measurement in taken:
        memory = measurement.peak_memory_mib
        table.add_row(
            Text(measurement.artifact),
            *([Text(_place(measurement))] if several else []),
            *latency_cells(measurement.latency_ms),
            numbers.ABSENT if memory is None else numbers.mebibytes(memory),
            Text(measurement.status, STATUS_STYLES[measurement.status]),
        )
    doubtful = [m for m in taken if m.message and (m.status != "ok" or _lacks(m))]
    energies = [
        f"{m.artifact}{f' on {_place(m)}' if several else ''}: "
        f"{numbers.millijoules(m.energy.millijoules)} per inference "
        f"[{numbers.significant(m.energy.interval[0])}, {numbers.significant(m.energy.interval[1])}]"
        for m in taken
        if m.energy is not None
    ]
    notes = [f"{m.artifact}{f' on {_place(m)}' if several else ''}: {m.message}" for m in doubtful]
    return Group(table, *(Text(note) for note in (*energies, *notes)), *_conditions(taken))


def _lacks(measurement: Measurement) -> bool:
    """Return whether something that was asked for besides the latency is missing."""
    plan = measurement.plan
    no_energy = plan.energy_s > 0 and measurement.energy is None
    return no_energy or (plan.profile and measurement.profile is None)


def _place(measurement: Measurement) -> str:
    """Return the device, with its serial where it has one: two phones may be of one model."""
    device = measurement.device
    name = f"{device.name} {device.serial}".strip()
    return f"{name} (simulated)" if device.kind == "simulated" else name


VERDICT_STYLES = {"regression": "red", "no number": "red", "improvement": "green", "same": "green"}


def changes(result: CompareResult) -> RenderableType:
    """Return one row per setting of two stores."""
    table = empty_table("file", "device", "runner", "B / A", "95 % interval", "verdict", "",
                   left=("device", "runner", "verdict", ""))  # fmt: skip
    for change in result.changes:
        ratio, interval = numbers.ABSENT, numbers.ABSENT
        if change.ratio is not None:
            ratio = f"{change.ratio:.3f}"
        if change.interval is not None:
            interval = " … ".join(f"{bound:.3f}" for bound in change.interval)
        table.add_row(
            Text(change.artifact),
            Text(change.device),
            Text(change.runner),
            ratio,
            interval,
            Text(change.verdict, VERDICT_STYLES.get(change.verdict, "yellow")),
            Text(change.evidence, "dim"),
        )
    return table


def latency_cells(latency: Latency | None) -> tuple[str, str, str]:
    """Return the median, its interval and the 90th percentile as text.

    Of a runner that keeps no samples the 95th stands there, and says so.
    """
    if latency is None:
        return (numbers.ABSENT,) * 3
    low, high = latency.interval
    interval = f"{numbers.significant(low)} … {numbers.milliseconds(high)}"
    return numbers.milliseconds(latency.median), interval, _high_percentile(latency)


def _high_percentile(latency: Latency) -> str:
    if latency.p90 is not None:
        return numbers.milliseconds(latency.p90)
    return numbers.ABSENT if latency.p95 is None else f"p95 {numbers.milliseconds(latency.p95)}"


def _conditions(taken: Sequence[Measurement]) -> tuple[Text, ...]:
    if not taken:
        return ()
    plan, first = taken[0].plan, taken[0]
    if first.provenance == "imported":
        return (Text(f"imported, as measured by another tool on {first.device.name}", "dim"),)
    threads = "1 thread" if plan.threads == 1 else f"{plan.threads} threads"
    where = f"on this computer ({first.device.cpu}), not on a phone"
    if first.device.serial:
        where = f"by {first.runner} on {plan.accelerator}"
    if first.device.kind == "simulated":
        where += "; a simulated phone is this computer, its latency says nothing about a phone"
    runs = f"{plan.processes} processes x {plan.runs} runs"
    if plan.min_seconds:
        runs += f" or {plan.min_seconds:g} s, whichever takes longer"
    words = f"median of {runs}, {threads}, {where}"
    return (Text(words, "dim"),)


def report_files(files: ReportFiles) -> RenderableType:
    """Return where the report is."""
    return Group(
        Text(f"report: {files.html}"),
        Text(f"table:  {files.markdown}"),
        Text(f"data:   {files.json}"),
    )


def built_runner(built: BuiltRunner) -> RenderableType:
    """Return where the runner is, and what it runs on."""
    return Group(
        Text(f"runner:  {built.path}"),
        Text(f"it is a {built.runs_on}"),
        Text(f"built by {built.compiler}", "dim"),
    )


def run_result(result: RunResult) -> RenderableType:
    """Return everything that a run made."""
    return Group(
        artifacts(result.artifacts),
        "",
        measurements(result.measurements),
        "",
        report_files(result.report),
    )


def models(infos: Sequence[ModelInfo], devices: Sequence[str] = ()) -> RenderableType:
    """Return one row per network of the zoo, with its latencies on ``devices`` (first letters)."""
    latency = ("published latency",) if devices else ()
    table = empty_table(
        "name", "family", "input", "parameters", "MACs", "top-1", *latency, "weights",
        left=("family", *latency, "weights"),
    )  # fmt: skip
    for entry in infos:
        top1 = top1_of(entry)
        table.add_row(
            entry.name,
            entry.family,
            shape(entry.input),
            millions(entry.params),
            millions(entry.macs),
            numbers.ABSENT if top1 is None else f"{top1:.1f} %{_other_task(entry)}",
            *([_published_latency(entry, devices)] if devices else []),
            ", ".join(name for name in entry.weights if ":" not in name) or numbers.ABSENT,
        )
    if not infos:
        return Text("no network of the zoo is within these bounds")
    return Group(
        table,
        Text(
            "top-1: as published, on ImageNet where nothing else stands; its source: edgezoo info",
            "dim",
        ),
    )


def _other_task(entry: ModelInfo) -> str:
    return "" if entry.labels == "imagenet-1k" else f" on {entry.labels}"


def _published_latency(entry: ModelInfo, devices: Sequence[str]) -> str:
    found = [
        f"{name} {numbers.milliseconds(ms)}"
        for name, ms in sorted(latencies_ms(entry).items(), key=lambda pair: pair[1])
        if name.startswith(tuple(devices))
    ]
    return ", ".join(found) or numbers.ABSENT


def findings(found: Sequence[Finding]) -> RenderableType:
    """Return one row per thing that was looked at, and the command that repairs what is wrong."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in found:
        table.add_row(_mark(finding), finding.name, Text(finding.detail))
        if finding.fix and not finding.ok:
            table.add_row("", "", Text(f"→ {finding.fix}", "bold"))
    wrong = [f.name for f in found if f.essential and not f.ok]
    verdict = f"edgezoo cannot work: {', '.join(wrong)}" if wrong else "edgezoo can work here"
    return Group(table, Text(verdict, "bold red" if wrong else "bold green"))


def _mark(finding: Finding) -> Text:
    if finding.ok:
        return Text("✓", "green")
    return Text("✗", "red") if finding.essential else Text("!", "yellow")


def shape(sides: Sequence[int] | None) -> str:
    """Return a shape as people write it: 1x3x224x224."""
    return numbers.ABSENT if sides is None else "x".join(map(str, sides))


def millions(count: float | None) -> str:
    """Return a count in millions, with three significant digits."""
    return numbers.ABSENT if count is None else f"{numbers.significant(count / 1e6)} M"
