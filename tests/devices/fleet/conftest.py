"""A simulated phone with one adb, the first that is found: what is proven here does not hang on its words."""

import shutil
import subprocess
from pathlib import Path

import pytest

from edgezoo.devices.adb.find import Adb, find_adb
from edgezoo.devices.simphone.fixtures import NO_ADB
from tests.devices.phones.conftest import (  # fixtures
    FOUND,
    bench,
    fast,
    led_to_the_server,
    net,
    own_environment,
    phone,
    plugged,
    runner,
    server,
    transport,
)

__all__ = ["bench", "fast", "led_to_the_server", "net", "own_environment", "phone", "plugged", "runner",
           "server", "transport"]  # fmt: skip

LOGS = Path(__file__).parents[1] / "runners" / "logs"
# benchmark_model for this machine that prints a genuine log, and its genuine usage when asked.
REPLAY = r"""
#include <stdio.h>
#include <string.h>
static const char usage[] = {
#include "usage.inc"
};
static const char log_[] = {
#include "log.inc"
};
int main(int count, char **words) {
  int asked = count > 1 && !strcmp(words[1], "--num_runs=usage");
  fwrite(asked ? usage : log_, 1, asked ? sizeof usage : sizeof log_, stdout);
  return asked ? 1 : 0;
}
"""


@pytest.fixture(scope="session")
def adb() -> Adb:
    if not FOUND or FOUND[0] is None:
        pytest.skip(NO_ADB)
    return find_adb(FOUND[0])


class Replay:
    """Builds a benchmark_model that prints ``text``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, text: bytes, lacks: bytes = b"no flag") -> Path:
        """``lacks`` is a flag that it does not have."""
        (self.folder / "replay.c").write_text(REPLAY)
        lines = (LOGS / "usage.txt").read_bytes().splitlines(keepends=True)
        usage = b"".join(line for line in lines if lacks not in line)
        for name, content in (("usage", usage), ("log", text)):
            numbers = ",".join(str(byte if byte < 128 else byte - 256) for byte in content)
            (self.folder / f"{name}.inc").write_text(numbers)
        program = self.folder / "benchmark_model"
        compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
        if compiler is None:
            pytest.skip("needs a C compiler: apt-get install gcc libc6-dev")
        source = str(self.folder / "replay.c")
        subprocess.run([compiler, "-o", str(program), source], check=True)
        return program


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    folder = tmp_path / "replay"
    folder.mkdir()
    return Replay(folder)
