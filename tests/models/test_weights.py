import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from edgezoo.errors import WeightsError
from edgezoo.models.mnasnet import mnasnet
from edgezoo.models.registry import get_model
from edgezoo.models.shufflenet import ShuffleNetV1
from edgezoo.models.weights import (
    LUKEMELAS_BLOCK,
    LUKEMELAS_FIRST_BLOCK,
    LUKEMELAS_TOP,
    fit_state_dict,
    load_state_file,
    state_sha256,
)

State = dict[str, Tensor]


def small() -> nn.Module:
    torch.manual_seed(0)
    return ShuffleNetV1(3, 0.25, num_classes=5)


def in_prefix(state: State) -> State:
    return {f"module.{key}": value for key, value in state.items()}


@pytest.mark.parametrize(
    ("suffix", "wrap"),
    [
        (".pth", lambda state: state),
        (".pt", lambda state: {"state_dict": in_prefix(state), "epoch": 3}),
        (".pth", lambda state: {"model": state}),
        (".pth", lambda state: {"state_dict": {}, "state_dict_ema": in_prefix(state)}),
        (".safetensors", in_prefix),
    ],
)
def test_round_trip(tmp_path: Path, suffix: str, wrap: Callable[[State], Any]) -> None:
    module, path = small(), tmp_path / f"net{suffix}"
    content = wrap(module.state_dict())
    if suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    other = ShuffleNetV1(3, 0.25, num_classes=5)
    assert state_sha256(other) != state_sha256(module)
    fit_state_dict(other, load_state_file(path), source=path.name)
    assert state_sha256(other) == state_sha256(module)


@pytest.mark.parametrize("legacy", [False, True])
def test_truncated_file_is_named(tmp_path: Path, legacy: bool) -> None:
    whole, path = tmp_path / "whole.pth", tmp_path / "cut.pth"
    torch.save(nn.Conv2d(3, 4, 3).state_dict(), whole, _use_new_zipfile_serialization=not legacy)
    content = whole.read_bytes()
    for length in range(0, len(content) - 1, 31):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError, match=r"cut\.pth (is damaged|needs to run code)"):
            load_state_file(path)


