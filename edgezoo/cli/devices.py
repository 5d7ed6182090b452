"""The command that shows the phones within reach."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from edgezoo import pipeline
from edgezoo.cli import options as o
from edgezoo.cli.answer import answer, print_table
from edgezoo.types import to_json

if TYPE_CHECKING:
    from edgezoo.devices.phones import Phone

DEVICES_EXAMPLES = (
    "edgezoo devices",
    "edgezoo devices --watch",
    "edgezoo devices --adb-server localhost:5037 --adb-server lab:5037 --json",
)


def devices(
    adb: o.AdbOption = None,
    adb_server: o.AdbServerOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and show them anew after every change.")
    ] = False,
    as_json: o.JsonOption = False,
) -> None:
    """List the phones that adb sees, what they are, and what to do about those that are not ready.

    Nothing is changed on a phone. An adb server is started where none runs, and never ended.
    """
    from edgezoo.cli import phones
    from edgezoo.devices.phones import watch_phones

    servers = adb_server or ()
    if watch:
        for found in watch_phones(adb, servers):
            _show(found, as_json)
    else:
        answer(
            lambda progress: pipeline.devices(adb=adb, servers=servers, progress=progress),
            as_json,
            phones.table,
        )


def _show(found: tuple[Phone, ...], as_json: bool) -> None:
    """Print one change: a line of JSON, or the table and an empty line."""
    from edgezoo.cli import phones

    if as_json:
        print(json.dumps(to_json(found)), flush=True)
    else:
        print_table(phones.table(found))
        print(flush=True)
