"""The commands about runners, the programs that time a model on a device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgezoo import pipeline
from edgezoo.cli import options as o
from edgezoo.cli.answer import answer

BUILD_EXAMPLES = (
    "edgezoo runner build --out runners",
    "edgezoo runner build --zig --out runners",
    "edgezoo runner build --ndk ~/android-ndk-r27 --out runners",
)


def build(
    out: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            help="Folder to write the runner and its manifest to.",
            rich_help_panel=o.OUTPUT,
        ),
    ],
    ndk: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Build for Android phones (arm64) with this Android NDK.",
            show_default=False,
        ),
    ] = None,
    zig: Annotated[
        bool,
        typer.Option("--zig", help="Build for Linux boards (arm64) with zig.", show_default=False),
    ] = False,
    as_json: o.JsonOption = False,
) -> None:
    """Build the C runner, which times LiteRT and ONNX Runtime, from the source that comes along.

    Without --ndk or --zig it is built for this machine with its C compiler. The runner loads
    libLiteRt.so or libonnxruntime.so when it starts; no header is needed to build it.
    """
    from edgezoo.cli import tables

    answer(
        lambda progress: pipeline.build_runner(out, ndk=ndk, zig=zig, progress=progress),
        as_json,
        tables.built_runner,
    )
