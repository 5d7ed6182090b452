"""A phone through the real adb binary.

The server is always named with ``-H``, even on this machine: adb then neither starts a server nor
ends one, whatever happens, and no environment variable leads it elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from edgezoo.devices.adb.failures import classify
from edgezoo.devices.adb.find import Adb
from edgezoo.devices.adb.server import Server, ensure_running
from edgezoo.devices.failures import DeviceError, Failure
from edgezoo.devices.stopping import StoppedError, unstoppable
from edgezoo.devices.transports.process import Ended, run_process
from edgezoo.devices.transports.transport import Completed
from edgezoo.devices.transports.wrap import stop_script, unwrap, wrap

FOLDER = "/data/local/tmp/edgezoo"  # where Android's shell user may write and execute
STOP_S = 15.0
RECONNECT_S = 15.0
MDNS = "._adb-tls-connect._tcp"  # phones that were paired for wireless debugging


@dataclass(frozen=True, slots=True)
class AdbTransport:
    """The phone ``serial`` at ``server``, by the binary ``adb``."""

    adb: Adb
    serial: str
    server: Server = field(default_factory=Server)
    folder: str = FOLDER
    name: Literal["adb"] = "adb"

    def run(self, command: str | Sequence[str], timeout_s: float) -> Completed:
        """Run it; see ``Transport``. adb's death does not end it on the phone, so that is seen to."""
        wrapped = wrap(command, self.folder)
        try:
            ended = self._adb("shell", wrapped.script, timeout_s=timeout_s)
        except StoppedError:
            with unstoppable():
                self._stop(wrapped.word)
            raise
        completed = unwrap(ended, wrapped.word, timeout_s)
        if completed.ended:
            return completed
        # Once the command has begun, what stands on standard error is its own.
        begun = ended.stdout.startswith(b"EZ_START")
        if ended.by != "exit":
            return self._stopped(completed, wrapped.word, begun)
        told = None if begun else classify(ended.stderr)
        return completed if told is None else replace(completed, failure=self._named(told))

    def send(self, local: Path, remote: str, timeout_s: float) -> None:
        """Copy a file to the phone."""
        self._copy("push", str(local), remote, timeout_s)

    def receive(self, remote: str, local: Path, timeout_s: float) -> None:
        """Copy a file from the phone."""
        self._copy("pull", remote, str(local), timeout_s)

    def reconnect(self) -> None:
        """Start this machine's server where it has gone, and make it try this phone anew."""
        try:
            ensure_running(self.server, self.adb)
        except DeviceError:  # the next command will tell
            return
        if is_network(self.serial):
            # `adb reconnect` forgets a phone on the network (36.0.0), and a new server never knew it.
            # One that was found by its service's name is connected to by the server itself.
            if MDNS not in self.serial:
                self._adb("disconnect", self.serial, timeout_s=RECONNECT_S, device=False)
            self._adb("connect", self.serial, timeout_s=RECONNECT_S, device=False)
        else:
            self._adb("reconnect", timeout_s=RECONNECT_S)

    def _adb(self, *arguments: str, timeout_s: float, device: bool = True) -> Ended:
        server = ("-H", self.server.host, "-P", str(self.server.port))
        which = ("-s", self.serial) if device else ()
        try:
            return run_process([str(self.adb.path), *server, *which, *arguments], timeout_s)
        except OSError as error:
            message = f"{self.adb.path} cannot be run: {error.strerror}"
            raise DeviceError(Failure("tool_missing", message)) from error

    def _copy(self, verb: str, source: str, target: str, timeout_s: float) -> None:
        ended = self._adb(verb, source, target, timeout_s=timeout_s)
        if ended.by == "exit" and ended.returncode == 0:
            return
        if ended.by == "timeout":
            failure = Failure("timeout", f"adb {verb} did not end within {timeout_s:.0f} s")
        else:
            general = Failure("push_failed", f"adb {verb} {source} {target} ended early")
            failure = self._named(classify(ended.stderr + ended.stdout) or general)
        raise DeviceError(failure)

    def _stopped(self, completed: Completed, word: str, begun: bool) -> Completed:
        """Stop on the phone what did not end in time, and add whether that could be verified.

        A phone that said nothing at all is not asked to: that would only be a second wait.
        """
        failure = completed.failure
        if (begun and self._stop(word)) or failure is None:
            return completed
        message = f"{failure.message}, but whether it goes on there is not known"
        return replace(completed, failure=replace(failure, message=message))

    def _stop(self, word: str) -> bool:
        """End a command on the phone; return whether that could be verified."""
        stop = wrap(stop_script(word, self.folder), self.folder)
        ended = self._adb("shell", stop.script, timeout_s=STOP_S)
        return unwrap(ended, stop.word, STOP_S).stdout.strip() == b"stopped"

    def _named(self, failure: Failure) -> Failure:
        """Put the serial into a message that only speaks of the phone."""
        message = failure.message
        if self.serial not in message:
            message = f"{self.serial}: {message}"
        return replace(failure, message=message)


def is_network(serial: str) -> bool:
    """Tell whether a serial is of a phone on the network: HOST:PORT, or the name of its service."""
    host, _, port = serial.rpartition(":")
    return MDNS in serial or (bool(host) and port.isdigit())
