"""The adb server, asked over its own socket: what is plugged in, and what changes.

Which server, is what the environment says, as for adb itself; further ones on other machines by
HOST:PORT. A server is started only on this machine and only where none runs; none is ever ended,
because others use it. Protocol: a request is four hexadecimal digits of length and the text; the
answer OKAY or FAIL, then texts of the same form (AOSP ``packages/modules/adb/SERVICES.TXT``).
"""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, get_args

from edgezoo.devices.adb.failures import classify
from edgezoo.devices.adb.find import Adb
from edgezoo.devices.failures import DeviceError, Failure
from edgezoo.errors import UsageError

PORT = 5037
ANSWER_S = 5.0
START_S = 30.0
QUIET_S = 2.0

State = Literal[
    "device", "unauthorized", "authorizing", "connecting", "offline", "no permissions",
    "recovery", "bootloader", "sideload", "rescue", "host", "detached", "unknown",
]  # fmt: skip
STATES: tuple[State, ...] = get_args(State)
# The name under which a phone was found on the network may hold a space: "adb-… (2)._adb-tls-…".
_LINE = re.compile(rf"(.+?)\s+(?P<state>{'|'.join(STATES)})(?=[\s;]|$)(?P<words>.*)")
# A phone without a serial is listed as (no serial number), or as question marks.
_UNKNOWN = re.compile(r"(\(no serial number\)|\S+)\s*(?P<state>)(?P<words>.*)")


@dataclass(frozen=True, slots=True)
class Server:
    """Where an adb server listens."""

    host: str = "127.0.0.1"
    port: int = PORT

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether it runs on this machine."""
        return self.host in ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the server's list; ``details`` is what it knows of a phone (product, model, …)."""

    serial: str
    state: State
    details: Mapping[str, str]
    explanation: str = ""


def parse_server(text: str) -> Server:
    """Return the server that HOST:PORT names, or HOST alone; raise ``UsageError``."""
    host, _, port = text.removeprefix("tcp:").rpartition(":")
    if not host and not port.isdigit():
        host, port = port, str(PORT)
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(
            f"adb server {text!r} is not of the form HOST:PORT, such as localhost:5037"
        )
    return Server(host.strip("[]") or "127.0.0.1", int(port))


def default_server(environment: Mapping[str, str] = os.environ) -> Server:
    """Return the server that adb itself would use; raises ``UsageError`` for a port that is none."""
    if environment.get("ADB_SERVER_SOCKET"):
        return parse_server(environment["ADB_SERVER_SOCKET"])
    host = environment.get("ANDROID_ADB_SERVER_ADDRESS") or "127.0.0.1"
    port = environment.get("ANDROID_ADB_SERVER_PORT") or str(PORT)
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(
            f"the adb server's port is {port!r}; set ANDROID_ADB_SERVER_PORT to a number"
        )
    return Server(host, int(port))


def chosen_servers(names: Sequence[str]) -> tuple[Server, ...]:
    """Return the servers of ``--adb-server``, each once, or adb's own where none is named."""
    return tuple(dict.fromkeys(map(parse_server, names))) or (default_server(),)


def ensure_running(server: Server, adb: Adb) -> None:
    """Start the server of this machine where none runs; check that adb speaks its version.

    Raises:
        DeviceError: ``tool_broken`` where it does not start, ``link_lost`` where one on another
            machine does not answer, ``server_mismatch``: adb would end such a server.
    """
    found = version(server)
    if found is None and not server.local:
        message = f"no adb server answers at {server}"
        raise DeviceError(Failure("link_lost", message))
    if found is None:
        _start(server, adb)
        found = version(server)
    if found is not None and found != adb.protocol:
        message = f"the adb server at {server} speaks version {found}, {adb.path} {adb.protocol}"
        raise DeviceError(Failure("server_mismatch", message))


