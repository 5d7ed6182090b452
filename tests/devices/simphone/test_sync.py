"""Files over the wire: the framing of both versions, byte by byte."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgezoo.devices.simphone import SimulatedPhone
from edgezoo.devices.simphone.root import Tree
from edgezoo.devices.simphone.sync import STAT_1, STAT_2
from edgezoo.devices.simphone.wire import CNXN
from tests.devices.simphone.host import Host

FOLDER = "/data/local/tmp"


@pytest.fixture(scope="module")
def phone() -> Iterator[SimulatedPhone]:
    with SimulatedPhone(isolated=False, asks_for_keys=False) as phone:
        yield phone


class Files:
    def __init__(self, host: Host) -> None:
        self.host, self.kept = host, b""
        self.remote = host.open(b"sync:")

    def ask(self, name: bytes, argument: str, *more: bytes) -> None:
        raw = argument.encode()
        self.host.write(self.remote, name + struct.pack("<I", len(raw)) + raw + b"".join(more))

    def take(self, count: int) -> bytes:
        while len(self.kept) < count:
            data = self.host.read(self.remote)
            assert data, "the phone closed the stream"
            self.kept += data
        taken, self.kept = self.kept[:count], self.kept[count:]
        return taken

    def status(self) -> tuple[bytes, bytes]:
        name, size = struct.unpack("<4sI", self.take(8))
        return name, self.take(size) if name in (b"FAIL", b"DATA") else b""

    def push(self, path: str, data: bytes, mode: int = 0o100644) -> tuple[bytes, bytes]:
        parts = [data[start : start + 65536] for start in range(0, len(data), 65536)]
        messages = (b"DATA" + struct.pack("<I", len(part)) + part for part in parts)
        self.ask(b"SEND", f"{path},{mode}", *messages, b"DONE" + struct.pack("<I", 1_700_000_000))
        return self.status()


@pytest.fixture
def files(phone: SimulatedPhone) -> Iterator[Files]:
    phone.heal()
    with Host(phone.port) as host:
        assert host.greet()[0] == CNXN
        yield Files(host)


@pytest.fixture
def here(phone: SimulatedPhone) -> Path:
    return phone.tree.root / "data/local/tmp"


def test_push_and_pull(files: Files, here: Path) -> None:
    data = os.urandom(200_000)
    assert files.push(f"{FOLDER}/new/a.bin", data, 0o100755) == (b"OKAY", b"")
    written = here / "new/a.bin"
    assert written.read_bytes() == data
    assert (written.stat().st_mode & 0o777, int(written.stat().st_mtime)) == (0o755, 1_700_000_000)
    files.ask(b"RECV", f"{FOLDER}/new/a.bin")
    pulled = b""
    while (part := files.status())[0] == b"DATA":
        pulled += part[1]
    assert part == (b"DONE", b"") and pulled == data


def test_stat(files: Files, here: Path) -> None:
    (here / "file").write_bytes(b"12345")
    (here / "link").symlink_to("file")
    (here / "broken").symlink_to("nothing")
    expected = (here / "file").stat()
    files.ask(b"STAT", f"{FOLDER}/file")
    assert STAT_1.unpack(files.take(STAT_1.size)) == (
        b"STAT",
        expected.st_mode,
        5,
        int(expected.st_mtime),
    )
    for name, path, kind, error in (
        (b"STA2", "link", 0o100000, 0),
        (b"LST2", "link", 0o120000, 0),
        (b"STA2", "broken", 0, 2),
        (b"STA2", "missing", 0, 2),
    ):
        files.ask(name, f"{FOLDER}/{path}")
        found = STAT_2.unpack(files.take(STAT_2.size))
        assert (found[0], found[1], found[4] & 0o170000) == (name, error, kind)
    files.ask(b"STAT", f"{FOLDER}/missing")
    assert STAT_1.unpack(files.take(STAT_1.size)) == (b"STAT", 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "entry", "form"), [(b"LIST", b"DENT", STAT_1), (b"LIS2", b"DNT2", STAT_2)]
)
def test_list(files: Files, here: Path, name: bytes, entry: bytes, form: struct.Struct) -> None:
    folder = here / "listed"
    folder.mkdir(exist_ok=True)
    (folder / "ä").write_bytes(b"1")
    files.ask(name, f"{FOLDER}/listed")
    names = []
    while (head := form.unpack(files.take(form.size)))[0] == entry:
        names.append(files.take(struct.unpack("<I", files.take(4))[0]))
    assert head[0] == b"DONE" and names == [b".", b"..", "ä".encode()]
    assert files.take(4) == bytes(4)  # the length of a name that does not follow


def test_a_pushed_link(files: Files, here: Path) -> None:
    assert files.push(f"{FOLDER}/made", b"target\0", 0o120777) == (b"OKAY", b"")
    assert os.readlink(here / "made") == "target"


@pytest.mark.parametrize(
    ("path", "fields", "message"),
    [
        ("/system/bin/x", {}, b"couldn't create file: Permission denied"),
        ("/data/system/x", {}, b"couldn't create file: Permission denied"),
        (f"{FOLDER}/../../system/x", {}, b"couldn't create file: Permission denied"),
        (f"{FOLDER}/x", {"read_only": True}, b"couldn't create file: Read-only file system"),
        (f"{FOLDER}/x", {"free_bytes": 70_000}, b"write failed: No space left on device"),
        (FOLDER, {}, b"couldn't create file: Is a directory"),
    ],
)
def test_refused_push(
    files: Files,
    phone: SimulatedPhone,
    here: Path,
    path: str,
    fields: dict[str, object],
    message: bytes,
) -> None:
    phone.set(**fields)
    assert files.push(path, bytes(200_000)) == (b"FAIL", message)
    assert not (here / "x").exists()
    phone.heal()
    assert files.push(f"{FOLDER}/after", b"1") == (b"OKAY", b"")  # the session goes on


def test_space_is_given_back(files: Files, phone: SimulatedPhone, here: Path) -> None:
    phone.set(free_bytes=100_000)
    for _ in range(3):
        assert files.push(f"{FOLDER}/big", bytes(90_000)) == (b"OKAY", b"")
        (here / "big").unlink()


def test_nothing_on_shared_storage_can_be_executed(files: Files, phone: SimulatedPhone) -> None:
    assert files.push("/sdcard/tool", b"#!/bin/sh\n", 0o100755) == (b"OKAY", b"")
    assert (phone.tree.root / "storage/emulated/0/tool").stat().st_mode & 0o111 == 0


@pytest.mark.parametrize("name", [b"SND2", b"QQQQ"])
def test_unknown_requests_fail(files: Files, name: bytes) -> None:
    files.ask(name, FOLDER)
    assert files.status()[0] == b"FAIL"


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/etc/passwd", "etc/passwd"),
        ("../../../../../etc/passwd", "etc/passwd"),
        ("/sdcard/a", "storage/emulated/0/a"),
        ("plain", "dir/plain"),
    ],
)
def test_links_stay_in_the_tree(tmp_path: Path, target: str, found: str) -> None:
    tree = Tree(tmp_path, True)
    (tmp_path / "dir").mkdir()
    (tmp_path / "sdcard").symlink_to("/storage/emulated/0")
    (tmp_path / "dir/link").symlink_to(target)
    assert tree.here("/dir/link") == tmp_path / found


def test_links_in_circles(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        Tree(tmp_path, True).here("/a")
