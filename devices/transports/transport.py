"""The seam to a device: a ``Transport`` runs a command there and carries bytes both ways.

A command has ended only if its end marker arrived. The exit code of adb says nothing about that:
adb 29 ends with 0 where the cable was pulled. ``run`` never raises for what befalls a device;
copying does, as ``DeviceError``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from edgezoo.devices.failures import DeviceError, Failure


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command on a device did.

    ``ended`` tells that the end marker was seen; ``returncode`` is then the command's own (128 and
    the signal where one ended it), else ``None``, and ``failure`` says what came between.
    ``boot_id`` names the boot of the device in which it started, empty where it does not tell.
    """

    stdout: bytes
    stderr: bytes
    returncode: int | None
    ended: bool
    failure: Failure | None = None
    boot_id: str = ""

    @property
    def ok(self) -> bool:
        """Whether the command ended, with code 0."""
        return self.ended and self.returncode == 0

    @property
    def text(self) -> str:
        """Standard output; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode(errors="replace")

    @property
    def complaint(self) -> str:
        """The last line on standard error, or of the output where there is none."""
        lines = (self.stderr.strip() or self.stdout.strip()).decode(errors="replace").splitlines()
        return lines[-1].strip() if lines else f"exit code {self.returncode}"

    def lost(self) -> DeviceError:
        """Return the error of a command that did not end."""
        return DeviceError(self.failure or Failure("link_lost", "the device did not answer"))


class Transport(Protocol):
    """One device and the way to it. ``folder`` on the device is edgezoo's own."""

    @property
    def name(self) -> Literal["adb", "ssh", "local"]:
        """Which way."""

    @property
    def serial(self) -> str:
        """How this way addresses the device; empty for this machine."""

    @property
    def folder(self) -> str:
        """The folder on the device in which everything is put."""

    def run(self, command: str | Sequence[str], timeout_s: float) -> Completed:
        """Run a POSIX shell script or an argument list; what it started is stopped at the timeout."""

    def send(self, local: Path, remote: str, timeout_s: float) -> None:
        """Copy one file to the device, unchecked; ``files.push`` checks. Raises ``DeviceError``."""

    def receive(self, remote: str, local: Path, timeout_s: float) -> None:
        """Copy one file from the device. Raises ``DeviceError``."""

    def reconnect(self) -> None:
        """Try to repair a link that is lost or frozen; say nothing where it does not work."""
