"""A real sshd on loopback with keys of its own, where one is installed."""

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezoo.devices.transports.ssh import SshTransport

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")

CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""


@pytest.fixture(scope="session")
def ssh_options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """Options of ssh that lead to the sshd."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("no sshd: install the package openssh-server")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(key, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config").write_text(CONFIGURATION.format(port=port, folder=folder))
    if getpass.getuser() == "root":
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd drops its rights
    log = (folder / "log").open("wb")
    command = [SSHD, "-D", "-e", "-f", str(folder / "config")]
    with log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log) as process:
        try:
            _await(port, process)
            yield (
                "-F", "none", "-p", str(port), "-i", str(folder / "user"),
                "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
                "-o", f"UserKnownHostsFile={folder}/known", "-o", "LogLevel=ERROR",
            )  # fmt: skip
        finally:
            process.terminate()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.skip("sshd does not start here")


@pytest.fixture
def board(ssh_options: tuple[str, ...], tmp_path: Path) -> Iterator[SshTransport]:
    target = f"{getpass.getuser()}@127.0.0.1"
    with SshTransport(target, ssh_options, folder=f"{tmp_path}/board") as transport:
        yield transport
