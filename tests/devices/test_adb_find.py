"""Which adb is taken, and what is said about one that is none."""

import stat
import sys
from pathlib import Path

import pytest

from edgezoo.devices.adb.find import find_adb, places
from edgezoo.devices.failures import DeviceError

SCRIPT = "#!/bin/sh\nprintf 'Android Debug Bridge version 1.0.{0}\\nVersion {1}\\n'\n"


@pytest.fixture(autouse=True)
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package adbutils, where it is installed, would be the last place with one."""
    monkeypatch.setitem(sys.modules, "adbutils", None)


def adb_at(path: Path, release: str = "36.0.0", protocol: int = 41) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCRIPT.format(protocol, release))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_order(tmp_path: Path) -> None:
    environment = {
        "EDGEZOO_ADB": str(adb_at(tmp_path / "named/adb", "2")),
        "ANDROID_HOME": str(adb_at(tmp_path / "sdk/platform-tools/adb", "3").parents[1]),
        "PATH": str(adb_at(tmp_path / "bin/adb", "4").parent),
    }
    given = adb_at(tmp_path / "given/adb", "1")
    found = find_adb(given, environment)
    assert (found.path, found.found_by, found.release, found.protocol) == (given, "--adb", "1", 41)
    for number, name in enumerate(("EDGEZOO_ADB", "ANDROID_HOME", "PATH"), 2):
        found = find_adb(None, environment)
        assert (found.found_by, found.release) == (name, str(number))
        del environment[name]
    assert list(places(None, environment)) == []


def test_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found, not imported: importing would load its whole client."""
    adb = adb_at(tmp_path / "adbutils/binaries/adb")
    (tmp_path / "adbutils/__init__.py").write_text("raise ImportError")
    monkeypatch.delitem(sys.modules, "adbutils")
    monkeypatch.syspath_prepend(tmp_path)
    found = find_adb(None, {"PATH": ""})
    assert (found.path, found.found_by) == (adb, "adbutils")


def test_situation_1_no_adb() -> None:
    with pytest.raises(
        DeviceError, match=r"no adb binary .* pip install 'edgezoo\[adb\]'"
    ) as caught:
        find_adb(None, {"PATH": ""})
    assert caught.value.failure.failure_class == "tool_missing"


def test_a_named_one_is_never_passed_over(tmp_path: Path) -> None:
    environment = {"EDGEZOO_ADB": "/nowhere/adb", "PATH": str(adb_at(tmp_path / "adb").parent)}
    with pytest.raises(DeviceError, match="/nowhere/adb, named by EDGEZOO_ADB, does not exist"):
        find_adb(None, environment)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("#!/bin/sh\necho 'no such library' >&2; exit 127\n", "no such library"),
        ("#!/bin/sh\necho hello\n", "is no working adb"),
        ("\x7fELF of another machine", "cannot be run"),
    ],
)
def test_a_broken_one(tmp_path: Path, script: str, sentence: str) -> None:
    path = tmp_path / "adb"
    path.write_text(script)
    path.chmod(0o755)
    with pytest.raises(DeviceError, match=sentence) as caught:
        find_adb(path, {})
    assert caught.value.failure.failure_class == "tool_broken"
