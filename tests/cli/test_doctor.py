import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgezoo.doctor import Finding
from tests.cli.command import Cli

FINE = Finding("torch", True, "2.13.0, the version tested with")
MISSING = Finding("onnx", False, "not installed", "pip install 'onnx>=1.17'")
OPTIONAL = Finding("adb", False, "not found", "apt install adb", essential=False)


@pytest.mark.parametrize(
    ("found", "code"), [((FINE, OPTIONAL), 0), ((FINE, MISSING), 2)], ids=["fine", "missing"]
)
def test_exit_code(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, found: tuple[Finding, ...], code: int
) -> None:
    monkeypatch.setattr("edgezoo.doctor.examine", lambda progress: found)
    table = cli("doctor")
    assert table.code == code
    assert found[1].fix in table.out
    printed = cli("doctor", "--json")
    assert printed.code == code
    names = {"name", "ok", "detail", "fix", "essential"}
    assert [set(entry) for entry in json.loads(printed.out)] == [names, names]


def test_a_missing_dependency(tmp_path: Path, environment: dict[str, str]) -> None:
    """safetensors hidden by an empty module of another name is not needed: it raises."""
    (tmp_path / "safetensors.py").write_text("raise ImportError('hidden by the test')")
    path = os.pathsep.join((str(tmp_path), environment["PYTHONPATH"]))
    done = subprocess.run(
        [sys.executable, "-m", "edgezoo.cli", "doctor", "--json"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    wrong = [entry for entry in json.loads(done.stdout) if entry["essential"] and not entry["ok"]]
    assert [entry["name"] for entry in wrong] == ["safetensors"]
    assert "hidden by the test" in wrong[0]["detail"]
