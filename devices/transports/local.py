"""This machine as a device, through the same scripts as a phone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgezoo.devices.failures import DeviceError, Failure
from edgezoo.devices.transports.process import run_process
from edgezoo.devices.transports.transport import Completed
from edgezoo.devices.transports.wrap import unwrap, wrap


def _own_folder() -> str:
    return str(Path(tempfile.gettempdir(), "edgezoo"))


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Runs with ``/bin/sh``; files are copied into ``folder``, so that a change of theirs shows."""

    folder: str = field(default_factory=_own_folder)
    serial: str = ""
    name: Literal["local"] = "local"

    def run(self, command: str | Sequence[str], timeout_s: float) -> Completed:
        """Run it; see ``Transport``. Its whole process group is killed at the timeout."""
        wrapped = wrap(command, self.folder)
        ended = run_process(["/bin/sh", "-c", wrapped.script], timeout_s)
        if ended.by != "exit":
            Path(self.folder, "run", wrapped.word).unlink(missing_ok=True)
        return unwrap(ended, wrapped.word, timeout_s)

    def send(self, local: Path, remote: str, timeout_s: float) -> None:
        """Copy a file to another folder of this machine."""
        try:
            shutil.copyfile(local, remote)
        except OSError as error:
            message = f"{remote} cannot be written: {error.strerror}"
            raise DeviceError(Failure("push_failed", message)) from error

    def receive(self, remote: str, local: Path, timeout_s: float) -> None:
        """Copy a file back."""
        try:
            shutil.copyfile(remote, local)
        except OSError as error:
            message = f"{remote} cannot be read: {error.strerror}"
            raise DeviceError(Failure("no_output", message)) from error

    def reconnect(self) -> None:
        """Do nothing: there is no link."""
