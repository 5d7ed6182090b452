"""What adb's complaints mean: one table from its words to a class of failure.

Two dialects differ in their prefix (``adb:`` since about release 30, ``error:`` before) and in some
words, so each row matches the stable part. The exit code decides only where adb says nothing: many
failures of ``adb connect`` end with 0, and adb 29 ends with 0 where the link was lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgezoo.devices.failures import Failure, FailureClass


@dataclass(frozen=True, slots=True)
class Row:
    """A complaint: what matches it in adb's output, its class, and what it means as a clause.

    ``{0}`` in ``meaning`` is the pattern's first group, ``{line}`` the line that matched.
    """

    pattern: str
    failure_class: FailureClass
    meaning: str


# The first row that matches counts, so the particular stands before the general.
TABLE: tuple[Row, ...] = (
    # Which device.
    Row(r"no devices/emulators found", "no_device", "adb sees no phone"),
    Row(r"more than one (?:device|emulator)", "ambiguous_device", "adb sees several phones"),
    Row(r"device (?:'([^']*)' )?not found", "device_gone", "{0} is not connected"),
    # Whether it lets us in.
    Row(r"device unauthorized", "unauthorized", "the phone does not trust this computer yet"),
    Row(
        r"failed to authenticate to (\S+)", "unauthorized",
        "{0} does not trust this computer yet",
    ),
    Row(
        r"no permissions|insufficient permissions for device", "no_permission",
        "this user may not open the phone's USB device",
    ),
    Row(r"device still (?:authorizing|connecting)", "not_ready", "the phone is still connecting"),
    Row(r"device offline|device is offline", "offline", "the phone does not answer the adb server"),
    # The server.
    Row(
        r"server version \((\d+)\) doesn't match this client \((\d+)\)", "server_mismatch",
        "the adb server speaks version {0}, this adb another",
    ),
    Row(
        r"failed to start daemon|ADB server didn't ACK|could not read ok from ADB",
        "tool_broken", "the adb server does not start ({line})",
    ),
    Row(
        r"cannot connect to daemon|cannot start server on remote host|failed to check server version",
        "link_lost", "the adb server is gone",
    ),
    # A link over the network.
    Row(
        r"failed to connect to '?([^\s':]+:\d+)'?: Connection refused", "connection_refused",
        "nothing listens at {0}",
    ),
    Row(
        r"failed to connect to '?([^\s']+)'?: (?:No route|Network is|Connection timed out|.*resol)",
        "connection_refused", "{0} cannot be reached",
    ),
    Row(r"failed to connect to '?([^\s':]+:\d+)'?", "offline", "{0} does not answer"),
    # Copying.
    Row(r"No space left on device", "disk_full", "the phone's storage is full"),
    Row(
        r"(?:Read-only file system|couldn't create file: |(?:remote|couldn't).*Permission denied)",
        "push_denied", "the phone refuses the file ({line})",
    ),
    Row(
        r"failed to stat remote object '([^']*)'", "no_output", "{0} is not on the phone",
    ),
    Row(
        r"failed to read copy response|couldn't read from device|failed to copy|protocol fault"
        r"|Connection reset|Broken pipe|unexpected EOF",
        "push_failed", "the link broke while a file was copied ({line})",
    ),
    # What this phone's daemon does not do.
    Row(r"adbd cannot run as root", "root_refused", "the phone's build does not allow root"),
    Row(
        r"(?:error|adb): closed", "unsupported",
        "the phone's debugging service refuses to run this",
    ),
)  # fmt: skip


def classify(printed: bytes) -> Failure | None:
    """Return the failure that adb's own output tells of, or ``None`` where no row matches.

    Give it standard error, and for ``adb connect`` and ``adb root`` standard output too; never the
    output of a command on the phone.
    """
    text = printed.decode(errors="replace")
    for row in TABLE:
        found = re.search(row.pattern, text)
        if found:
            named = (found.groups() or ("",))[0] or "the phone"
            lines = (line.strip() for line in text.splitlines())
            line = next((line for line in lines if re.search(row.pattern, line)), "")
            return Failure(row.failure_class, row.meaning.format(named, line=line))
    return None
