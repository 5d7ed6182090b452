"""The fixtures that users get: a phone and a server of their own, named by the environment."""

import os
import subprocess
from collections.abc import Callable

import pytest

from edgezoo.devices.adb.server import Server, default_server
from edgezoo.devices.simphone import SimulatedPhone, cable
from edgezoo.devices.simphone.fixtures import own_adb_server, simulated_phone, simulated_phones
from edgezoo.errors import UsageError

# They come with the installed package; an environment older than that has to be told.
__all__ = ["own_adb_server", "simulated_phone", "simulated_phones"]


def test_one_phone(simulated_phone: SimulatedPhone) -> None:
    assert default_server() == simulated_phone.server
    adb = os.environ["EDGEZOO_ADB"]
    done = subprocess.run(
        [adb, "shell", "getprop", "ro.edgezoo.simulated"], capture_output=True, timeout=60
    )
    assert done.stdout == b"1\n"


def test_several_with_a_fault(simulated_phones: Callable[..., tuple[SimulatedPhone, ...]]) -> None:
    phones = simulated_phones(2, situations=("unauthorized",))
    assert phones[0].server is not None
    states = {cable.state_of(phones[0].server, phone.serial) for phone in phones}
    assert states == {"unauthorized"}


@pytest.mark.parametrize(
    ("environment", "server"),
    [
        ({}, Server("127.0.0.1", 5037)),
        ({"ANDROID_ADB_SERVER_PORT": "6000"}, Server("127.0.0.1", 6000)),
        ({"ANDROID_ADB_SERVER_ADDRESS": "pi"}, Server("pi", 5037)),
        (
            {"ADB_SERVER_SOCKET": "tcp:pi:99", "ANDROID_ADB_SERVER_PORT": "6000"},
            Server("pi", 99),
        ),
        ({"ADB_SERVER_SOCKET": "tcp:99"}, Server("127.0.0.1", 99)),
    ],
)
def test_the_server_that_the_environment_names(environment: dict[str, str], server: Server) -> None:
    assert default_server(environment) == server


@pytest.mark.parametrize("port", ["x", "0", "70000", "-1"])
def test_a_port_that_is_none(port: str) -> None:
    with pytest.raises(UsageError, match="set ANDROID_ADB_SERVER_PORT to a number"):
        default_server({"ANDROID_ADB_SERVER_PORT": port})
