"""Weights on the command line: other numbers of classes, files that do not fit, no network."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from edgezoo.models.registry import get_model
from tests.cli.command import Cli

Refused = Callable[..., str]
NETWORK = "shufflenet_v1_g3_x0_25"
SMALL = ("--input", "1x3x64x64", "--out", "made")


def save(path: Path, name: str = NETWORK, **options: object) -> None:
    torch.save(get_model(name).build(**options).state_dict(), path)


def test_a_checkpoint_of_ten_classes(refused: Refused, cli: Cli, tmp_path: Path) -> None:
    save(tmp_path / "ten.pth", num_classes=10)
    asked = ("convert", NETWORK, "--weights", "ten.pth", *SMALL)
    assert "has 10 classes: build the network with as many (--num-classes 10)" in refused(*asked)
    assert "has 10 classes" in refused(*asked, "--num-classes", 7)
    done = cli(*asked, "--num-classes", 10, "--json")
    assert done.code == 0, done.err
    assert "num_classes=10" in done.err
    manifest = json.loads((tmp_path / "made" / f"{NETWORK}_fp32.tflite.json").read_text())
    assert manifest["origin"]["options"] == {"num_classes": 10}


def test_weights_of_thousand_classes_for_ten(refused: Refused, tmp_path: Path) -> None:
    save(tmp_path / "net.pth")
    asked = ("convert", NETWORK, "--weights", "net.pth", *SMALL, "--num-classes", 10)
    sentence = refused(*asked)
    assert "classifier.0.weight 1000x240 instead of 10x240" in sentence
    assert "has 1000 classes" in sentence


def test_num_classes_in_info(cli: Cli, refused: Refused) -> None:
    ten = json.loads(cli("info", "mnasnet_small", "--num-classes", 10, "--json").out)
    option = json.loads(cli("info", "mnasnet_small", "--option", "num_classes=10", "--json").out)
    assert ten == option
    whole = json.loads(cli("info", "mnasnet_small", "--json").out)
    assert whole["params"] - ten["params"] == 990 * 1281
    twice = ("info", "mnasnet_small", "--num-classes", 10, "--option", "num_classes=10")
    assert "--option num_classes is given twice" in refused(*twice)


def test_num_classes_of_a_factory(refused: Refused, module: str) -> None:
    asked = ("convert", f"{module}:net", "--input", "1x3x32x32", "--num-classes", 3)
    assert "takes no options (num_classes); write a factory" in refused(*asked)


def test_a_log_holds_every_key(cli: Cli, tmp_path: Path) -> None:
    save(tmp_path / "net.pth", "mnasnet_small")
    done = cli("convert", NETWORK, "--weights", "net.pth", *SMALL)
    assert done.code == 2
    *_, sentence = done.err.splitlines()
    assert sentence.startswith("error: weights net.pth do not fit shufflenet_v1_g3_x0_25: ")
    assert "more" in sentence
    missing = [line for line in done.err.splitlines() if line.startswith("missing: ")]
    assert len(missing) == sum(
        "num_batches" not in k for k in get_model(NETWORK).build().state_dict()
    )
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("weights", [(), ("--weights", "default"), ("--weights", "timm")])
def test_no_network(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: tuple[str, ...]
) -> None:
    pytest.importorskip("huggingface_hub", reason="pip install huggingface_hub")
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("EDGEZOO_CACHE", str(tmp_path.parent / f"{tmp_path.name}_cache"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        sentence = refused("convert", "mnasnet_small", *weights, *SMALL)
    assert "timm/mnasnet_small.lamb_in1k cannot be downloaded from the Hugging Face" in sentence
    assert "connect to the network and run again, or give a file with --weights FILE" in sentence
