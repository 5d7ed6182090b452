"""The phones within reach: their state in words, what to do about it, and how one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from edgezoo.devices.adb.find import Adb, find_adb
from edgezoo.devices.adb.server import (
    Listed,
    Server,
    State,
    chosen_servers,
    ensure_running,
    listing,
)
from edgezoo.devices.adb.watch import watch
from edgezoo.devices.failures import ADVICE, DeviceError, Failure
from edgezoo.devices.stopping import at_once
from edgezoo.devices.survey import survey
from edgezoo.devices.transports.adb import AdbTransport, is_network
from edgezoo.measurement import Conditions, DeviceInfo

ONLY, EVERY = "adb", "all"
READY: State = "device"
AT_ONCE = 8

# What adb calls the state: what that means, and what to do about it.
WORDS: Mapping[State, tuple[str, str]] = {
    "device": ("ready", ""),
    "unauthorized": ("does not trust this computer yet", ADVICE["unauthorized"]),
    "authorizing": ("is asked whether it trusts this computer", ADVICE["unauthorized"]),
    "connecting": ("is connecting", ADVICE["not_ready"]),
    "offline": ("does not answer", ADVICE["offline"]),
    "no permissions": ("this user may not open it", ADVICE["no_permission"]),
    "recovery": ("is in recovery", "choose Reboot system now on the phone"),
    "bootloader": ("is in its bootloader", "start Android on the phone, or run fastboot reboot"),
    "sideload": ("waits for an update", "cancel it on the phone and reboot"),
    "rescue": ("is in rescue mode", "reboot the phone"),
    "host": ("is this computer's other end", "plug in the phone"),
    "detached": ("is used by another adb server", "end that server, or run adb attach"),
    "unknown": ("is in a state that adb does not name", "unplug the phone and plug it in again"),
}


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone that an adb server knows.

    ``state`` is adb's word, ``meaning`` the same for people, ``advice`` what to do where it is not
    ready. ``device`` and ``conditions`` are told by phones that are ready and were asked;
    ``problem`` says why one that is ready did not tell.
    """

    serial: str
    server: str
    connection: Literal["usb", "network"]
    model: str
    state: State
    meaning: str
    advice: str
    device: DeviceInfo | None = None
    conditions: Conditions | None = None
    problem: str | None = None

    @property
    def ready(self) -> bool:
        """Whether commands can be run on it."""
        return self.state == READY


def find_phones(
    adb: str | Path | None, servers: Sequence[str], progress: Callable[[str], None]
) -> tuple[Phone, ...]:
    """Return the phones of the servers that are named (adb's own without any), described.

    Raises:
        DeviceError: no adb, or a server that does not start or answer.
        UsageError: a server that is not of the form HOST:PORT.
    """
    chosen = chosen_servers(servers)
    binary = find_adb(adb)
    phones = list_phones(binary, chosen)
    if any(phone.ready for phone in phones):
        progress("asking the phones what they are")
    return described(binary, phones, chosen)


def watch_phones(
    adb: str | Path | None = None, servers: Sequence[str] = ()
) -> Iterator[tuple[Phone, ...]]:
    """Yield what ``find_phones`` returns, at once and whenever a phone comes, goes or changes."""
    chosen = chosen_servers(servers)
    binary = find_adb(adb)
    for server in chosen:
        ensure_running(server, binary)
    for phones in changes(chosen):
        yield described(binary, phones, chosen)


def list_phones(adb: Adb, servers: Sequence[Server]) -> tuple[Phone, ...]:
    """Return the phones of all servers; the one of this machine is started where it does not run.

    Raises:
        DeviceError: a server does not start, answer or fit.
    """
    for server in servers:
        ensure_running(server, adb)
    return tuple(phone for server in servers for phone in phones_at(server))


def phones_at(server: Server) -> tuple[Phone, ...]:
    """Return the phones of one server. Raises ``DeviceError`` where it does not answer."""
    try:
        return tuple(phone_of(listed, server) for listed in listing(server))
    except OSError as error:
        message = f"the adb server at {server} does not answer ({error})"
        raise DeviceError(Failure("link_lost", message)) from error


def phone_of(listed: Listed, server: Server) -> Phone:
    """Return what a line of a server's list says."""
    meaning, advice = WORDS[listed.state]
    return Phone(
        serial=listed.serial,
        server=str(server),
        connection="network" if is_network(listed.serial) else "usb",
        model=listed.details.get("model", "").replace("_", " "),
        state=listed.state,
        meaning=f"{meaning} {listed.explanation}".strip(),
        advice=advice,
    )


def described(adb: Adb, phones: Sequence[Phone], servers: Sequence[Server]) -> tuple[Phone, ...]:
    """Return ``phones`` with what those that are ready tell of themselves; all are asked at once."""
    by_name = {str(server): server for server in servers}

    def ask(phone: Phone) -> Phone:
        if not phone.ready:
            return phone
        try:
            device, conditions = survey(AdbTransport(adb, phone.serial, by_name[phone.server]))
        except DeviceError as error:
            return replace(phone, problem=str(error))
        return replace(phone, device=device, conditions=conditions)

    return at_once(ask, phones, AT_ONCE)


def select(phones: Sequence[Phone], asked: str) -> tuple[Phone, ...]:
    """Return the phones that ``--device`` names: ``adb`` for the only one, ``all``, or a serial.

    Never the first of several. Phones that are not ready are refused with what to do about them;
    ``all`` leaves them out as long as one is ready.

    Raises:
        DeviceError: ``no_device``, ``ambiguous_device``, ``device_gone`` for a serial that is not
            there, or the class of the state that it is in.
    """
    if not phones:
        raise DeviceError(Failure("no_device", "adb sees no phone"))
    if asked == EVERY:
        ready = tuple(phone for phone in phones if phone.ready)
        if not ready:
            raise _not_ready(phones[0])
        return ready
    chosen = tuple(phone for phone in phones if asked in (ONLY, phone.serial))
    if not chosen:
        known = ", ".join(phone.serial for phone in phones)
        message = f"{asked} is not connected (connected: {known})"
        raise DeviceError(Failure("device_gone", message))
    if len(chosen) > 1:
        message = f"adb sees {len(chosen)} phones ({', '.join(map(_label, chosen))})"
        raise DeviceError(Failure("ambiguous_device", message))
    if not chosen[0].ready:
        raise _not_ready(chosen[0])
    return chosen


def transport_of(adb: Adb, phone: Phone, servers: Sequence[Server]) -> AdbTransport:
    """Return the way to a phone that ``list_phones`` found at one of ``servers``."""
    server = next(server for server in servers if str(server) == phone.server)
    return AdbTransport(adb, phone.serial, server)


def _label(phone: Phone) -> str:
    words = [word for word in (phone.model, "" if phone.ready else phone.state) if word]
    return phone.serial + (f" {' '.join(words)}" if words else "")


def _not_ready(phone: Phone) -> DeviceError:
    classes: Mapping[State, Failure] = {
        "unauthorized": Failure("unauthorized", ""),
        "authorizing": Failure("unauthorized", ""),
        "connecting": Failure("not_ready", ""),
        "no permissions": Failure("no_permission", ""),
    }
    kind = classes.get(phone.state, Failure("offline", ""))
    return DeviceError(replace(kind, message=f"{phone.serial} {phone.meaning}"))


def changes(servers: Sequence[Server]) -> Iterator[tuple[Phone, ...]]:
    """Yield the phones of all servers, now and after every change; ends when all servers end."""
    for listed in watch(servers):
        yield tuple(phone_of(line, server) for server, lines in listed for line in lines)
