"""What adb says in both dialects, 36.0.0 and 29.0.6, and the class that it means.

The texts were captured from both binaries against a simulated phone; those of USB and of a server
that does not start are strings inside both.
"""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.devices.adb.failures import TABLE, classify
from edgezoo.devices.failures import ADVICE, DeviceError, Failure, FailureClass

UNAUTHORIZED = (
    "device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\n"
    "Try 'adb kill-server' if that seems wrong.\n"
    "Otherwise check for a confirmation dialog on your device.\n"
)
# situation: what is printed, class, a piece of the sentence
SAID = [
    (2, "adb: no devices/emulators found", "no_device", "plug one in"),
    (2, "error: no devices/emulators found", "no_device", "adb connect HOST:PORT"),
    (3, "adb: more than one device/emulator", "ambiguous_device", "--device SERIAL"),
    (3, "error: more than one device/emulator", "ambiguous_device", "--device all"),
    (4, "adb: device 'NOPE' not found", "device_gone", "NOPE is not connected"),
    (4, "error: device 'NOPE' not found", "device_gone", "NOPE is not connected"),
    (4, "error: device not found", "device_gone", "the phone is not connected"),
    (5, f"adb: {UNAUTHORIZED}", "unauthorized", "tap Allow"),
    (5, f"error: {UNAUTHORIZED}", "unauthorized", "tap Allow"),
    (5, f"adb: error: failed to get feature set: {UNAUTHORIZED}", "unauthorized", "tap Allow"),
    (6, "failed to authenticate to 10.0.0.7:5555", "unauthorized", "10.0.0.7:5555 does not trust"),
    (7, "adb: device offline", "offline", "reconnect"),
    (7, "error: device offline", "offline", "reconnect"),
    (7, "failed to connect to 10.0.0.7:5555", "offline", "10.0.0.7:5555 does not answer"),
    (8, "error: device still authorizing", "not_ready", "wait a moment"),
    (8, "adb: device still connecting", "not_ready", "wait a moment"),
    (
        9,
        "failed to connect to '127.0.0.1:16999': Connection refused",
        "connection_refused",
        "nothing listens at 127.0.0.1:16999",
    ),
    (
        9,
        "failed to connect to '10.0.0.7:5555': No route to host",
        "connection_refused",
        "10.0.0.7:5555 cannot be reached",
    ),
    (
        10,
        "adb: insufficient permissions for device: missing udev rules? user is in the plugdev group",
        "no_permission",
        "udev rules",
    ),
    (
        10,
        "error: insufficient permissions for device: user in plugdev group; are your udev rules"
        " wrong?",
        "no_permission",
        "udev rules",
    ),
    (
        11,
        "adb server version (40) doesn't match this client (41); killing...",
        "server_mismatch",
        "speaks version 40",
    ),
    (
        12,
        "* daemon not running; starting now at tcp:5037\nADB server didn't ACK\n"
        "* failed to start daemon\nerror: cannot connect to daemon",
        "tool_broken",
        "edgezoo doctor",
    ),
    (
        13,
        "* cannot start server on remote host\nadb: failed to check server version: cannot connect"
        " to daemon at tcp:127.0.0.1:5037: Connection refused",
        "link_lost",
        "the adb server is gone",
    ),
    (
        15,
        "blob: 1 file pushed, 0 skipped. 162.0 MB/s\nadb: error: failed to read copy response: EOF",
        "push_failed",
        "check the cable",
    ),
    (
        15,
        "adb: error: failed to copy 'blob' to '/data/local/tmp/blob': couldn't read from device",
        "push_failed",
        "check the cable",
    ),
    (
        17,
        "adb: error: failed to copy 'blob' to '/d/blob': remote write failed: No space left on"
        " device",
        "disk_full",
        "delete files",
    ),
    (17, "failed to copy 'a' to 'b': remote No space left on device", "disk_full", "delete"),
    (
        18,
        "adb: error: failed to copy 'b' to '/system/b': remote couldn't create file: Permission"
        " denied",
        "push_denied",
        "couldn't create file: Permission denied",
    ),
    (
        18,
        "adb: error: failed to copy 'b' to '/x/b': remote couldn't create file: Read-only file"
        " system",
        "push_denied",
        "Read-only file system",
    ),
    (
        19,
        "adb: error: failed to stat remote object '/d/zzz': No such file or directory",
        "no_output",
        "/d/zzz is not on the phone",
    ),
    (33, "adbd cannot run as root in production builds", "root_refused", "nothing here needs it"),
    (34, "error: closed", "unsupported", "refuses"),
]


@pytest.mark.parametrize(("number", "text", "kind", "piece"), SAID)
def test_what_adb_says(number: int, text: str, kind: FailureClass, piece: str) -> None:
    failure = classify(text.encode())
    assert failure is not None
    assert failure.failure_class == kind
    assert piece in failure.sentence
    assert "\n" not in failure.sentence


def test_every_row_is_needed() -> None:
    """A row that no text of the list reaches is dead or was put behind a more general one."""
    reached = {classify(text.encode()) for _, text, _, _ in SAID}
    for row in TABLE:
        kinds = {failure.failure_class for failure in reached if failure}
        assert row.failure_class in kinds, row


@pytest.mark.parametrize("text", ["", "42 files pushed", "* daemon started successfully"])
def test_nothing_wrong(text: str) -> None:
    assert classify(text.encode()) is None


@given(st.binary())
def test_any_bytes(printed: bytes) -> None:
    classify(printed)


@pytest.mark.parametrize("kind", get_args(FailureClass))
def test_every_class_has_a_next_step(kind: FailureClass) -> None:
    error = DeviceError(Failure(kind, "it is so"))
    assert str(error) == f"it is so; {ADVICE[kind]}."
    assert not ADVICE[kind].endswith(".")
