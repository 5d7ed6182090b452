"""From what ``--device`` names to stations: phones over adb, a Linux board over ssh."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from edgezoo.devices.adb.find import find_adb
from edgezoo.devices.adb.server import chosen_servers
from edgezoo.devices.failures import DeviceError
from edgezoo.devices.phones import AT_ONCE, EVERY, list_phones, select, transport_of
from edgezoo.devices.runners.program import choose_programs
from edgezoo.devices.stations.device import DeviceStation
from edgezoo.devices.stopping import at_once
from edgezoo.devices.survey import describe
from edgezoo.devices.transports.adb import AdbTransport, is_network
from edgezoo.devices.transports.ssh import SshTransport
from edgezoo.devices.transports.transport import Transport
from edgezoo.errors import EdgezooError, UsageError
from edgezoo.measurement import DeviceInfo, MeasuredFormat

SSH = "ssh:"
Say = Callable[[str], None]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Found:
    """A device that told what it is, and the boot that it is in (empty where it did not)."""

    transport: Transport
    device: DeviceInfo
    boot_id: str


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
    are not ready, do not tell what they are or have no runner are left out, and named to
    ``progress``, as long as one is there. A phone that is seen twice is measured once.

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

    def station(found: Found) -> DeviceStation:
        programs = choose_programs(found.device, formats, runner=runner, libraries=libraries)
        said = partial(_named, progress, found.device.serial)
        return DeviceStation(found.transport, found.device, programs, progress=said)

    answering = _answering(transports, progress, all_needed=all_needed)
    named = [(found.device.serial, found) for found in answering]
    return those_that_can(named, station, progress, all_needed=all_needed)


def those_that_can(
    named: Sequence[tuple[str, Item]],
    do: Callable[[Item], Result],
    progress: Say,
    *,
    all_needed: bool,
) -> tuple[Result, ...]:
    """Return what ``do`` gives for each device; one for which it raises is left out.

    It is named to ``progress`` by its serial. Raises the first error where ``all_needed`` or none is left.
    """
    results: list[Result] = []
    errors: dict[str, EdgezooError] = {}
    for serial, one in named:
        try:
            results.append(do(one))
        except EdgezooError as error:
            errors[serial] = error
    if errors and (all_needed or not results):
        raise next(iter(errors.values()))
    for serial, reason in errors.items():
        words = str(reason).rstrip(".")
        progress(f"left out: {words}" if serial in words else f"left out: {serial}: {words}")
    return tuple(results)


def _named(progress: Say, serial: str, message: str) -> None:
    progress(f"{serial}: {message}")


def _answering(
    transports: Sequence[Transport], progress: Say, *, all_needed: bool
) -> tuple[Found, ...]:
    """Return the devices that tell what they are, each once."""
    asked = at_once(_ask, transports, AT_ONCE)
    named = [(one.serial, told) for one, told in zip(transports, asked, strict=True)]
    found = those_that_can(named, _told, progress, all_needed=all_needed)
    return _told_apart(found, progress)


def _ask(transport: Transport) -> Found | DeviceError:
    try:
        return Found(transport, *describe(transport))
    except DeviceError as error:
        return error


def _told(answer: Found | DeviceError) -> Found:
    if isinstance(answer, DeviceError):
        raise answer
    return answer


def _told_apart(found: Sequence[Found], progress: Say) -> tuple[Found, ...]:
    """Leave out what is seen a second time, over the network or by another server, the cable first;
    add the server where serials are the same.

    Phones are told apart by the boot they are in, since an emulator has the same serial everywhere.
    """
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: is_network(one.transport.serial)):
        twin = next((other for other in kept if one.boot_id == other.boot_id != ""), None)
        if twin is not None:
            progress(f"left out: {one.transport.serial} is {twin.transport.serial} once more")
            continue
        same = any(one.device.serial == other.transport.serial for other in kept)
        if same and isinstance(one.transport, AdbTransport):
            serial = f"{one.transport.serial} at {one.transport.server}"
            one = replace(one, device=replace(one.device, serial=serial))
        kept.append(one)
    return tuple(kept)
