"""``bench`` with a saved plan, and with options that change it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import SHAPE, Cli

FAST = ("--processes", 1, "--runs", 3, "--warmup", 1)


@pytest.fixture
def model(cli: Cli, module: str) -> Path:
    cli("convert", f"{module}:net", "--input", SHAPE, "--out", "made")
    (path,) = Path("made").glob("*.tflite")
    return path


def measured(cli: Cli, *arguments: object) -> dict[str, Any]:
    done = cli("bench", *arguments, "--json")
    assert done.code == 0, done.err
    (entry,) = json.loads(done.out)["measurements"]
    assert isinstance(entry, dict)
    return entry


def test_a_saved_plan_is_used_and_changed(cli: Cli, model: Path) -> None:
    asked = (*FAST, "--no-xnnpack", "--min-seconds", 0.01, "--cores", "all", "--seed", 4)
    first = measured(cli, model, *asked, "--save-plan", "plan.json")
    saved = json.loads(Path("plan.json").read_text())
    assert first["plan"] == saved
    assert (saved["xnnpack"], saved["cores"], saved["min_seconds"]) == (False, "all", 0.01)
    assert first["delegate"]["used"] == "none"
    assert measured(cli, model, "--plan", "plan.json")["plan"] == saved
    # What is typed counts, also where it is the default.
    assert saved["spread_s"] == 40  # nothing to wait for with one process
    changed = measured(cli, model, "--plan", "plan.json", "--xnnpack", "--seed", 0)
    assert changed["plan"] == {**saved, "xnnpack": True, "seed": 0}
    assert changed["delegate"]["used"] == "xnnpack"


def test_sustained(cli: Cli, model: Path) -> None:
    entry = measured(cli, model, "--sustained", 2, "--warmup", 0)
    assert entry["plan"]["sustained_s"] == 2
    assert " windows in " in entry["message"]
    assert len(entry["processes"]) > 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--plan", "none.json"), "none.json cannot be read"),
        (("--cores", "few"), "--cores 'few' is neither one of big, fast, all, none nor a hexa"),
        (("--cores", "f" * 300), "names no or more than"),
        (("--spread", -1), "spread_s must be at least 0"),
        (("--sustained", -1), "sustained_s must be at least 0"),
        (("--processes", 0, "--save-plan", "p.json"), "processes must be at least 1"),
        (("--device", "torch-cpu", "--cores", "all"), "a reference run has no cores; leave it out"),
        (("--device", "torch-cpu", "--no-xnnpack"), "a reference run has no xnnpack"),
        (("--device", "torch-cpu", "--sustained", 9), "a reference run has no sustained_s"),
        (("--device", "torch-cpu", "--energy", 60), "a reference run has no energy_s"),
        (("--energy", 60), "energy_s is read from a phone's own fuel gauge"),
    ],
)
def test_what_cannot_be(
    arguments: tuple[object, ...], words: str, model: Path, refused: Callable[..., str]
) -> None:
    assert words in refused("bench", model, *arguments)
