"""The phone's processes, seen from the daemon: start, wait, signal, and all gone at the end.

The other side is ``init``, which runs as a process of its own; see there.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgezoo.devices.simphone.root import Tree, host_folders
from edgezoo.errors import BenchmarkError

INIT = Path(__file__).with_name("init.py")
START_TIMEOUT_S = 30.0
LOST = 255  # what a command ends with whose phone went down


class Command:
    """A shell command that runs on the phone."""

    def __init__(self, machine: Machine, number: int) -> None:
        self._machine, self.number = machine, number
        self._code: int | None = None
        self._ended = threading.Event()

    def end(self, code: int) -> None:
        """Take note of the exit code; a second one does not count."""
        if not self._ended.is_set():
            self._code = code
            self._ended.set()

    def wait(self) -> int:
        """Return the exit code, 128 + n for signal n, once the shell has ended."""
        self._ended.wait()
        return LOST if self._code is None else self._code

    def signal(self, number: int) -> None:
        """Send a signal to the shell alone, as adbd does when the host hangs up."""
        if not self._ended.is_set():
            self._machine.ask({"id": self.number, "signal": number})


class Machine:
    """The running part of a phone, from boot to shut-down."""

    def __init__(
        self, tree: Tree, on_reboot: Callable[[], None], program_rules: tuple[str, ...] = ()
    ) -> None:
        """Boot; ``program_rules`` are for the kernel's binfmt_misc, and hold on the phone only.

        Raises ``BenchmarkError`` where this machine does not let a phone be isolated.
        """
        self._on_reboot = on_reboot
        self._commands: dict[int, Command] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        settings = {**_settings(tree), "program_rules": program_rules}
        with other:
            os.set_inheritable(other.fileno(), True)
            self._process = subprocess.Popen(
                (sys.executable, "-I", "-S", str(INIT), str(other.fileno()), json.dumps(settings)),
                stdin=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
                start_new_session=True,  # Ctrl-C is for the daemon
            )
        self.outer_pid = self._process.pid  # of the one that waits for process 1
        self.init_pid = self._await_ready()
        self._environment = {"SIMINIT": "1" if tree.isolated else str(self.init_pid)}
        self._reader = threading.Thread(target=self._listen, name="simphone-init", daemon=True)
        self._reader.start()

    def _await_ready(self) -> int:
        self._channel.settimeout(START_TIMEOUT_S)
        try:
            data = self._channel.recv(1 << 16)
        except TimeoutError:
            data = b""
        message = json.loads(data) if data else {"event": "failed", "reason": "it did not start"}
        if message["event"] != "ready":
            self._channel.close()
            self._process.kill()
            self._process.wait()
            raise BenchmarkError(
                f"a simulated phone cannot be isolated here ({message['reason']});"
                " use the reduced tier, or allow user namespaces"
            )
        self._channel.settimeout(None)
        return int(message["pid"])

    def start(
        self,
        arguments: tuple[str, ...],
        fds: tuple[int, int, int],
        terminal: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Command:
        """Start the phone's shell; the three file descriptors become its standard streams."""
        command = Command(self, next(self._numbers))
        with self._lock:
            self._commands[command.number] = command
        request = {
            "id": command.number,
            "command": arguments,
            "terminal": terminal,
            "environment": {**self._environment, **(environment or {})},
        }
        try:
            socket.send_fds(self._channel, [json.dumps(request).encode()], fds)
        except OSError:  # the phone is going down
            command.end(LOST)
        return command

    def ask(self, message: Mapping[str, Any]) -> None:  # Any: JSON
        """Send a request to the phone's first process, which may be gone."""
        try:
            self._channel.send(json.dumps(message).encode())
        except OSError:
            return

    def pace(self, speed: float) -> None:
        """Let programs run for the share ``speed`` of the time only."""
        self.ask({"speed": speed})

    def _listen(self) -> None:
        while True:
            try:
                data = self._channel.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            message = json.loads(data)
            if message["event"] == "reboot":
                self._on_reboot()
                continue
            with self._lock:
                command = self._commands.pop(message["id"], None)
            if command is not None:
                command.end(message["code"])
        with self._lock:
            left, self._commands = list(self._commands.values()), {}
        for command in left:
            command.end(LOST)

    def close(self) -> None:
        """Shut down: every process of the phone is gone when this returns."""
        self.ask({"shutdown": True})
        self._channel.shutdown(socket.SHUT_WR)
        self._process.wait()
        self._reader.join()
        self._channel.close()


def _settings(tree: Tree) -> dict[str, Any]:  # Any: JSON
    return {
        "namespaces": tree.isolated,
        "root": str(tree.root),
        "host": host_folders(),
        "home": "/" if tree.isolated else str(tree.root),
        "shell": f"{tree.inside}/system/bin/sh",
        "environment": tree.environment(),
    }
