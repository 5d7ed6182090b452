"""Results as tables for people; scripts read ``--json``.

Each function takes a noun and returns something that rich can print. Numbers are written as the
report writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgezoo.measurement import CompareResult, Latency, Measurement
from edgezoo.report import numbers
from edgezoo.types import (
    Artifact,
    Comparison,
    ModelInfo,
    Preprocessing,
    ReportFiles,
    RunResult,
    Shape,
)

if TYPE_CHECKING:
    from edgezoo.devices.runners.build import BuiltRunner
    from edgezoo.doctor import Finding

STATUS_STYLES = {"ok": "green", "unstable": "yellow", "throttled": "yellow", "failed": "red"}


def _table(*columns: str, left: Sequence[str] = ()) -> Table:
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
    table = _table("file", "size", "SQNR", "agreement", "rel. error", "", left=("",))
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
    table = _table(
        "file", "latency", "95 % interval", "p90", "peak memory", "status", left=("status",)
    )
    for measurement in taken:
        memory = measurement.peak_memory_mib
        table.add_row(
            Text(measurement.artifact),
            *_latency(measurement.latency_ms),
            numbers.ABSENT if memory is None else numbers.mebibytes(memory),
            Text(measurement.status, STATUS_STYLES[measurement.status]),
        )
    notes = [f"{m.artifact}: {m.message}" for m in taken if m.status != "ok" and m.message]
    return Group(table, *(Text(note) for note in notes), *_conditions(taken))


VERDICT_STYLES = {"regression": "red", "no number": "red", "improvement": "green", "same": "green"}


def changes(result: CompareResult) -> RenderableType:
    """Return one row per setting of two stores."""
    table = _table("file", "device", "runner", "B / A", "95 % interval", "verdict", "",
                   left=("device", "runner", "verdict", ""))  # fmt: skip
    for change in result.changes:
        ratio, interval = numbers.ABSENT, numbers.ABSENT
        if change.ratio is not None and change.interval is not None:
            ratio = f"{change.ratio:.3f}"
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


def _latency(latency: Latency | None) -> tuple[str, str, str]:
    if latency is None:
        return (numbers.ABSENT,) * 3
    low, high = latency.interval
    interval = f"{numbers.significant(low)} … {numbers.milliseconds(high)}"
    p90 = numbers.ABSENT if latency.p90 is None else numbers.milliseconds(latency.p90)
    return numbers.milliseconds(latency.median), interval, p90


def _conditions(taken: Sequence[Measurement]) -> tuple[Text, ...]:
    if not taken:
        return ()
    plan, device = taken[0].plan, taken[0].device
    threads = "1 thread" if plan.threads == 1 else f"{plan.threads} threads"
    return (
        Text(
            f"median of {plan.processes} processes x {plan.runs} runs, {threads}, on this "
            f"computer ({device.cpu}), not on a phone",
            "dim",
        ),
    )


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


def models(infos: Sequence[ModelInfo]) -> RenderableType:
    """Return one row per network of the zoo."""
    table = _table(
        "name", "family", "input", "parameters", "MACs", "top-1", "weights", left=("family", "weights")
    )  # fmt: skip
    for entry in infos:
        top1 = entry.published.get("top1")
        table.add_row(
            entry.name,
            entry.family,
            _shape(entry.input),
            _millions(entry.params),
            _millions(entry.macs),
            numbers.ABSENT if top1 is None else f"{top1} %",
            ", ".join(name for name in entry.weights if ":" not in name) or numbers.ABSENT,
        )
    return Group(table, Text("top-1: as published, on ImageNet; its source: edgezoo info", "dim"))


def model(info: ModelInfo) -> RenderableType:
    """Return what is known of one network, one fact per row."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in _facts(info):
        table.add_row(name, Text(value))
    return table


def _facts(info: ModelInfo) -> list[tuple[str, str]]:
    facts = [
        ("name", info.name),
        ("family", info.family),
        ("input", _shape(info.input)),
        ("parameters", f"{info.params:,}"),
        ("MACs", f"{info.macs:,}"),
    ]
    facts += [(f"published {name}", _plain(value)) for name, value in info.published.items()]
    if info.family != "user":
        facts.append(("weights", ", ".join(info.weights) or "none known: give --weights FILE"))
        facts.append(("options", _plain(info.options)))
    prepared = info.preprocessing
    if prepared is not None and len(info.input) == 4:
        facts.append(
            (
                "photos",
                f"{_framing(prepared, info.input)}, {_normalisation(prepared, info.input)}",
            )
        )
    return facts


def _framing(prepared: Preprocessing, shape: Shape) -> str:
    height, width = shape[2:]
    if prepared.squash:
        margin = prepared.resize / prepared.size
        sides = f"{round(margin * width)}x{round(margin * height)}"
        return f"squashed to {sides}, centre {width}x{height}"
    if height == width:
        return f"shorter side to {prepared.resize}, centre {width}x{height}"
    return f"centre {width}x{height}, {prepared.size / prepared.resize:.3g} of the side that limits"


def _normalisation(prepared: Preprocessing, shape: Shape) -> str:
    if shape[1] == 1:
        mean, std = sum(prepared.mean) / 3, sum(prepared.std) / 3
        return f"grey, minus {_plain(mean)}, over {_plain(std)}"
    order = prepared.channel_order.upper()
    return f"{order}, minus {_plain(prepared.mean)}, over {_plain(prepared.std)}"


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


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _millions(count: int) -> str:
    return f"{numbers.significant(count / 1e6)} M"


def _plain(value: Any) -> str:  # Any: published values are of many types
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_plain(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return "/".join(map(_plain, value))
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) >= 1000 else f"{value:g}"
    return str(value)
