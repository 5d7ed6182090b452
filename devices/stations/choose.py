"""From what ``--device`` names to stations: phones over adb, a Linux board over ssh."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from edgezoo.devices.adb.find import find_adb
from edgezoo.devices.adb.server import chosen_servers
from edgezoo.devices.failures import DeviceError
from edgezoo.devices.phones import EVERY, list_phones, select, transport_of
from edgezoo.devices.runners.program import choose_programs
from edgezoo.devices.stations.device import DeviceStation
from edgezoo.devices.survey import describe
from edgezoo.devices.transports.ssh import SshTransport
from edgezoo.devices.transports.transport import Transport
from edgezoo.errors import UsageError
from edgezoo.measurement import DeviceInfo, MeasuredFormat

SSH = "ssh:"


def choose_stations(
    device: str,
    formats: Collection[MeasuredFormat],
    *,
    adb: str | Path | None = None,
    servers: Sequence[str] = (),
    runner: str | None = None,
    libraries: Sequence[Path] = (),
    progress: Callable[[str], None] = lambda message: None,
) -> tuple[DeviceStation, ...]:
    """Return a station for every device that ``device`` names, each with its runners.

    ``device`` is ``adb`` (the only phone), a serial, ``all``, or ``ssh:HOST``. Of ``all`` those that
    do not tell what they are are left out as long as one does.

    Raises:
        DeviceError: no such device, several where one was meant, or one that is not ready.
        UsageError: no runner fits.
    """
    if device.startswith(SSH):
        transports: tuple[Transport, ...] = (_board(device.removeprefix(SSH)),)
    else:
        binary, named = find_adb(adb), chosen_servers(servers)
        phones = select(list_phones(binary, named), device)
        transports = tuple(transport_of(binary, phone, named) for phone in phones)
    progress(f"asking {len(transports)} device{'s' if len(transports) > 1 else ''} what they are")
    described = _described(transports, all_needed=device != EVERY)
    return tuple(
        DeviceStation(
            transport,
            info,
            choose_programs(info, formats, runner=runner, libraries=libraries),
            progress=partial(_named, progress, info.serial),
        )
        for transport, info in described
    )


def _named(progress: Callable[[str], None], serial: str, message: str) -> None:
    progress(f"{serial}: {message}")


def _board(target: str) -> SshTransport:
    if not target or target.startswith("-"):
        raise UsageError("--device ssh: names no host; write it as ssh:USER@HOST")
    return SshTransport(target)


def _described(
    transports: Sequence[Transport], *, all_needed: bool
) -> list[tuple[Transport, DeviceInfo]]:
    found: list[tuple[Transport, DeviceInfo]] = []
    errors: list[DeviceError] = []
    for transport in transports:
        try:
            found.append((transport, describe(transport)))
        except DeviceError as error:
            errors.append(error)
    if errors and (all_needed or not found):
        raise errors[0]
    return found