def _start(server: Server, adb: Adb) -> None:
    # -H would forbid it to start one. What it prints goes to a file: the server may inherit a pipe
    # and keep it open for ever. In a session of its own it outlives this terminal.
    environment = {k: v for k, v in os.environ.items() if k != "ADB_SERVER_SOCKET"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [adb.path, "-P", str(server.port), "start-server"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()  # the client alone
            code = process.wait()
        log.seek(0)
        printed = log.read()
    if code != 0:
        shown = " ".join(printed.decode(errors="replace").split())[-300:] or f"exit code {code}"
        general = Failure("tool_broken", f"the adb server at {server} does not start ({shown})")
        told = classify(printed)
        raise DeviceError(told if told and told.failure_class == "server_mismatch" else general)


def version(server: Server) -> int | None:
    """Return the version of the server's protocol; ``None`` where none runs."""
    try:
        answer = query(server, "host:version")
    except OSError:
        return None
    return int(answer, 16) if re.fullmatch(rb"[0-9a-fA-F]{4}", answer) else None


def listing(server: Server) -> tuple[Listed, ...]:
    """Return what is connected. Raises ``OSError`` where no server answers."""
    return parse_listing(query(server, "host:devices-l").decode(errors="replace"))


def query(server: Server, service: str) -> bytes:
    """Return the server's answer to one request. Raises ``OSError``, also for its FAIL."""
    with closing(_open(server, service)) as link:
        return _text(link)


def track(server: Server) -> Iterator[tuple[Listed, ...]]:
    """Yield what is connected, now, after every change and at least every ``QUIET_S``.

    Never ends by itself. Raises ``OSError`` where no server answers, or no longer.
    """
    with closing(_open(server, "host:track-devices-l")) as link:
        while True:
            # adb 29 does not tell of a phone that becomes unauthorized, so it is asked as well.
            told, _, _ = select.select([link], [], [], QUIET_S)
            text = _text(link) if told else query(server, "host:devices-l")
            yield parse_listing(text.decode(errors="replace"))


def parse_listing(text: str) -> tuple[Listed, ...]:
    """Return the lines of ``adb devices -l``, its heading left out."""
    rows = []
    for line in text.splitlines():
        if line.startswith(("List of devices", "* ")) or not line.strip():
            continue
        found = _LINE.match(line.strip()) or _UNKNOWN.match(line.strip())
        assert found is not None  # a line that is not blank matches the second
        serial, state, words = found[1], found["state"], found["words"].strip()
        details = dict(
            re.findall(r"(?:^|\s)([a-z_]+):(\S+)", re.sub(r"\[.*?\]|\(.*?\)", "", words))
        )
        explanation = words.split("; see")[0].strip() if words.startswith(("(", ";")) else ""
        rows.append(
            Listed(serial, next((s for s in STATES if s == state), "unknown"), details, explanation)
        )
    return tuple(rows)


def send(server: Server, service: str) -> socket.socket:
    """Return a connection with a request sent and its answer unread. Raises ``OSError``."""
    link = socket.create_connection((server.host, server.port), ANSWER_S)
    try:
        link.sendall(b"%04x%s" % (len(service), service.encode()))
    except BaseException:
        link.close()
        raise
    return link


def _open(server: Server, service: str) -> socket.socket:
    link = send(server, service)
    try:
        status = _exactly(link, 4)
        if status != b"OKAY":
            reason = _text(link) if status == b"FAIL" else status
            raise ConnectionRefusedError(f"{service}: {reason.decode(errors='replace')}")
    except BaseException:
        link.close()
        raise
    return link


def _text(link: socket.socket) -> bytes:
    length = _exactly(link, 4)
    try:
        return _exactly(link, int(length, 16))
    except ValueError as error:
        raise ConnectionAbortedError(f"not an adb server: {length!r}") from error


def _exactly(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = link.recv(count - len(data))
        if not more:
            raise ConnectionResetError("the adb server ended")
        data += more
    return data
