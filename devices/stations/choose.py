"""From what ``--device`` names to stations: phones over adb, a Linux board over ssh."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edgezoo.devices.adb.find import find_adb
from edgezoo.devices.adb.server import chosen_servers
from edgezoo.devices.failures import DeviceError
from edgezoo.devices.phones import AT_ONCE, EVERY, list_phones, select, transport_of
from edgezoo.devices.runners.program import choose_programs
from edgezoo.devices.stations.device import DeviceStation
from edgezoo.devices.survey import ANSWER_S, describe
from edgezoo.devices.transports.adb import AdbTransport
from edgezoo.devices.transports.ssh import SshTransport
from edgezoo.devices.transports.transport import Transport
from edgezoo.errors import UsageError
from edgezoo.measurement import DeviceInfo, MeasuredFormat

SSH = "ssh:"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A device that told what it is."""

    transport: Transport
    device: DeviceInfo


@contextmanager
def chosen_stations(
    device: str,
    formats: Collection[MeasuredFormat],
    *,
    adb: str | Path | None = None,
    servers: Sequence[str] = (),
    runner: str | None = None,
    libraries: Sequence[Path] = (),
    progress: Say = lambda message: None,
) -> Iterator[tuple[DeviceStation, ...]]:
    """Give a station for every device that ``device`` names, each with its runners.

    ``device`` is ``adb`` (the only phone), a serial, ``all``, or ``ssh:HOST``. Of ``all`` those that
    are not ready or do not tell what they are are left out, and named to ``progress``, as long as
    one is there. A phone that two servers see is measured once.

    Raises:
        DeviceError: no such device, several where one was meant, or one that is not ready.
        UsageError: no runner fits.
    """
    if device.startswith(SSH):
        with _board(device.removeprefix(SSH)) as board:
            yield _stations((board,), formats, runner, libraries, progress, all_needed=True)
        return
    transports = _phones(device, adb, servers, progress)
    needed = device != EVERY
    yield _stations(transports, formats, runner, libraries, progress, all_needed=needed)


def _phones(
    device: str, adb: str | Path | None, servers: Sequence[str], progress: Say
) -> tuple[Transport, ...]:
    binary, named = find_adb(adb), chosen_servers(servers)
    listed = list_phones(binary, named)
    chosen = select(listed, device)
    if device == EVERY:
        for phone in listed:
            if not phone.ready:
                progress(f"left out: {phone.serial} {phone.meaning}; {phone.advice}")
    return tuple(transport_of(binary, phone, named) for phone in chosen)


def _board(target: str) -> SshTransport:
    if not target or target.startswith("-"):
        raise UsageError("--device ssh: names no host; write it as ssh:USER@HOST")
    return SshTransport(target)


def _stations(
    transports: Sequence[Transport],
    formats: Collection[MeasuredFormat],
    runner: str | None,
    libraries: Sequence[Path],
    progress: Say,
    *,
    all_needed: bool,
) -> tuple[DeviceStation, ...]:
    many = len(transports) > 1
    progress(f"asking {len(transports)} device{'s' if many else ''} what they are")
    stations = []
    for found in _answering(transports, progress, all_needed=all_needed):
        programs = choose_programs(found.device, formats, runner=runner, libraries=libraries)
        said = partial(_named, progress, found.device.serial)
        stations.append(DeviceStation(found.transport, found.device, programs, progress=said))
    return tuple(stations)


def _named(progress: Say, serial: str, message: str) -> None:
    progress(f"{serial}: {message}")


def _answering(
    transports: Sequence[Transport], progress: Say, *, all_needed: bool
) -> tuple[Found, ...]:
    """Return the devices that tell what they are, each once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = tuple(pool.map(_ask, transports))
    found = [one for one in asked if isinstance(one, Found)]
    errors = [one for one in asked if isinstance(one, DeviceError)]
    if errors and (all_needed or not found):
        raise errors[0]
    for error in errors:
        progress(f"left out: {str(error).rstrip('.')}")
    servers = {transport.server for transport in transports if isinstance(transport, AdbTransport)}
    return _told_apart(found) if len(servers) > 1 else tuple(found)


def _ask(transport: Transport) -> Found | DeviceError:
    try:
        return Found(transport, describe(transport))
    except DeviceError as error:
        return error


def _told_apart(found: Sequence[Found]) -> tuple[Found, ...]:
    """Leave out what another server has shown already; add the server where serials are the same.

    Phones are told apart by the boot they are in, since an emulator has the same serial everywhere.
    """
    boots: list[str] = []
    kept: list[Found] = []
    for one in found:
        boot_id = one.transport.run(":", ANSWER_S).boot_id
        if boot_id and boot_id in boots:
            continue
        boots.append(boot_id)
        same = any(one.device.serial == other.transport.serial for other in kept)
        if same and isinstance(one.transport, AdbTransport):
            serial = f"{one.transport.serial} at {one.transport.server}"
            one = replace(one, device=replace(one.device, serial=serial))
        kept.append(one)
    return tuple(kept)
