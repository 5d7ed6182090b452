"""``edgezoo runner build``."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command import Cli


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler: apt-get install gcc")
def test_build(cli: Cli) -> None:
    done = cli("runner", "build", "--out", "runners", "--json")
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert {"path", "manifest", "target", "sha256", "source_sha256", "compiler"} <= set(made)
    assert Path(made["path"]).is_file()
    done = cli("runner", "build", "--out", "runners")
    assert f"runner:  {made['path']}" in done.out


def test_a_compiler_that_is_missing(cli: Cli) -> None:
    done = cli("runner", "build", "--ndk", "nowhere", "--out", "runners")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith("error: nowhere holds no toolchains")


@pytest.mark.parametrize("arguments", [("runner",), ("runner", "--help")])
def test_help_of_the_group(cli: Cli, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments)
    assert (done.code, done.err) == (0, "")
    assert " build " in done.out
