"""How ``bench`` gets its plan: a saved one, with what was typed in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from edgezoo import pipeline
from edgezoo.cli import options as o
from edgezoo.plan import CORE_CHOICES, Plan

HOST_PLAN = pipeline.default_plan()

PlanOption = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        metavar="FILE",
        help="Measure as this saved plan says; other options count more.",
        rich_help_panel=o.TIMING,
        show_default=False,
    ),
]
SavePlanOption = Annotated[
    Path | None,
    typer.Option(
        "--save-plan",
        metavar="FILE",
        help="Write the plan as JSON, for --plan.",
        rich_help_panel=o.OUTPUT,
        show_default=False,
    ),
]
CoresOption = Annotated[
    str,
    typer.Option(
        metavar="|".join((*CORE_CHOICES, "MASK")),
        help="Cores to keep to: the fastest cluster, all but the slowest, all, as the scheduler "
        "likes, or a hexadecimal mask such as f0.",
        rich_help_panel=o.TIMING,
    ),
]
XnnpackOption = Annotated[
    bool,
    typer.Option(
        "--xnnpack/--no-xnnpack",
        help="TFLite with XNNPACK, or with its built-in kernels alone.",
        rich_help_panel=o.TIMING,
    ),
]
MinSecondsOption = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Go on with timed runs for at least so long in every process. "
        f"[default: {HOST_PLAN.min_seconds:g} on this machine, 0 elsewhere]",
        rich_help_panel=o.TIMING,
        show_default=False,
    ),
]
SpreadOption = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Spread the processes of every file over at least so long, since those of the same few "
        f"seconds agree too well. [default: {HOST_PLAN.spread_s:g} on this machine, 0 elsewhere]",
        rich_help_panel=o.TIMING,
        show_default=False,
    ),
]
SustainedOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="Draw the latency over time instead, one file after the other without a pause, until it "
        "settles or so long.",
        rich_help_panel=o.TIMING,
    ),
]

EnergyOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="Take the energy of an inference too, from the phone's fuel gauge: so long idle, so "
        "long under load. A phone that charges tells none.",
        rich_help_panel=o.PHONES,
    ),
]

# The fields of a plan by the parameter of ``bench`` that sets them.
FIELDS: Mapping[str, str] = {
    "threads": "threads",
    "processes": "processes",
    "warmup": "warmup",
    "runs": "runs",
    "min_seconds": "min_seconds",
    "timeout": "timeout_s",
    "seed": "seed",
    "accelerator": "accelerator",
    "xnnpack": "xnnpack",
    "cores": "cores",
    "spread": "spread_s",
    "sustained": "sustained_s",
    "energy": "energy_s",
    "profile": "profile",
}
READ: Mapping[str, Callable[[Any], Any]] = {"accelerator": o.parse_accelerator}


def plan_of(context: typer.Context, file: Path | None, save: Path | None, device: str) -> Plan:
    """Return the plan in ``file``, or the device's default, with what was typed; ``save`` keeps it."""
    plan = pipeline.default_plan(device) if file is None else pipeline.read_plan(file)
    typed = {
        field: READ.get(name, lambda value: value)(context.params[name])
        for name, field in FIELDS.items()
        if _typed(context, name)
    }
    if typed.get("sustained_s") and file is None:
        typed = {"min_seconds": 0.0, **typed}  # windows have a length of their own
    plan = replace(plan, **typed)
    if save is not None:
        pipeline.save_plan(save, plan)
    return plan


def _typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
