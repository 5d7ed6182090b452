"""The server's list and its address, as texts; the rest is tested with real servers in phones/."""

import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.devices.adb.find import Adb
from edgezoo.devices.adb.server import (
    STATES,
    Server,
    chosen_servers,
    default_server,
    ensure_running,
    listing,
    parse_listing,
    parse_server,
    version,
)
from edgezoo.devices.failures import DeviceError
from edgezoo.devices.phones import WORDS, phone_of, phones_at, select
from edgezoo.errors import UsageError

LISTING = """\
List of devices attached
127.0.0.1:16551        device product:simphone model:Sim_Phone_1 device:simphone transport_id:1
0123456789ABCDEF       no permissions (missing udev rules? user is in the plugdev group); see [http://developer.android.com/tools/device.html] usb:1-4 transport_id:2
R58N\tno permissions (user in plugdev group; are your udev rules wrong?); see [http://x/y.html]
emulator-5554          offline transport_id:4
HT4A                   unauthorized usb:3-1 transport_id:5
????????????           no permissions usb:3-2
(no serial number)     bootloader usb:3-3
10.0.0.7:5555          brandnewstate model:X
adb-c62dac4f-4meRBj (2)._adb-tls-connect._tcp device product:x model:Pixel_8 device:y transport_id:9
adb-c62dac4f-4meRBj (3)._adb-tls-connect._tcp\toffline
"""  # noqa: E501 (as adb prints it)


def test_listing() -> None:
    found = parse_listing(LISTING)
    assert [(one.serial, one.state) for one in found] == [
        ("127.0.0.1:16551", "device"),
        ("0123456789ABCDEF", "no permissions"),
        ("R58N", "no permissions"),
        ("emulator-5554", "offline"),
        ("HT4A", "unauthorized"),
        ("????????????", "no permissions"),
        ("(no serial number)", "bootloader"),
        ("10.0.0.7:5555", "unknown"),
        ("adb-c62dac4f-4meRBj (2)._adb-tls-connect._tcp", "device"),
        ("adb-c62dac4f-4meRBj (3)._adb-tls-connect._tcp", "offline"),
    ]
    assert found[-2].details == {
        "product": "x",
        "model": "Pixel_8",
        "device": "y",
        "transport_id": "9",
    }
    assert found[0].details["model"] == "Sim_Phone_1"
    assert found[1].explanation == "(missing udev rules? user is in the plugdev group)"
    assert found[1].details == {"usb": "1-4", "transport_id": "2"}


def test_situation_10_no_permission() -> None:
    """No phone on USB can be simulated; the list is all that is seen of one."""
    phones = [phone_of(listed, Server()) for listed in parse_listing(LISTING)]
    assert [phone.connection for phone in phones[:3]] == ["network", "usb", "usb"]
    assert [phone.connection for phone in phones[-2:]] == ["network", "network"]
    assert "missing udev rules?" in phones[1].meaning
    assert "udev rules" in phones[1].advice
    with pytest.raises(DeviceError, match="R58N this user may not open it") as caught:
        select(phones, "R58N")
    assert caught.value.failure.failure_class == "no_permission"
    ready = ["127.0.0.1:16551", "adb-c62dac4f-4meRBj (2)._adb-tls-connect._tcp"]
    assert [phone.serial for phone in select(phones, "all")] == ready
    with pytest.raises(DeviceError, match="this user may not open it"):
        select(phones[1:8], "all")


def test_every_state_has_words() -> None:
    assert tuple(WORDS) == STATES
    assert all(advice for state, (_, advice) in WORDS.items() if state != "device")


@given(st.text())
def test_any_listing(text: str) -> None:
    assert all(listed.state in STATES for listed in parse_listing(text))


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("lab:5037", Server("lab", 5037)),
        ("lab", Server("lab", 5037)),
        ("tcp:lab:1", Server("lab", 1)),
        ("[::1]:5038", Server("::1", 5038)),
        ("tcp:5040", Server("127.0.0.1", 5040)),
    ],
)
def test_addresses(text: str, server: Server) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize("text", ["lab:", "lab:port", "lab:70000", "lab:0"])
def test_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        parse_server(text)


def test_adbs_own_server() -> None:
    assert default_server({}) == Server("127.0.0.1", 5037)
    assert default_server({"ANDROID_ADB_SERVER_PORT": "6000"}) == Server("127.0.0.1", 6000)
    address = {"ANDROID_ADB_SERVER_ADDRESS": "lab", "ADB_SERVER_SOCKET": "tcp:box:7000"}
    assert default_server(address) == Server("box", 7000)
    assert chosen_servers(("a:1", "b:2", "a:1")) == (Server("a", 1), Server("b", 2))


def answering(*answers: bytes) -> Server:
    """Listen, and give each caller the next of the answers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            for answer in answers:
                link, _ = listener.accept()
                with link:
                    link.recv(100)
                    link.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return Server(port=listener.getsockname()[1])


def test_situation_11_another_version() -> None:
    """adb itself would end such a server and with it the work of others."""
    server = answering(b"OKAY00040028")
    adb = Adb(Path("/usr/bin/adb"), "PATH", "36.0.0", 41)
    with pytest.raises(DeviceError, match="speaks version 40, /usr/bin/adb 41") as caught:
        ensure_running(server, adb)
    assert caught.value.failure.failure_class == "server_mismatch"


def test_situation_12_a_server_that_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "adb"
    path.write_text("#!/bin/sh\necho '* failed to start daemon' >&2; exit 1\n")
    path.chmod(0o755)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = Server(port=unused.getsockname()[1])
        with pytest.raises(DeviceError, match=r"does not start .*failed to start daemon") as caught:
            ensure_running(server, Adb(path, "PATH", "36.0.0", 41))
    assert caught.value.failure.failure_class == "tool_broken"


@pytest.mark.parametrize(
    "answer", [b"", b"OK", b"FAIL0003no!", b"HTTP/1.1 400 Bad Request\r\n", b"OKAYzzzz", b"OKAY00"]
)
def test_something_else_listens(answer: bytes) -> None:
    server = answering(answer, answer, answer)
    assert version(server) is None
    with pytest.raises(OSError, match=r".+"):
        listing(server)
    with pytest.raises(DeviceError, match="does not answer") as caught:
        phones_at(server)
    assert caught.value.failure.failure_class == "link_lost"
