"""The commands of docs/phones.md work as they stand, on two simulated phones."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgezoo.devices.simphone.fixtures import own_adb_server as own_adb_server
from edgezoo.devices.simphone.fixtures import simulated_phones as simulated_phones

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "phones.md"


def commands() -> list[str]:
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ edgezoo ")]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: install gcc and libc6-dev")
def test_every_command_works_in_its_order(
    tmp_path: Path, simulated_phones: Callable[..., Any], module_file: Path
) -> None:
    phones = simulated_phones(2)
    script = tmp_path / "bin" / "edgezoo"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m edgezoo.cli "$@"\n')
    script.chmod(0o755)
    path = os.pathsep.join((str(script.parent), os.environ["PATH"]))
    environment = {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{module_file.parent}",
    }
    made = f"edgezoo convert {module_file.stem}:net --input 1x3x32x32 --out lite0"
    assert len(commands()) >= 5
    for command in (made, *commands()):
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    measured = (tmp_path / "lite0" / "phones.jsonl").read_text().splitlines()
    assert len(measured) == len(phones)
    assert all('"simulated"' in line for line in measured)


@pytest.fixture
def module_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny_net.py"
    path.write_text(
        "from torch import nn\n"
        "def net():\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1))\n"
    )
    return path
