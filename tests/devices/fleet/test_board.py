"""A Linux board over ssh, end to end: this machine through its own sshd, with the user's settings."""

import getpass
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezoo.devices.failures import DeviceError
from edgezoo.devices.transports.files import remove
from edgezoo.devices.transports.ssh import SshTransport
from tests.devices.benching import Bench, running
from tests.devices.phones.conftest import net, runner
from tests.devices.transports.conftest import ssh_options

__all__ = ["net", "runner", "ssh_options"]  # fixtures
FIELDS: dict[str, Any] = {"processes": 2, "warmup": 1, "runs": 5}


@pytest.fixture(autouse=True)
def led_to_the_server() -> None:
    """No adb server is needed here."""


@pytest.fixture
def bench(
    ssh_options: tuple[str, ...],
    runner: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """The options stand in for ~/.ssh/config, which ssh finds without looking at HOME."""
    real = shutil.which("ssh")
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {real} {" ".join(ssh_options)} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", str(wrapper.parent), prepend=":")
    bench = Bench(f"ssh:{getpass.getuser()}@127.0.0.1", runner, tmp_path / "results.jsonl")
    yield bench
    pushed = {words for m in (bench.stored if bench.store.exists() else ()) for words in m.command}
    folders = {path.split("=")[-1].rpartition("/")[0] for path in pushed if "/edgezoo/" in path}
    with SshTransport(f"{getpass.getuser()}@127.0.0.1") as board:
        remove(board, [folder for folder in folders if folder.startswith(board.folder)])


def test_a_board(bench: Bench, net: Path) -> None:
    (measurement,) = bench(net, **FIELDS)
    assert measurement.status in ("ok", "unstable")
    assert measurement.provenance == "host"
    assert measurement.device.serial == f"{getpass.getuser()}@127.0.0.1"
    assert [len(process.wall_ms) for process in measurement.processes] == [5, 5]
    folder = Path("/tmp/edgezoo")
    assert not (folder / "lock").exists()
    assert running("edgezoo-ssh-") == []


def test_a_board_that_is_not_there(bench: Bench, net: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        bench(net, device="ssh:nobody@127.0.0.1", **FIELDS)
    assert caught.value.failure.failure_class == "login_refused"
    assert not bench.store.exists()
    assert running("edgezoo-ssh-") == []
