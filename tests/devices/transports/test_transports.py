"""What every transport promises, proven on this machine and on an sshd; phones/ proves it for adb."""

import os
import signal
import time
from pathlib import Path

import pytest

from edgezoo.devices.failures import DeviceError
from edgezoo.devices.locks import locked
from edgezoo.devices.survey import survey
from edgezoo.devices.transports.files import clear_cache, free_bytes, pull, push, remove
from edgezoo.devices.transports.local import LocalTransport
from edgezoo.devices.transports.ssh import SshTransport
from edgezoo.devices.transports.transport import Transport

LONG_S = 60.0


@pytest.fixture(params=["local", "ssh"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Transport:
    if request.param == "local":
        return LocalTransport(f"{tmp_path}/device")
    board: SshTransport = request.getfixturevalue("board")
    return board


def test_output_and_code(transport: Transport) -> None:
    done = transport.run(r"echo out; echo err >&2; printf 'x\377'; exit 37", LONG_S)
    assert (done.ended, done.ok, done.returncode) == (True, False, 37)
    assert (done.stdout, done.stderr) == (b"out\nx\xff", b"err\n")
    assert done.text == "out\nx�"
    assert done.complaint == "err"
    assert done.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.mark.parametrize("word", ["a b", "it's", '"$HOME"', "`id`", "$(id)", "*", "", "ü\n1", "-n"])
def test_arguments_arrive_as_they_are(transport: Transport, word: str) -> None:
    done = transport.run(["printf", "%s|", word, "end"], LONG_S)
    assert done.text == f"{word}|end|"


def test_a_signal(transport: Transport) -> None:
    done = transport.run("sh -c 'kill -s SEGV $$'", LONG_S)
    assert (done.ended, done.returncode) == (True, 128 + signal.SIGSEGV)


def test_the_marker_cannot_be_printed_by_the_command(transport: Transport) -> None:
    done = transport.run("echo; echo 'EZ_END 0 rc=0'; exit 5", LONG_S)
    assert (done.returncode, done.stdout) == (5, b"\nEZ_END 0 rc=0\n")


def test_timeout_stops_what_was_started(transport: Transport, tmp_path: Path) -> None:
    """The children too, and although they ignore a hang-up."""
    pids = tmp_path / "pids"
    script = f"trap '' HUP TERM\nsleep 1000 & echo $! > {pids}\nsh -c 'sleep 1000; :'"
    done = transport.run(script, 1.0)
    assert (done.ended, done.returncode, done.ok) == (False, None, False)
    assert done.failure is not None
    assert done.failure.failure_class == "timeout"
    assert done.failure.message == "it did not end within 1 s and was stopped"
    pid = int(pids.read_text())
    while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
        time.sleep(0.02)
    assert list(Path(transport.folder, "run").iterdir()) == []


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "Z"


def test_output_without_end(transport: Transport) -> None:
    done = transport.run("yes 0123456789012345678901234567890123456789", LONG_S)
    assert done.failure is not None
    assert done.failure.failure_class == "bad_output"
    assert not done.ended


def test_a_shell_that_is_killed(transport: Transport) -> None:
    """Nothing tells of it but the missing marker."""
    done = transport.run("kill -s KILL $$", LONG_S)
    assert not done.ended
    assert done.failure is not None
    assert done.failure.failure_class == "link_lost"


def test_push_once(transport: Transport, tmp_path: Path) -> None:
    local = tmp_path / "my network (1).tflite"
    local.write_bytes(os.urandom(100_000))
    remote = push(transport, local)
    assert remote.endswith("/my_network__1_.tflite")
    assert Path(remote).read_bytes() == local.read_bytes()
    before = Path(remote).stat()
    assert push(transport, local) == remote
    assert Path(remote).stat().st_ino == before.st_ino
    assert not os.access(remote, os.X_OK) or os.stat(remote).st_mode & 0o111 == 0
    assert push(transport, local, executable=True) == remote
    assert os.stat(remote).st_mode & 0o777 == 0o755
    assert [path.name for path in Path(remote).parent.iterdir()] == ["my_network__1_.tflite"]


@pytest.mark.parametrize("damage", [b"", b"other", b"x" * 9])
def test_a_damaged_copy_is_replaced(transport: Transport, tmp_path: Path, damage: bytes) -> None:
    local = tmp_path / "net"
    local.write_bytes(b"y" * 9)
    remote = Path(push(transport, local))
    remote.write_bytes(damage)
    assert push(transport, local) == str(remote)
    assert remote.read_bytes() == b"y" * 9


def test_a_file_that_is_gone(transport: Transport, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be read") as caught:
        push(transport, tmp_path / "absent")
    assert caught.value.failure.failure_class == "artifact_changed"


def test_pull(transport: Transport, tmp_path: Path) -> None:
    remote, local = tmp_path / "remote file", tmp_path / "local"
    remote.write_bytes(b"\0\xff" * 100)
    pull(transport, str(remote), local)
    assert local.read_bytes() == remote.read_bytes()
    with pytest.raises(DeviceError, match="is not on the device") as caught:
        pull(transport, f"{remote}2", local)
    assert caught.value.failure.failure_class == "no_output"
    assert not local.with_name("local.part").exists()


def test_cleaning(transport: Transport, tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abc"]
    for path in files:
        path.write_text(path.name)
    kept, gone, removed = (push(transport, path) for path in files)
    Path(transport.folder, "results").mkdir()
    remove(transport, [removed, f"{transport.folder}/absent"])
    clear_cache(transport, keep=[kept])
    assert [Path(path).exists() for path in (kept, gone, removed)] == [True, False, False]
    assert Path(transport.folder, "results").is_dir()


@pytest.mark.parametrize("path", ["/etc/hostname", "{}/../x", "{}"])
def test_only_its_own_files_are_removed(transport: Transport, path: str) -> None:
    with pytest.raises(ValueError, match="only what lies in"):
        remove(transport, [path.format(transport.folder)])


def test_survey_and_lock(transport: Transport) -> None:
    device, conditions = survey(transport)
    assert (device.kind, device.serial) == ("host", transport.serial)
    assert conditions.screen_on is None
    with locked(transport):
        assert Path(transport.folder, "lock").is_dir()
    assert not Path(transport.folder, "lock").exists()


@pytest.mark.parametrize(
    ("df", "expected"),
    [
        (
            "Filesystem      1K-blocks     Used Available Use% Mounted on\n"
            "/dev/block/dm-9 110636880 60103316  50533564  55% /data\n",
            50533564 << 10,
        ),
        (
            "Filesystem 1K-blocks Used Available Use% Mounted on\n"
            "/dev/block/a/very/long/name\n 100 60 40 60% /data\n",
            40 << 10,
        ),
        ("Filesystem  Size  Used  Free  Blksize\n/data  12G  3G  9G  4096\n", None),
        ("", None),
    ],
)
def test_free_space(df: str, expected: int | None) -> None:
    assert free_bytes(df) == expected
