"""The commands that only look: list, info and doctor."""

from __future__ import annotations

from typing import Annotated

import typer

from edgezoo import pipeline
from edgezoo.cli import options as o
from edgezoo.cli.answer import answer

LIST_EXAMPLES = ("edgezoo list", "edgezoo list --family efficientnet --json")
INFO_EXAMPLES = (
    "edgezoo info shufflenet_v1",
    "edgezoo info efficientnet_lite0 --input 1x3x192x192 --json",
    "edgezoo info package.module:factory --input 1x3x224x224",
)
DOCTOR_EXAMPLES = ("edgezoo doctor",)


def list_models(
    family: Annotated[
        str | None, typer.Option(help="Only the networks of this family.", show_default=False)
    ] = None,
    as_json: o.JsonOption = False,
) -> None:
    """List the networks of the zoo with their exact counts and published accuracy."""
    from edgezoo.cli import tables

    answer(lambda progress: pipeline.list_models(family), as_json, tables.models)


def info(
    model: o.ModelArgument,
    input: o.InputOption = None,
    option: o.BuilderOption = None,
    num_classes: o.ClassesOption = None,
    as_json: o.JsonOption = False,
) -> None:
    """Show a network's parameters, multiply-accumulates, weights and published numbers."""
    from edgezoo.cli import tables

    shape, builder = o.parse_shape(input), o.parse_options(option, num_classes)
    answer(
        lambda progress: pipeline.info(model, input=shape, options=builder), as_json, tables.model
    )


def doctor(as_json: o.JsonOption = False) -> None:
    """Check that this machine has what edgezoo needs, and say how to get what is missing."""
    from edgezoo.cli import tables
    from edgezoo.doctor import examine

    findings = answer(examine, as_json, tables.findings)
    if any(finding.essential and not finding.ok for finding in findings):
        raise typer.Exit(2)
