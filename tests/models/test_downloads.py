"""Downloads against a real server on this machine: cut connections, wrong bytes, a changed cache."""

import hashlib
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgezoo.cache import cache_folder
from edgezoo.errors import WeightsError
from edgezoo.models import downloads
from edgezoo.models.downloads import fetch
from tests.models.loopback import Loopback

CONTENT = random.Random(0).randbytes(300_000)
DIGITS = hashlib.sha256(CONTENT).hexdigest()[:8]
Fetch = Callable[[], Path]


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def get(
    server: Loopback, cache: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> Fetch:
    """Fetch ``/net.pth`` into the cache, without pauses between tries."""
    monkeypatch.setattr(downloads, "WAITS_S", (0.0, 0.0, 0.0))
    server.files["/net.pth"] = CONTENT
    url = f"{server.url}/net.pth"
    return lambda: fetch(url, cache / "torchvision" / "net.pth", DIGITS, messages.append)


def test_once(get: Fetch, server: Loopback, messages: list[str]) -> None:
    path = get()
    assert path.read_bytes() == CONTENT
    record = path.with_name("net.pth.sha256")
    assert record.read_text().strip() == hashlib.sha256(CONTENT).hexdigest()
    assert get() == path
    assert server.asked == [("/net.pth", None)]
    assert sorted(file.name for file in path.parent.iterdir()) == ["net.pth", "net.pth.sha256"]
    assert messages == [f"downloading {server.url}/net.pth"]


def test_a_cut_connection_is_gone_on_with(get: Fetch, server: Loopback) -> None:
    server.faults = [100_000, 50_000]
    assert get().read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", "bytes=150000-"]


def test_the_next_run_goes_on_too(get: Fetch, server: Loopback, cache: Path) -> None:
    server.faults = [100_000, "503", "503", "503"]
    with pytest.raises(WeightsError, match=r"net\.pth cannot be downloaded .*0\.1 MB that arrived"):
        get()
    assert (cache / "torchvision" / "net.pth.part").stat().st_size == 100_000
    assert not (cache / "torchvision" / "net.pth").exists()
    server.asked.clear()
    assert get().read_bytes() == CONTENT
    assert server.asked == [("/net.pth", "bytes=100000-")]


def test_tries_are_bounded(get: Fetch, server: Loopback) -> None:
    server.faults = [0] * 50
    with pytest.raises(WeightsError, match=r"nothing arrived.*--weights FILE"):
        get()
    assert len(server.asked) == 4


def test_a_server_without_ranges_starts_again(get: Fetch, server: Loopback) -> None:
    server.ranges = False
    server.faults = [100_000]
    assert get().read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_killed_after_the_last_byte(get: Fetch, server: Loopback, cache: Path) -> None:
    part = cache / "torchvision" / "net.pth.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert get().read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("old", [b"old" * 1000, CONTENT + b"more"])
def test_a_part_of_another_file_is_replaced(
    get: Fetch, server: Loopback, cache: Path, old: bytes
) -> None:
    """The file on the server changed since the download broke."""
    part = cache / "torchvision" / "net.pth.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(old)
    assert get().read_bytes() == CONTENT
    assert server.asked[-1] == ("/net.pth", None)


def test_wrong_bytes(get: Fetch, server: Loopback, cache: Path) -> None:
    server.files["/net.pth"] = b"<html>log in first</html>"
    with pytest.raises(WeightsError, match=rf"SHA-256 .* where {DIGITS}… is expected.*proxy"):
        get()
    assert list((cache / "torchvision").iterdir()) == []
    assert len(server.asked) == 1


def test_no_such_file(get: Fetch, server: Loopback, cache: Path) -> None:
    del server.files["/net.pth"]
    with pytest.raises(WeightsError, match=r"cannot be downloaded \(Not Found; nothing arrived"):
        get()
    assert len(server.asked) == 1
    assert list((cache / "torchvision").iterdir()) == []


def test_no_network(get: Fetch, server: Loopback) -> None:
    server.stop()
    server.stop = lambda: None  # type: ignore[method-assign]  # it is closed already
    with pytest.raises(WeightsError, match=r"refused.*connect to the network and run again"):
        get()


def test_a_changed_file_in_the_cache(get: Fetch, server: Loopback) -> None:
    path = get()
    path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(WeightsError, match=r"net\.pth has changed.*remove it and run again"):
        get()
    path.unlink()
    assert get().read_bytes() == CONTENT


def test_a_cache_that_cannot_be_used(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(WeightsError, match="set EDGEZOO_CACHE to another folder"):
        fetch(server.url, tmp_path / "file" / "net.pth", DIGITS, print)


def test_progress_is_told(get: Fetch, server: Loopback, messages: list[str]) -> None:
    server.files["/net.pth"] = bytes(25_000_000)
    with pytest.raises(WeightsError, match="another file"):
        get()
    assert any(message.endswith("of 25.0 MB") for message in messages)
    assert len(messages) < 15


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of Linux")
def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("EDGEZOO_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "edgezoo"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "edgezoo"
    monkeypatch.setenv("EDGEZOO_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