def test_damaged_bytes_never_crash(tmp_path: Path) -> None:
    path, draw = tmp_path / "bad.pth", random.Random(0)
    torch.save(nn.Conv2d(3, 4, 3).state_dict(), path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    refused = 0
    for _ in range(300):
        broken = bytearray(content)
        for _ in range(5):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        path.write_bytes(broken)
        try:
            load_state_file(path)
        except WeightsError as error:
            refused += 1
            assert "bad.pth" in str(error)
    assert refused > 150


def test_truncated_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    save_file({"weight": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"cut\.safetensors is damaged"):
        load_state_file(path)


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "evil.pth", tmp_path / "was_run"
    torch.save({"weight": torch.ones(2), "extra": Payload(trace)}, path)
    with pytest.raises(WeightsError, match=r"evil\.pth needs to run code to load .*mkdir"):
        load_state_file(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds no state dict but a list"),
        ({}, "holds no state dict but an empty dict"),
        ({"weight": torch.ones(2), "epoch": 3}, "epoch are no tensors"),
    ],
)
def test_other_contents(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "net.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=message):
        load_state_file(path)


def test_whole_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(nn.Conv2d(3, 4, 3), path)
    with pytest.raises(WeightsError, match="state_dict"):
        load_state_file(path)


@pytest.mark.parametrize("name", ["net.pkl", "missing.pth"])
def test_wrong_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=name):
        load_state_file(tmp_path / name)


def test_mismatches_are_all_listed_and_nothing_is_loaded() -> None:
    module = small()
    before = state_sha256(module)
    state = {key: torch.zeros_like(value) for key, value in module.state_dict().items()}
    del state["first_conv.0.weight"], state["features.3.branch_main_1.1.running_var"]
    state["head.bias"] = torch.zeros(5)
    state["classifier.0.weight"] = torch.zeros(7, 240)
    with pytest.raises(WeightsError) as caught:
        fit_state_dict(module, state, source="net.pth")
    message = str(caught.value)
    assert "net.pth do not fit ShuffleNetV1" in message
    assert "2 missing (first_conv.0.weight, features.3.branch_main_1.1.running_var)" in message
    assert "1 unexpected (head.bias)" in message
    assert "1 mis-shaped (classifier.0.weight 7x240 instead of 5x240)" in message
    assert state_sha256(module) == before


def test_wrong_family() -> None:
    module = small()
    with pytest.raises(WeightsError, match=r"246 missing .*314 unexpected \(conv_stem\.weight, "):
        fit_state_dict(module, mnasnet("b1").state_dict(), source="mnasnet.pth")


def test_integer_weights_are_mis_shaped() -> None:
    module = nn.Linear(2, 3)
    state = {"weight": torch.ones(3, 2, dtype=torch.int8), "bias": torch.zeros(3)}
    with pytest.raises(WeightsError, match="weight 3x2 of integers instead of 3x2"):
        fit_state_dict(module, state, source="int8.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_is_named(value: float) -> None:
    module = small()
    state = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    state["features.1.branch_main_2.1.bias"][3] = value
    with pytest.raises(WeightsError, match=r"NaN or infinity in features\.1\.branch_main_2\.1\.b"):
        fit_state_dict(module, state, source="net.pth")


def test_missing_batch_counters_become_zero() -> None:
    module = small()
    state = {k: v for k, v in module.state_dict().items() if "num_batches" not in k}
    norm = module.get_submodule("first_conv.1")
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked += 7
    fit_state_dict(module, state, source="net.pth")
    assert int(norm.num_batches_tracked) == 0


def in_lukemelas_names(module: nn.Module) -> State:
    """Rename timm's keys with the tables turned round, blocks numbered through."""
    blocks = module.get_submodule("blocks")
    places = [f"{s}.{b}" for s, stage in blocks.named_children() for b, _ in stage.named_children()]
    state = module.state_dict()
    renamed = {}
    for key, value in state.items():
        head, _, leaf = key.rpartition(".")
        if head.startswith("blocks."):
            _, stage, block, layer = head.split(".", 3)
            expands = f"blocks.{stage}.{block}.conv_pwl.weight" in state
            table = LUKEMELAS_BLOCK if expands else LUKEMELAS_FIRST_BLOCK
            old = {new: old for old, new in table.items() if expands or old != "_bn0"}[layer]
            renamed[f"_blocks.{places.index(f'{stage}.{block}')}.{old}.{leaf}"] = value
        else:
            renamed[f"{ {new: old for old, new in LUKEMELAS_TOP.items()}[head] }.{leaf}"] = value
    return renamed


@pytest.mark.parametrize("name", ["tf_efficientnet_b1", "tf_efficientnet_lite1"])
def test_lukemelas_names(name: str) -> None:
    torch.manual_seed(0)
    module, other = get_model(name).build(), get_model(name).build()
    state = in_lukemelas_names(module)
    assert "_blocks.1._project_conv.weight" in state
    fit_state_dict(other, state, source="lukemelas")
    assert state_sha256(other) == state_sha256(module)


def test_digest_sees_names_shapes_types_and_bytes() -> None:
    def digest(name: str, tensor: Tensor) -> str:
        module = nn.Module()
        module.register_buffer(name, tensor)
        return state_sha256(module)

    digests = {
        digest("a", torch.zeros(4)),
        digest("b", torch.zeros(4)),
        digest("a", torch.zeros(2, 2)),
        digest("a", torch.zeros(4, dtype=torch.int32)),
        digest("a", torch.tensor([0.0, 0.0, 0.0, -0.0])),
        digest("a", torch.zeros(4, dtype=torch.bfloat16)),
    }
    assert len(digests) == 6
    assert digest("a", torch.tensor(3)) == digest("a", torch.tensor(3))
