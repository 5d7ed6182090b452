"""A Linux board (Raspberry Pi, Jetson) through the system's own ssh.

Keys, host names and jumps are as in the user's ``~/.ssh/config``; nothing is ever asked
(``BatchMode``). One connection is opened and shared, so a command costs milliseconds. Files go
through ``cat``, because not every board has an sftp server.
"""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from edgezoo.devices.failures import DeviceError, Failure, FailureClass
from edgezoo.devices.stopping import StoppedError, unstoppable
from edgezoo.devices.transports.process import Ended, run_process
from edgezoo.devices.transports.transport import Completed
from edgezoo.devices.transports.wrap import stop_script, unwrap, wrap

CONNECT_S = 10
STOP_S = 15.0
BROKEN = 255  # ssh's own exit code, for everything that is not the command's

# What ssh says on standard error, the class, and what it means; {line} is what it said.
TABLE: tuple[tuple[str, FailureClass, str], ...] = (
    (r"Permission denied|Too many authentication", "login_refused", "it accepts no key ({line})"),
    (r"Host key verification|REMOTE HOST IDENT", "login_refused", "its host key is not the known one"),
    (r"Could not resolve hostname", "device_gone", "{line}"),
    (r"Connection refused", "connection_refused", "no ssh server listens there"),
    (r"No route to host|Network is unreachable|timed out", "device_gone", "{line}"),
    (r"Broken pipe|Connection (?:reset|closed|to .* closed)|kex_exchange|mux_client", "link_lost", "{line}"),
)  # fmt: skip


def _sockets() -> str:
    return tempfile.mkdtemp(prefix="edgezoo-ssh-")  # short: a socket's path has 108 characters


@dataclass(frozen=True, slots=True)
class SshTransport:
    """The board ``serial``, a host or USER@HOST as ssh takes it; use it with ``with``.

    ``options`` go before the host (``-p``, ``2222``, ``-i``, ``FILE``). ``folder`` is on the board.
    """

    serial: str
    options: tuple[str, ...] = ()
    folder: str = "/tmp/edgezoo"
    name: Literal["ssh"] = "ssh"
    sockets: str = field(default_factory=_sockets, repr=False, compare=False)

    def run(self, command: str | Sequence[str], timeout_s: float) -> Completed:
        """Run it; see ``Transport``."""
        wrapped = wrap(command, self.folder)
        try:
            ended = self._ssh(_shell(wrapped.script), timeout_s)
        except StoppedError:
            with unstoppable():
                self._stop(wrapped.word)
            raise
        completed = unwrap(ended, wrapped.word, timeout_s)
        if completed.ended:
            return completed
        if ended.by != "exit":
            if not self._stop(wrapped.word) and completed.failure is not None:
                message = f"{completed.failure.message}, but whether it goes on there is not known"
                return replace(completed, failure=replace(completed.failure, message=message))
            return completed
        told = None if ended.stdout.startswith(b"EZ_START") else self._classify(ended)
        return completed if told is None else replace(completed, failure=told)

    def send(self, local: Path, remote: str, timeout_s: float) -> None:
        """Copy a file to the board."""
        ended = self._ssh(f"cat > {shlex.quote(remote)}", timeout_s, stdin=local)
        self._check(ended, f"{local} could not be copied", "push_failed", timeout_s)

    def receive(self, remote: str, local: Path, timeout_s: float) -> None:
        """Copy a file from the board."""
        ended = self._ssh(f"cat {shlex.quote(remote)}", timeout_s, stdout=local)
        self._check(ended, f"{remote} could not be copied", "no_output", timeout_s)

    def reconnect(self) -> None:
        """Give up the shared connection; the next command opens a new one."""
        self._ssh_master("exit")

    def __enter__(self) -> SshTransport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ssh_master("exit")
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _stop(self, word: str) -> bool:
        """End a command on the board; return whether that could be verified."""
        stop = wrap(stop_script(word, self.folder), self.folder)
        answer = unwrap(self._ssh(_shell(stop.script), STOP_S), stop.word, STOP_S)
        return answer.stdout.strip() == b"stopped"

    def _ssh(
        self, script: str, timeout_s: float, stdin: Path | None = None, stdout: Path | None = None
    ) -> Ended:
        self._connect()
        shared = ("-o", "ControlMaster=no", "-T")
        return self._run((*shared, self.serial, script), timeout_s, stdin, stdout)

    def _connect(self) -> None:
        """Open the shared connection where there is none; a failure shows in the command itself."""
        if not Path(self.sockets, "link").exists():
            # It goes to the background with its own output closed; else it would hold our pipe.
            master = ("-f", "-N", "-M", "-o", "ControlPersist=600", "-E", "/dev/null", self.serial)
            self._run(master, 2.0 * CONNECT_S)

    def _ssh_master(self, command: str) -> None:
        if Path(self.sockets, "link").exists():
            self._run(("-O", command, self.serial), STOP_S)

    def _run(
        self,
        arguments: Sequence[str],
        timeout_s: float,
        stdin: Path | None = None,
        stdout: Path | None = None,
    ) -> Ended:
        settings = (
            "BatchMode=yes", f"ConnectTimeout={CONNECT_S}", "ServerAliveInterval=5",
            "ServerAliveCountMax=3", f"ControlPath={self.sockets}/link",
        )  # fmt: skip
        options = [word for setting in settings for word in ("-o", setting)]
        try:
            return run_process(
                ["ssh", *options, *self.options, *arguments], timeout_s, stdin, stdout
            )
        except FileNotFoundError as error:
            message = "ssh is not installed (apt install openssh-client)"
            raise DeviceError(Failure("tool_missing", message)) from error

    def _check(self, ended: Ended, what: str, kind: FailureClass, timeout_s: float) -> None:
        if ended.by != "exit":
            message = f"{what} within {timeout_s:.0f} s"
            raise DeviceError(Failure("timeout", message))
        if ended.returncode == 0:
            return
        words = ended.stderr.decode(errors="replace").strip()
        if "No space left" in words:
            kind = "disk_full"
        elif kind == "push_failed" and re.search("Permission denied|Read-only", words):
            kind = "push_denied"
        told = self._classify(ended) if ended.returncode == BROKEN else None
        raise DeviceError(told or Failure(kind, f"{what} ({words or ended.returncode})"))

    def _classify(self, ended: Ended) -> Failure | None:
        lines = ended.stderr.decode(errors="replace").strip().splitlines()
        for pattern, kind, meaning in TABLE:
            for line in lines:
                if re.search(pattern, line):
                    return Failure(kind, f"{self.serial}: {meaning.format(line=line.strip())}")
        return None


def _shell(script: str) -> str:
    """Return the script for whatever shell the user logs in with."""
    return f"exec sh -c {shlex.quote(script)}"
