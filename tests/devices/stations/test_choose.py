"""One phone that is seen twice, as texts; with simulated phones in ``fleet/test_many``."""

from pathlib import Path

from edgezoo.devices.adb.find import Adb
from edgezoo.devices.adb.server import Server
from edgezoo.devices.describe import describe_host
from edgezoo.devices.stations.choose import Found, _told_apart
from edgezoo.devices.transports.adb import AdbTransport

ADB = Adb(Path("/usr/bin/adb"), "PATH", "36.0.0", 41)
MDNS = "adb-R58N-4meRBj._adb-tls-connect._tcp"


def found(serial: str, boot_id: str, port: int = 5037) -> Found:
    transport = AdbTransport(ADB, serial, Server(port=port))
    return Found(transport, describe_host(), boot_id)


def test_the_cable_is_preferred() -> None:
    said: list[str] = []
    seen = (found(MDNS, "b1"), found("10.0.0.7:5555", "b1"), found("R58N", "b1"), found("R2", "b2"))
    kept = _told_apart(seen, said.append)
    assert [one.transport.serial for one in kept] == ["R58N", "R2"]
    assert said == [
        f"left out: {MDNS} is R58N once more",
        "left out: 10.0.0.7:5555 is R58N once more",
    ]


def test_boots_that_are_not_told() -> None:
    assert len(_told_apart((found("R1", ""), found("R2", "")), list[str]().append)) == 2
