"""What the real adb client says about a server that is wrong; numbers as in test_bad_situations."""

from dataclasses import replace

import pytest

from edgezoo.devices.adb.server import Server
from edgezoo.devices.simphone.broken_server import Kind, broken_server
from edgezoo.errors import UsageError
from tests.devices.simphone.conftest import Adb, Done


def with_server(adb: Adb, port: int) -> Adb:
    environment = {**adb.environment, "ANDROID_ADB_SERVER_PORT": str(port)}
    return replace(adb, server=Server(port=port), environment=environment)


@pytest.mark.parametrize(
    ("kind", "arguments", "code", "message"),
    [
        ("no_permissions", ("devices",), 0, "USB0001\tno permissions (missing udev rules?"),  # 10
        (
            "no_permissions",
            ("shell", "true"),
            1,
            "insufficient permissions for device: missing udev",
        ),
        (
            "other_version",
            ("devices",),
            1,
            "adb server version (32) doesn't match this client",
        ),  # 11
        ("other_version", ("devices",), 1, "* failed to start daemon"),  # 12
        ("other_version", ("shell", "true"), 1, "cannot connect to daemon"),
        ("other_version", ("shell", "true"), 1, "ADB server didn't ACK"),
        ("silent", ("devices",), 1, "protocol fault (couldn't read status)"),
        ("silent", ("shell", "true"), 1, "protocol fault (couldn't read status)"),
    ],
)
def test_real_words(
    adb: Adb, kind: Kind, arguments: tuple[str, ...], code: int, message: str
) -> None:
    with broken_server(kind) as port:
        done: Done = with_server(adb, port)(*arguments)
    assert done.code == code and message in done.all


def test_unknown_kind() -> None:
    with pytest.raises(UsageError, match="choose one of no_permissions, other_version, silent"):
        broken_server("rusty").__enter__()  # type: ignore[arg-type]  # what a user may write
