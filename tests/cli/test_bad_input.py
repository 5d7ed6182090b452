"""Bad input gets one sentence, exit code 2, and leaves the folder as it was."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from edgezoo.artifacts import file_sha256
from edgezoo.models.resolve import load_model
from tests.cli.command import SHAPE, Cli, snapshot

Refused = Callable[..., str]


def convert(model: str, *more: object, out: object = "made") -> tuple[object, ...]:
    return ("convert", model, "--input", SHAPE, "--out", out, *more)


# ------------------------------------------------------------------------ what is asked


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("conver",), "no such command 'conver'; did you mean 'convert'; see edgezoo --help"),
        (("convert",), "missing argument 'MODEL'; see edgezoo convert --help"),
        (
            ("convert", "shufflenet_v1", "--smaples", "x"),
            "no such option: --smaples; did you mean --samples; see edgezoo convert --help",
        ),
        (("bench", "x.onnx", "--threads", "two"), "'--threads'"),
        (("quantize", "shufflenet_v1"), "missing option '--samples'"),
        (("convert", "mnasnet_al"), "'mnasnet_al'; did you mean mnasnet_a1 or"),
        (("convert", "no.such:thing", "--input", SHAPE), "no module no to import"),
        (
            ("convert", "mnasnet_a1_x0_35"),
            "give a file with --weights FILE or take random ones with",
        ),
        (("convert", "mnasnet_a1", "--weights", "hub"), "neither an existing file nor one of"),
        (("convert", "mnasnet_a1", "--input", "3,224"), "write it as in 1x3x224x224"),
        (("convert", "mnasnet_a1", "--input", "3x224x224"), "not batch x channels x height x"),
        (("convert", "mnasnet_a1", "--to", "tflight"), "format tflight is not known; choose tfl"),
        (("convert", "mnasnet_a1", "--option", "wide"), "'wide' is not of the form NAME=VALUE"),
        (
            ("convert", "mnasnet_a1", "--option", "widht=2", "--weights", "random"),
            "has no option widht; it has flavour=timm",
        ),
        (("quantize", "mnasnet_a1", "--samples", ".", "--recipe", "w4"), "recipe 'w4' is not"),
        (("verify", "absent.tflite"), "absent.tflite does not exist"),
        (("bench", "absent.onnx"), "No such file: absent.onnx"),
        (("bench", "x.onnx", "--processes", 0), "processes must be at least 1, not 0"),
        (("bench", "x.onnx", "--batch", 8), "--batch cannot be used on host; add --device cuda"),
        (("bench", "x", "--device", "cuda", "--batch", "few"), "--batch few is no whole number"),
        (
            ("bench", "mnasnet_a1", "--device", "cuda", "--precision", "fp8"),
            "precision 'fp8' is not one of fp32, tf32, bf16, fp16",
        ),
        (("bench", "x.mlpackage", "--device", "ios"), "can only be measured from macOS with Xcode"),
        (("compare", "a.jsonl", "b.jsonl"), "a.jsonl cannot be read"),
        (("compare", "a.jsonl", "b.jsonl", "--gate", "many"), "write it as 5% or 0.05"),
        (("report", "absent"), "absent holds no artifact"),
        (("list", "--family", "resnet"), "choose from shufflenet, mnasnet, efficientnet"),
        (("list", "--sort", "size"), "no order is called 'size'; choose from name, params"),
        (("list", "--max-macs", "many"), "--max-macs 'many' is no count; write it as in 300M"),
        (("list", "--max-latency", "9ms"), "'9ms' is not of the form DEVICE=MILLISECONDS"),
        (("list", *2 * ("--max-latency", "pixel1=9")), "--max-latency pixel1 is given twice"),
        (("list", "--max-latency", "nokia=9"), "no latency was published for the device 'nokia'"),
        (("list", "--plot", "/proc/zoo.html"), "the picture cannot be written to /proc/zoo.html"),
        (("list", "--plot", "zoo.png"), "zoo.png would hold a web page; give it a name ending in"),
        (
            ("info", "mnasnet_a2", "--input", "1x3x96x96"),
            "there is nothing to count, leave the input",
        ),
        (("convert", "mnasnet_a3", "--weights", "random"), "no architecture of mnasnet_a3 was pub"),
    ],
)
def test_what_cannot_be_asked(
    refused: Refused, arguments: tuple[object, ...], sentence: str
) -> None:
    assert sentence in refused(*arguments)


def test_a_factory_without_shape(refused: Refused, module: str) -> None:
    assert "--input 1x3x224x224" in refused("convert", f"{module}:net")


# ------------------------------------------------------------------------- the network


def test_unsupported_operations_are_listed_together(refused: Refused, module: str) -> None:
    sentence = refused(*convert(f"{module}:Strange"))
    assert "aten.sort.default in first.0" in sentence
    assert "aten.fft_fft.default in second" in sentence


def test_a_network_that_does_not_run(refused: Refused, module: str) -> None:
    sentence = refused(*convert(f"{module}:Broken"))
    assert "1x3x32x32" in sentence
    assert "expected input" in sentence


def test_not_a_number(refused: Refused, module: str) -> None:
    sentence = refused(*convert(f"{module}:not_a_number"))
    assert "computes NaN or infinity in PyTorch, first at 2" in sentence


def test_weights_that_do_not_fit(refused: Refused, module: str, tmp_path: Path) -> None:
    state = load_model(f"{module}:net", weights=None, input=(1, 3, 32, 32)).module.state_dict()
    state["extra.weight"] = state.pop("6.bias")
    torch.save(state, tmp_path / "other.pth")
    sentence = refused(*convert(f"{module}:net", "--weights", "other.pth"))
    assert "1 missing (6.bias); 1 unexpected (extra.weight)" in sentence


def test_truncated_weights(refused: Refused, module: str, tmp_path: Path) -> None:
    state = load_model(f"{module}:net", weights=None, input=(1, 3, 32, 32)).module.state_dict()
    torch.save(state, tmp_path / "whole.pth")
    content = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(content[: len(content) // 2])
    assert "cut.pth is damaged" in refused(*convert(f"{module}:net", "--weights", "cut.pth"))


# --------------------------------------------------------------------------- the photos


def quantize(module: str, samples: object, *more: object) -> tuple[object, ...]:
    asked = ("--samples", samples, "--out", "made")
    return ("quantize", f"{module}:net", "--input", SHAPE, *asked, *more)


def test_missing_folder(refused: Refused, module: str) -> None:
    assert "photo folder absent does not exist" in refused(*quantize(module, "absent"))


def test_empty_folder(refused: Refused, module: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "photo folder empty holds no pictures" in refused(*quantize(module, "empty"))


def test_corrupt_folder(refused: Refused, module: str, tmp_path: Path) -> None:
    (tmp_path / "corrupt").mkdir()
    for number in range(3):
        (tmp_path / "corrupt" / f"{number}.jpg").write_bytes(b"no picture")
    for more in ((), ("--skip-bad",)):
        sentence = refused(*quantize(module, "corrupt", *more))
        assert "3 of 3 pictures in corrupt are unreadable" in sentence


def test_an_unreadable_picture_is_named_and_skipped_on_request(
    refused: Refused, cli: Cli, module: str, photos: Path
) -> None:
    content = (photos / "3.jpg").read_bytes()
    (photos / "3.jpg").write_bytes(content[: len(content) // 3])
    sentence = refused(*quantize(module, photos))
    assert f"1 of 9 pictures in {photos} are unreadable (picture {photos}/3.jpg" in sentence
    assert sentence.endswith("remove them or pass --skip-bad")
    done = cli(*quantize(module, photos, "--skip-bad"))
    assert done.code == 0, done.err
    assert f"skipped: picture {photos}/3.jpg cannot be read" in done.err


def test_photos_for_another_input(refused: Refused, module: str, photos: Path) -> None:
    sentence = refused(
        "quantize", f"{module}:other", "--input", "1x4x32x32", "--samples", photos, "--out", "made"
    )
    assert "photos cannot fill an input of 1x4x32x32" in sentence


# ----------------------------------------------------------------- networks that do not run


@pytest.mark.parametrize(
    ("network", "shape", "command", "sentence"),
    [
        ("Picky", SHAPE, "convert", "cannot trace the module with an input of 1x3x32x32"),
        ("Picky", SHAPE, "info", "does not run on an input of 1x3x32x32 (AssertionError: made for"),
        ("net", "1x5x32x32", "info", "does not run on an input of 1x5x32x32 (RuntimeError: "),
        ("scripted", SHAPE, "convert", "is a TorchScript module"),
    ],
)
def test_networks_that_do_not_run(
    refused: Refused, module: str, network: str, shape: str, command: str, sentence: str
) -> None:
    out = ("--out", "made") if command == "convert" else ()
    assert sentence in refused(command, f"{module}:{network}", "--input", shape, *out)


# --------------------------------------------------------------------------- the output


def test_output_is_a_file(refused: Refused, module: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    assert "cannot write taken (File exists)" in refused(*convert(f"{module}:net", out="taken"))
    below = refused(*convert(f"{module}:net", out="taken/below"))
    assert "cannot write taken/below (Not a directory)" in below


def test_output_not_writable(refused: Refused, module: str, tmp_path: Path) -> None:
    """/proc refuses even root."""
    assert "cannot write /proc/made" in refused(*convert(f"{module}:net", out="/proc/made"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """One megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_disk_full(refused: Refused, module: str, small_disk: Path) -> None:
    sentence = refused(*convert(f"{module}:large", out=small_disk / "made"))
    assert sentence.startswith(f"no space left to write {small_disk}/made/")
    assert list(small_disk.iterdir()) == []


