"""The commands that only look: list, info and doctor."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from edgezoo import pipeline
from edgezoo.cli import options as o
from edgezoo.cli.answer import answer
from edgezoo.cli.progress import Progress
from edgezoo.types import ModelInfo

LIST_EXAMPLES = (
    "edgezoo list --family efficientnet --max-macs 1G --sort top1",
    "edgezoo list --max-latency pixel1=30 --json",
    "edgezoo list --plot zoo.html",
)
INFO_EXAMPLES = (
    "edgezoo info shufflenet_v1",
    "edgezoo info efficientnet_lite0 --layers --input 1x3x192x192 --json",
    "edgezoo info package.module:factory --input 1x3x224x224",
)
DOCTOR_EXAMPLES = ("edgezoo doctor",)
BOUNDS = "Bounds"


def _bound(text: str) -> Any:  # Any: typer's option object has no public type
    return typer.Option(metavar="COUNT", help=text, rich_help_panel=BOUNDS, show_default=False)


def list_models(
    family: Annotated[
        str | None, typer.Option(help="Only the networks of this family.", show_default=False)
    ] = None,
    min_params: Annotated[str | None, _bound("Fewest parameters, such as 2M.")] = None,
    max_params: Annotated[str | None, _bound("Most parameters, such as 5.5M.")] = None,
    min_macs: Annotated[str | None, _bound("Fewest multiply-accumulates, such as 40M.")] = None,
    max_macs: Annotated[str | None, _bound("Most multiply-accumulates, such as 1.5G.")] = None,
    min_top1: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            help="Lowest published top-1 accuracy.",
            rich_help_panel=BOUNDS,
            show_default=False,
        ),
    ] = None,
    max_latency: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEVICE=MS",
            help="Longest published latency on devices whose name starts so, such as pixel1=30. "
            "Repeatable.",
            rich_help_panel=BOUNDS,
            show_default=False,
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="name|params|macs|top1|latency",
            help="Order: the best top-1 first, the smallest of all else.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.html",
            help="Also write a picture of the whole zoo: accuracy over multiply-accumulates.",
            rich_help_panel=o.OUTPUT,
            show_default=False,
        ),
    ] = None,
    as_json: o.JsonOption = False,
) -> None:
    """List the networks of the zoo with their exact counts and published numbers."""
    from edgezoo.cli import tables

    devices = o.parse_latencies(max_latency)

    def listed(progress: Progress) -> tuple[ModelInfo, ...]:
        found = pipeline.list_models(
            family,
            min_params=o.parse_count("--min-params", min_params),
            max_params=o.parse_count("--max-params", max_params),
            min_macs=o.parse_count("--min-macs", min_macs),
            max_macs=o.parse_count("--max-macs", max_macs),
            min_top1=min_top1,
            max_latency_ms=devices,
            sort=sort,
        )
        if plot is not None:
            progress(f"wrote {pipeline.plot_models(plot)}")
        return found

    shown = tuple(devices) or (("",) if sort == "latency" else ())
    answer(listed, as_json, lambda infos: tables.models(infos, shown))


def info(
    model: o.ModelArgument,
    input: o.InputOption = None,
    option: o.BuilderOption = None,
    num_classes: o.ClassesOption = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Also the counts of every layer.")
    ] = False,
    as_json: o.JsonOption = False,
) -> None:
    """Show a network's counts in all and per stage, beside what was published; options, weights."""
    from edgezoo.cli.model import model as table

    shape, builder = o.parse_shape(input), o.parse_options(option, num_classes)
    answer(
        lambda progress: pipeline.info(model, input=shape, options=builder, layers=layers),
        as_json,
        table,
    )


def doctor(as_json: o.JsonOption = False) -> None:
    """Check that this machine has what edgezoo needs, and say how to get what is missing."""
    from edgezoo.cli import tables
    from edgezoo.doctor import examine

    findings = answer(examine, as_json, tables.findings)
    if any(finding.essential and not finding.ok for finding in findings):
        raise typer.Exit(2)
