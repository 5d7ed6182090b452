"""The command that runs simulated phones until it is told to stop."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgezoo.cli import options as o
from edgezoo.errors import UsageError

if TYPE_CHECKING:
    from edgezoo.devices.simphone.fleet import Fleet

EXAMPLES = (
    "edgezoo simphone --count 3",
    "edgezoo simphone --fault throttled --control phones.socket",
    'edgezoo simphone --control phones.socket --tell \'{"phone": 0, "do": "reboot"}\'',
)


def simphone(
    count: Annotated[int, typer.Option(help="How many phones.", min=1, max=64)] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="A fault that is there from the start; repeatable.", show_default=False),
    ] = None,
    abi: Annotated[
        str | None,
        typer.Option(
            help="What the phones claim to execute, and arm64-v8a they do; else this machine's.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(help="Port of the first phone; 0 takes free ones.", min=0, max=65_000)
    ] = 0,
    control: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Unix socket that takes faults as JSON lines.", show_default=False
        ),
    ] = None,
    tell: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="Send one message to the phones that listen at --control.",
            show_default=False,
        ),
    ] = None,
    as_json: o.JsonOption = False,
) -> None:
    """Run simulated phones for the real adb, with faults to inject, until Ctrl-C or SIGTERM.

    They are plugged into the adb server that ANDROID_ADB_SERVER_PORT names, and print their serials
    when they are ready. What is measured on them is labelled simulated and is no phone's speed.
    """
    if tell is not None:
        return _tell(control, tell)
    from edgezoo.devices.simphone.control import controlled
    from edgezoo.devices.simphone.fleet import Fleet

    fleet = Fleet(count, port=port, abi=abi, situations=tuple(fault or ()))
    with ExitStack() as running:
        running.enter_context(fleet)
        if control is not None:
            running.enter_context(controlled(fleet, control))
        _announce(fleet, as_json)
        threading.Event().wait()


def _announce(fleet: Fleet, as_json: bool) -> None:
    from edgezoo.devices.simphone.control import described

    for phone in fleet.phones:
        if as_json:
            print(json.dumps(described(phone)))
        else:
            print(phone.serial)
    sys.stdout.flush()
    phone, count = fleet.phones[0], len(fleet.phones)
    print(
        f"{count} simulated {'phone' if count == 1 else 'phones'}, {phone.tier}, on adb server"
        f" {fleet.server.host}:{fleet.server.port}; Ctrl-C stops",
        file=sys.stderr,
    )


def _tell(control: Path | None, message: str) -> None:
    from edgezoo.devices.simphone.control import tell

    if control is None:
        raise UsageError("--tell needs the socket of running phones; add --control FILE")
    try:
        parsed = json.loads(message)
    except ValueError as error:
        raise UsageError(
            f"--tell takes one JSON object, and {message!r} is none ({error})"
        ) from error
    answer = tell(control, parsed)
    if "error" in answer:
        raise UsageError(str(answer["error"]))
    print(json.dumps(answer))
