"""A user's small networks and photos in a temporary folder, and the command line run in it."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgezoo.cli import main
from tests.cli.command import NETWORKS, ROOT, Cli, Outcome, snapshot


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line in ``tmp_path``; the descriptors are captured, not Python's objects."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The module above, under a name of its own so that imports stay apart."""
    name = "networks_" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]
    (tmp_path / f"{name}.py").write_text(NETWORKS)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine smooth pictures with some noise."""
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(9):
        coarse = generator.integers(0, 256, (5, 5, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((60, 48), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number}.jpg")
    return folder


@pytest.fixture
def environment() -> dict[str, str]:
    """What a process of its own needs to find this tree."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def refused(cli: Cli, tmp_path: Path) -> Callable[..., str]:
    """Run a command that must fail as a user's mistake does; return the sentence."""

    def run(*arguments: object) -> str:
        before = snapshot(tmp_path)
        outcome = cli(*arguments)
        errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert len(errors) == 1, outcome.err
        assert outcome.err.splitlines()[-1] == errors[0]
        assert "Traceback" not in outcome.err
        assert snapshot(tmp_path) == before
        return errors[0].removeprefix("error: ")

    return run
