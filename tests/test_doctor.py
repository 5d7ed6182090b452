import os
import socket
import tomllib
from pathlib import Path

import pytest

from edgezoo import doctor
from edgezoo.doctor import DEPENDENCIES, Dependency, dependency_findings, numbers_of
from edgezoo.measurement import DeviceInfo

ROOT = Path(__file__).resolve().parents[1]


def test_the_table_is_what_is_declared_and_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = dict(line.split(">=") for line in project["dependencies"])
    assert {row.distribution: row.oldest for row in DEPENDENCIES} == declared
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in constraints if "==" in line)
    assert {row.distribution: row.tested for row in DEPENDENCIES} == {
        row.distribution: pinned[row.distribution] for row in DEPENDENCIES
    }
    assert project["requires-python"] == f">={'.'.join(map(str, doctor.PYTHON))}"


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three modules that cannot be imported, each in its own way, and one that prints."""
    (tmp_path / "raises_on_import.py").write_text("raise ImportError('libabc.so: no such file')")
    (tmp_path / "kills_python.py").write_text("import os; os.kill(os.getpid(), 11)")
    (tmp_path / "prints.py").write_text("print('noise')")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("broken")
def test_broken_dependencies() -> None:
    rows = (
        Dependency("pytest", "raises_on_import", "1", "1"),
        Dependency("pytest", "kills_python", "1", "1"),
        Dependency("pytest", "prints", "1", "1"),
        Dependency("no-such-distribution", "prints", "3", "4"),
        Dependency("pytest", "pytest", "999", "999"),
    )
    raises, kills, prints, absent, old = dependency_findings(rows)
    assert "ImportError: libabc.so: no such file" in raises.detail
    assert raises.fix == "pip install --force-reinstall pytest==1"
    assert "it ended Python" in kills.detail
    assert prints.ok
    assert "not the version tested with" in prints.detail
    assert (absent.ok, absent.detail) == (False, "not installed")
    assert absent.fix == "pip install 'no-such-distribution>=3'"
    assert "is older than 999" in old.detail
    assert all(finding.essential for finding in (raises, kills, absent, old))


@pytest.mark.parametrize(
    ("text", "numbers"), [("2.13.0+cpu", (2, 13, 0)), ("24.3rc1", (24,)), ("1", (1,))]
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert numbers_of(text) == numbers
    assert numbers_of("2.9") < numbers_of("2.13.0+cpu")


def test_python() -> None:
    assert doctor.python_finding((3, 11, 0)).ok
    old = doctor.python_finding((3, 10, 9))
    assert not old.ok
    assert "install Python 3.11 or newer" in old.fix


def test_memory(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8000000 kB\nMemAvailable:    102400 kB\n")
    found = doctor.memory_finding(meminfo)
    assert (found.ok, found.essential, found.detail) == (False, False, "100 MiB available")
    assert doctor.memory_finding(tmp_path / "absent").ok


@pytest.mark.parametrize(
    ("governor", "load", "wrong"),
    [
        ("powersave", 0.1, ["CPU governor"]),
        ("performance", 3.9, ["load"]),
        ("performance", 0.1, []),
        (None, None, []),
    ],
)
def test_what_makes_latencies_vary(
    governor: str | None, load: float | None, wrong: list[str]
) -> None:
    host = DeviceInfo("box", "host", "cpu", 4, 8000, "Linux", governor, load)
    found = list(doctor.quiet_findings(host))
    assert [finding.name for finding in found if not finding.ok] == wrong
    assert not any(finding.essential for finding in found)


def test_disk(tmp_path: Path) -> None:
    assert doctor.disk_finding(tmp_path).detail.endswith(f"MB free in {tmp_path}")


def test_no_adb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEZOO_ADB", "/nowhere/adb")
    (found,) = doctor.phone_findings()
    assert (found.name, found.ok, found.essential) == ("adb", False, False)
    assert "/nowhere/adb" in found.detail
    assert "apt install adb" in found.fix


def test_adb_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking starts nothing."""
    adb = tmp_path / "adb"
    adb.write_text("#!/bin/sh\necho 'Android Debug Bridge version 1.0.41'\n")
    adb.chmod(0o755)
    monkeypatch.delenv("ADB_SERVER_SOCKET", raising=False)
    monkeypatch.setenv("EDGEZOO_ADB", str(adb))
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(unused.getsockname()[1]))
        found = {finding.name: finding for finding in doctor.phone_findings()}
    assert list(found)[:3] == ["adb", "adb server", "adb key"]
    assert all(found[name].ok for name in ("adb", "adb server", "adb key"))
    assert "none runs" in found["adb server"].detail
    assert "will make one" in found["adb key"].detail


def test_adb_keys(tmp_path: Path) -> None:
    key = tmp_path / ".android/adbkey"
    key.parent.mkdir()
    key.write_text("key")
    assert doctor.key_finding(tmp_path, {}).detail == str(key)
    if os.getuid() == 0:
        pytest.skip("root reads everything")
    key.chmod(0)
    closed = doctor.key_finding(tmp_path, {})
    assert (closed.ok, closed.detail) == (False, f"{key} cannot be read")
    assert f"chown $(id -u) {key}" in closed.fix


def test_udev_rules(tmp_path: Path) -> None:
    assert doctor.udev_finding(tmp_path, user=0).ok
    missing = doctor.udev_finding(tmp_path, user=1000)
    assert not missing.ok
    assert "android-sdk-platform-tools-common" in missing.fix
    rules = tmp_path / "lib/udev/rules.d/51-android.rules"
    rules.parent.mkdir(parents=True)
    rules.touch()
    assert doctor.udev_finding(tmp_path, user=1000).detail == str(rules)


def test_this_machine_works() -> None:
    """Both runtimes really run a network here."""
    found = {finding.name: finding for finding in doctor.examine()}
    wrong = [finding for finding in found.values() if finding.essential and not finding.ok]
    assert wrong == []
    for runtime in ("LiteRT", "ONNX Runtime"):
        assert "runs a small network like PyTorch does" in found[runtime].detail
    assert "weights of efficientnet_lite0" in found


def test_a_runtime_that_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libonnxruntime.so is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    found = doctor.runtime_finding("onnx")
    assert not found.ok
    assert "libonnxruntime.so is missing" in found.detail
    assert found.fix == "pip install --force-reinstall onnxruntime"


def test_a_port_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adb = tmp_path / "adb"
    adb.write_text("#!/bin/sh\necho 'Android Debug Bridge version 1.0.41'\n")
    adb.chmod(0o755)
    monkeypatch.delenv("ADB_SERVER_SOCKET", raising=False)
    monkeypatch.setenv("EDGEZOO_ADB", str(adb))
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "five")
    (found,) = doctor.phone_findings()
    assert (found.name, found.ok, found.essential) == ("adb server", False, False)
    assert "'five'" in found.detail