def test_no_room_for_the_manifest(cli: Cli, module: str, small_disk: Path, tmp_path: Path) -> None:
    """The file fits and its manifest does not: neither stays."""
    assert cli(*convert(f"{module}:net")).code == 0
    model = tmp_path / "made" / f"{module}.net_fp32.tflite"
    filler = small_disk / "filler"
    pages = -(-model.stat().st_size // 4096)
    size = 1_048_576 - pages * 4096
    filler.write_bytes(bytes(size))
    done = cli(*convert(f"{module}:net", out=small_disk))
    assert done.code == 2
    assert "no space left to write" in done.err
    assert list(small_disk.iterdir()) == [filler]


def test_file_too_large(refused: Refused, module: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        sentence = refused(*convert(f"{module}:large"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sentence.startswith("no space left to write made/")


# ----------------------------------------------------------------------- a second run


def test_the_same_run_again_uses_what_is_there(cli: Cli, module: str, tmp_path: Path) -> None:
    first = cli(*convert(f"{module}:net", "--to", "tflite,onnx", "--json"))
    before = snapshot(tmp_path)
    again = cli(*convert(f"{module}:net", "--to", "tflite,onnx", "--json"))
    assert snapshot(tmp_path) == before
    entries = json.loads(first.out)["artifacts"]
    assert json.loads(again.out)["artifacts"] == [{**entry, "reused": True} for entry in entries]
    assert "capturing" not in again.err


def test_another_run_is_not_mixed_in(
    refused: Refused, cli: Cli, module: str, tmp_path: Path
) -> None:
    cli(*convert(f"{module}:net"))
    sentence = refused(*convert(f"{module}:net", "--seed", 1))
    assert f"{module}.net_fp32.tflite was made from other inputs" in sentence
    assert "pass --force" in sentence
    forced = cli(*convert(f"{module}:net", "--seed", 1, "--force"))
    assert forced.code == 0
    manifest = json.loads((tmp_path / "made" / f"{module}.net_fp32.tflite.json").read_text())
    assert manifest["origin"]["seed"] == 1


def test_a_changed_file_is_made_again(cli: Cli, module: str, tmp_path: Path) -> None:
    cli(*convert(f"{module}:net"))
    path = tmp_path / "made" / f"{module}.net_fp32.tflite"
    original = path.read_bytes()
    path.write_bytes(original[:-1])
    done = cli(*convert(f"{module}:net", "--json"))
    assert json.loads(done.out)["artifacts"][0]["reused"] is False
    assert path.read_bytes() == original


# -------------------------------------------------------------------------- interrupted


def start(module: str, tmp_path: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a conversion and return when its file is being written."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edgezoo.cli", *map(str, convert(f"{module}:large"))],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("writing"):
            return process
    raise AssertionError(f"it ended with {process.wait()} before it wrote")


def test_killed_while_writing(
    cli: Cli, module: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    process = start(module, tmp_path, environment)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    made = tmp_path / "made"
    assert [path for path in made.iterdir() if not path.name.startswith(".")] == []
    done = cli(*convert(f"{module}:large", "--json"))
    assert done.code == 0, done.err
    name = f"{module}.large_fp32.tflite"
    assert sorted(path.name for path in made.iterdir()) == [name, f"{name}.json"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_while_writing(
    module: str, tmp_path: Path, environment: dict[str, str], number: signal.Signals, code: int
) -> None:
    process = start(module, tmp_path, environment)
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == code, err
    assert out == ""
    assert "Traceback" not in err
    assert ("error: interrupted" in err) == (number == signal.SIGINT)
    assert not (tmp_path / "made").exists()


def alive(process_id: str) -> bool:
    """Whether a process runs; an ended one may wait in state Z for somebody to take note."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(") ")[2][0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_while_timing(
    cli: Cli, module: str, tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    """The process that times goes too, even where it has hardly begun; the store stays empty."""
    cli(*convert(f"{module}:net"))
    path = f"made/{module}.net_fp32.tflite"
    asked = ("bench", path, "--runs", "1000000000", "--store", "results.jsonl")
    process = subprocess.Popen(
        [sys.executable, "-m", "edgezoo.cli", *asked],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("timing")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (timed := children.read_text().split()):
        os.sched_yield()
    process.send_signal(number)
    out, err = process.communicate()
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
    assert (process.returncode, out) == (codes[number], "")
    assert ("error: interrupted" in err) == (number == signal.SIGINT)
    while any(map(alive, timed)):
        time.sleep(0.01)  # the test run's own time limit is what fails here
    assert not (tmp_path / "results.jsonl").exists()


# ------------------------------------------------------------------------- verification


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
def test_wrong_numbers_in_a_file(
    refused: Refused, cli: Cli, module: str, tmp_path: Path, suffix: str
) -> None:
    """The weights of the last layer are negated; the hash is made to fit."""
    cli(*convert(f"{module}:net", "--to", suffix))
    loaded = load_model(f"{module}:net", weights=None, input=(1, 3, 32, 32))
    weights = loaded.module.state_dict()["6.weight"].numpy()
    original = tmp_path / "made" / f"{module}.net_fp32.{suffix}"
    content = original.read_bytes()
    assert content.count(weights.tobytes()) == 1
    broken = tmp_path / f"broken.{suffix}"
    broken.write_bytes(content.replace(weights.tobytes(), (-weights).tobytes()))
    manifest = json.loads(Path(f"{original}.json").read_text())
    manifest["sha256"] = file_sha256(broken)
    Path(f"{broken}.json").write_text(json.dumps(manifest))
    sentence = refused("verify", broken)
    assert f"broken.{suffix} is at " in sentence
    assert "under the 80 dB that fp32 needs; the difference jumps at 6 (" in sentence


def test_a_file_that_was_changed(refused: Refused, cli: Cli, module: str, tmp_path: Path) -> None:
    cli(*convert(f"{module}:net"))
    path = tmp_path / "made" / f"{module}.net_fp32.tflite"
    path.write_bytes(path.read_bytes() + b"\0")
    assert "was changed after it was written" in refused("verify", path)


def test_a_file_without_manifest(refused: Refused, cli: Cli, module: str, tmp_path: Path) -> None:
    cli(*convert(f"{module}:net"))
    shutil.copy(tmp_path / "made" / f"{module}.net_fp32.tflite", tmp_path / "alone.tflite")
    assert "alone.tflite has no manifest" in refused("verify", "alone.tflite")


def test_pictures_need_not_be_photos(cli: Cli, module: str, photos: Path) -> None:
    """Grey, transparent and rotated pictures are all taken."""
    Image.new("L", (40, 40), 7).save(photos / "grey.png")
    Image.new("RGBA", (40, 90), (1, 2, 3, 4)).save(photos / "clear.png")
    done = cli(*convert(f"{module}:net", "--samples", photos, "--json"))
    assert json.loads(done.out)["artifacts"][0]["comparison"]["samples"] == 11
