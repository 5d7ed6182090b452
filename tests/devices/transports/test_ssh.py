"""What can be wrong on the way to a board."""

import socket
import time
from pathlib import Path

import pytest

from edgezoo.devices.clock import WallClock
from edgezoo.devices.failures import FailureClass
from edgezoo.devices.transports.recovery import explain_loss
from edgezoo.devices.transports.ssh import SshTransport

LONG_S = 60.0


def test_one_connection(board: SshTransport) -> None:
    """Commands share it, and go on after it was lost."""
    assert board.run("true", LONG_S).ok
    link = Path(board.sockets, "link")
    assert link.is_socket()
    board.reconnect()
    assert not link.exists()
    assert board.run("true", LONG_S).ok


def test_nothing_is_left(ssh_options: tuple[str, ...], board: SshTransport) -> None:
    with SshTransport(board.serial, ssh_options, folder=board.folder) as transport:
        assert transport.run("true", LONG_S).ok
    assert not Path(transport.sockets).exists()


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (("-o", "IdentityFile=none", "-o", "IdentityAgent=none"), "login_refused", "by hand"),
        (("-p", "1"), "connection_refused", "no ssh server listens there"),
        (("-o", "HostName=nowhere.invalid"), "device_gone", "nowhere.invalid"),
        (
            ("-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=/dev/null"),
            "login_refused",
            "host key",
        ),
    ],
)
def test_no_way_in(
    board: SshTransport, change: tuple[str, ...], kind: FailureClass, words: str
) -> None:
    options = board.options
    if change[0] == "-p":
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            change = ("-p", str(unused.getsockname()[1]))
    if kind == "login_refused" and "IdentityFile=none" in change:
        at = options.index("-i")
        options = options[:at] + options[at + 2 :]
    with SshTransport(board.serial, (*change, *options)) as transport:
        done = transport.run("true", LONG_S)
    assert not done.ended
    assert done.failure is not None
    assert done.failure.failure_class == kind
    assert words in done.failure.sentence


def test_a_connection_that_breaks(board: SshTransport, tmp_path: Path) -> None:
    """The shared connection ends while a command runs; the board is still there."""
    pids = tmp_path / "pids"
    leave = f"ssh -O exit -o ControlPath={board.sockets}/link x"
    done = board.run(f"sleep 1000 & echo $! > {pids}; {leave}; wait", LONG_S)
    pid = int(pids.read_text())
    assert Path(f"/proc/{pid}").exists()  # the link's end has not ended it
    assert not done.ended
    assert done.failure is not None
    assert done.failure.failure_class == "link_lost"
    assert explain_loss(board, done, LONG_S, WallClock()) == done.failure
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.02)
