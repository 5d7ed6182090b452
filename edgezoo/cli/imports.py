"""The command that brings in result files of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgezoo import pipeline
from edgezoo.cli import options as o
from edgezoo.cli.answer import answer

IMPORT_EXAMPLES = (
    "edgezoo import pixel.log --device 'Pixel 8' --artifact lite0/net_w8a8.tflite "
    "--store lite0/results.jsonl",
    "edgezoo import iphone.json --device 'iPhone 15' --store results.jsonl",
)


def import_results(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Logs or JSON files.", show_default=False),
    ],
    device: Annotated[
        str,
        typer.Option(metavar="NAME", help="What they were measured on.", show_default=False),
    ],
    store: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Append the measurements to this .jsonl file.",
            show_default=False,
            rich_help_panel=o.OUTPUT,
        ),
    ],
    artifact: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The model file that was measured.", show_default=False),
    ] = None,
    as_json: o.JsonOption = False,
) -> None:
    """Bring in numbers that other tools took: benchmark_model's logs, Core ML's JSON.

    Logs of benchmark_model come from Android (also by logcat) or from TFLite's iOS benchmark app,
    JSON from coremltools' MLModelBenchmarker. A log that is cut is refused. In every table and plot
    these numbers stand apart as imported.
    """
    from edgezoo.cli import tables

    answer(
        lambda progress: pipeline.import_results(
            files, device=device, store=store, artifact=artifact
        ),
        as_json,
        lambda result: tables.measurements(result.measurements),
    )
