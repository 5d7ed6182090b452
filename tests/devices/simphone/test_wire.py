"""The transport and the handshake, message by message."""

from collections.abc import Iterator

import pytest

from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.auth import public_key as read_key
from edgezoo.devices.simphone.wire import AUTH, CLSE, CNXN, OPEN
from tests.devices.simphone.host import EXPONENT, MODULUS, Host, public_key, sign


@pytest.fixture(scope="module")
def phone() -> Iterator[SimulatedPhone]:
    with SimulatedPhone(isolated=False) as phone:
        yield phone


@pytest.fixture(autouse=True)
def healthy(phone: SimulatedPhone) -> Iterator[None]:
    phone.forget_keys()
    yield
    phone.heal()


def test_reads_a_public_key() -> None:
    assert read_key(public_key()) == (MODULUS, EXPONENT)


@pytest.mark.parametrize("offered", [b"", b"no key", b"AAAA someone", b"\xff\xfe", b"AAAAAA=="])
def test_refuses_what_is_no_key(offered: bytes) -> None:
    assert read_key(offered) is None


def test_first_offers_its_key_then_signs(phone: SimulatedPhone) -> None:
    with Host(phone.port) as host:
        command, kind, _, token = host.greet()
        assert (command, kind, len(token)) == (AUTH, 1, 20)
        host.send(AUTH, 2, 0, sign(token))  # nobody trusts it yet
        command, kind, _, again = host.receive()
        assert (command, kind) == (AUTH, 1) and again != token
        host.send(AUTH, 3, 0, public_key())
        assert host.receive()[0] == CNXN
    with Host(phone.port) as host:
        token = host.greet()[3]
        host.send(AUTH, 2, 0, sign(token))
        command, _, _, banner = host.receive()
    assert command == CNXN
    assert banner.startswith(b"device::ro.product.name=sim_flagship;") and b"shell_v2" in banner


def test_a_wrong_signature_is_refused(phone: SimulatedPhone) -> None:
    phone.trust(public_key())
    with Host(phone.port) as host:
        token = host.greet()[3]
        host.send(AUTH, 2, 0, sign(token[::-1]))
        assert host.receive()[0] == AUTH


def test_nothing_opens_before_the_handshake(phone: SimulatedPhone) -> None:
    with Host(phone.port) as host:
        host.greet()
        host.send(OPEN, 7, 0, b"shell:id\0")
        host.send(AUTH, 3, 0, public_key())
        assert host.receive()[0] == CNXN  # the first that is heard after the token


@pytest.mark.parametrize("state", ["unauthorized", "authorizing"])
def test_nobody_taps_allow(phone: SimulatedPhone, state: str) -> None:
    phone.set(state=state)
    with Host(phone.port) as host:
        assert host.greet()[0] == AUTH
        host.send(AUTH, 3, 0, public_key())
        host.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            host.receive()


def connected(phone: SimulatedPhone, version: int = 0x01000001) -> Host:
    host = Host(phone.port, version)
    host.greet()
    host.send(AUTH, 3, 0, public_key())
    assert host.receive()[0] == CNXN
    return host


def test_an_old_server_gets_checksums(phone: SimulatedPhone) -> None:
    with connected(phone, 0x01000000) as host:
        assert host.read_all(host.open(b"shell:echo hello")) == b"hello\n"


def test_exit_code_and_both_streams(phone: SimulatedPhone) -> None:
    with connected(phone) as host:
        sent = host.read_all(host.open(b"shell,v2,raw:echo out; echo err >&2; exit 37"))
    packets = set()
    while sent:
        size = int.from_bytes(sent[1:5], "little")
        packets.add((sent[0], sent[5 : 5 + size]))
        sent = sent[5 + size :]
    assert packets == {(1, b"out\n"), (2, b"err\n"), (3, b"\x25")}


def test_unknown_services_are_closed(phone: SimulatedPhone) -> None:
    with connected(phone) as host:
        host.send(OPEN, 7, 0, b"remount:\0")
        assert host.receive()[:3] == (CLSE, 0, 7)


def test_what_is_no_adb_ends_the_connection(phone: SimulatedPhone) -> None:
    with Host(phone.port) as host:
        host.socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert host.socket.recv(1) == b""


def test_sent_bytes_can_break_the_link(phone: SimulatedPhone) -> None:
    with connected(phone) as host:
        phone.set(drop_after_sent_bytes=100_000)
        with pytest.raises((EOFError, ConnectionResetError)):
            host.read_all(host.open(b"shell:while true; do echo more; done"))
    assert phone.faults.drop_after_sent_bytes is None  # it happens once


def test_a_frozen_link_thaws(phone: SimulatedPhone) -> None:
    with connected(phone) as host:
        phone.set(freeze_after_bytes=0)
        host.send(OPEN, 7, 0, b"shell:echo late\0")
        host.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            host.receive()
        host.socket.settimeout(20)
        phone.set(freeze_after_bytes=None)
        remote = host.receive()[1]
        assert host.read_all(remote) == b"late\n"
