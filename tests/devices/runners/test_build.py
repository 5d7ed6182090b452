"""Building the C runner with the compilers that are here, and what is said of those that are not."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from edgezoo.artifacts import file_sha256
from edgezoo.devices.runners.build import BuiltRunner, build_runner, source_sha256
from edgezoo.devices.runners.elf import read_elf
from edgezoo.errors import BenchmarkError, OutputError, UsageError


def make_ndk(folder: Path, levels: tuple[int, ...], script: str) -> Path:
    """A folder laid out as an NDK, whose compilers are shell scripts."""
    programs = folder / "toolchains/llvm/prebuilt/linux-x86_64/bin"
    programs.mkdir(parents=True)
    for level in levels:
        path = programs / f"aarch64-linux-android{level}-clang"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    (programs / "aarch64-linux-android21-clang++").write_text("another language")
    return folder


def test_manifest(built: BuiltRunner) -> None:
    assert built.sha256 == file_sha256(built.path)
    assert built.source_sha256 == source_sha256()
    assert read_elf(built.path).described == built.runs_on
    assert built.path.stat().st_mode & 0o111
    facts = json.loads(built.manifest.read_bytes())
    assert (facts["kind"], facts["sha256"]) == ("edgezoo-runner", built.sha256)
    assert facts["compiler"]


def test_same_source_same_bytes(built: BuiltRunner, tmp_path: Path) -> None:
    again = build_runner(tmp_path / "made" / "here")
    assert again.sha256 == built.sha256
    assert sorted(path.name for path in again.path.parent.iterdir()) == [
        again.path.name,
        again.manifest.name,
    ]


def test_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no C compiler is on the PATH; install one"):
        build_runner(tmp_path / "out")
    if importlib.util.find_spec("ziglang") is None:
        with pytest.raises(UsageError, match="pip install ziglang"):
            build_runner(tmp_path / "out", zig=True)
    assert not (tmp_path / "out").exists()


def test_no_ndk(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the folder of an unpacked Android NDK"):
        build_runner(tmp_path / "out", ndk=tmp_path)
    with pytest.raises(UsageError, match="give one of them"):
        build_runner(tmp_path / "out", ndk=tmp_path, zig=True)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler: apt-get install gcc")
def test_the_ndk_compiler_for_the_lowest_android(tmp_path: Path) -> None:
    ndk = make_ndk(tmp_path / "ndk", (35, 29, 19), 'exec cc "$@"')
    made = build_runner(tmp_path / "out", ndk=ndk)
    assert made.path.name == "edgezoo_runner-android-arm64-v8a"
    assert made.command[0].endswith("aarch64-linux-android29-clang")


def test_a_compiler_that_fails(tmp_path: Path) -> None:
    ndk = make_ndk(tmp_path / "ndk", (21,), "echo 'main.c:1: no such thing' >&2; exit 3")
    with pytest.raises(BenchmarkError, match=r"exit code 3: main.c:1: no such thing\)"):
        build_runner(tmp_path / "out", ndk=ndk)
    broken = make_ndk(tmp_path / "broken", (21,), "")
    for path in broken.rglob("*21-clang"):
        path.write_bytes(b"\x7fELF and no more")
    with pytest.raises(BenchmarkError, match="cannot be started"):
        build_runner(tmp_path / "out", ndk=broken)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(built: BuiltRunner, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        build_runner(tmp_path / "file")


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None and shutil.which("zig") is None,
    reason="needs zig: pip install ziglang",
)
def test_zig_builds_for_boards(tmp_path: Path) -> None:
    made = build_runner(tmp_path, zig=True)
    assert made.runs_on == "program for Linux (aarch64, glibc)"
    assert made.path.name == "edgezoo_runner-linux-aarch64"


def test_folder_relative_to_here(
    built: BuiltRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler runs in the folder of the source, the user somewhere else."""
    monkeypatch.chdir(tmp_path)
    made = build_runner(Path("here"))
    assert (tmp_path / "here" / made.path.name).read_bytes() == built.path.read_bytes()
