import io
import os
import pickle
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from edgezoo.errors import WeightsError
from edgezoo.models.shufflenet import ShuffleNetV1
from edgezoo.models.state_files import Checkpoint, read_state_file, strip_prefixes, unwrap
from edgezoo.models.weights import load_checkpoint, state_sha256

State = dict[str, Tensor]


def small() -> nn.Module:
    torch.manual_seed(0)
    return ShuffleNetV1(3, 0.25, num_classes=5)


def prefixed(state: Mapping[str, Tensor], prefix: str = "module.") -> State:
    return {f"{prefix}{key}": value for key, value in state.items()}


def as_numpy(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {key: value.numpy() for key, value in state.items()}


def write(path: Path, content: Any) -> None:
    """Save in the way that belongs to the suffix."""
    if path.suffix == ".safetensors":
        save_file(content, path)
    elif path.suffix == ".npz":
        np.savez(path, **as_numpy(content))
    else:
        torch.save(content, path)


# -------------------------------------------------------------------------- round trips


@pytest.mark.parametrize(
    ("suffix", "wrap"),
    [
        (".pth", lambda state: state),
        (".pth.tar", lambda state: {"state_dict": prefixed(state), "epoch": 3}),
        (".pkl", prefixed),
        (".pt", lambda state: {"state_dict": prefixed(state), "epoch": 3}),
        (".pth", lambda state: {"model": state}),
        (".pth", lambda state: {"net": state, "acc": 91.2, "epoch": 3}),
        (".pt", lambda state: {"model_state_dict": state, "optimizer_state_dict": {}, "loss": 0.1}),
        (".pt", lambda state: {"model": {}, "ema": state}),
        (".pth", lambda state: {"state_dict": {}, "state_dict_ema": prefixed(state)}),
        (".pth", lambda state: {"model": prefixed(state, "module._orig_mod.")}),
        (".pth", lambda state: {"state_dict": prefixed(state, "model."), "hyper": {"lr": 0.1}}),
        (
            ".pth",  # torchvision's reference scripts, averaged by AveragedModel
            lambda state: {
                "model": {key: torch.zeros_like(value) for key, value in state.items()},
                "model_ema": {"n_averaged": torch.tensor(7), **prefixed(state)},
            },
        ),
        (".safetensors", lambda state: state),
        (".safetensors", prefixed),
        (".npz", lambda state: state),
        (".npz", prefixed),
    ],
)
def test_round_trip(tmp_path: Path, suffix: str, wrap: Callable[[State], Any]) -> None:
    module, path = small(), tmp_path / f"net{suffix}"
    write(path, wrap(dict(module.state_dict())))
    other = ShuffleNetV1(3, 0.25, num_classes=5)
    assert state_sha256(other) != state_sha256(module)
    load_checkpoint(other, read_state_file(path), source=path.name)
    assert state_sha256(other) == state_sha256(module)


def test_prefixes_that_the_module_has_stay() -> None:
    state = {"model.module.weight": torch.ones(1)}
    assert set(strip_prefixes(Checkpoint(state)).state) == {"weight"}
    assert strip_prefixes(Checkpoint(state), ["module.weight"]).state.keys() == {"module.weight"}
    assert strip_prefixes(Checkpoint(state), ["model.weight"]).state.keys() == state.keys()
    mixed = {"module.weight": torch.ones(1), "head": torch.ones(1)}
    assert strip_prefixes(Checkpoint(mixed)) == Checkpoint(mixed)


def test_what_was_around_is_kept() -> None:
    wrapped = {"state_dict": {"module.weight": torch.ones(1)}}
    assert strip_prefixes(unwrap(wrapped, "it")).wrapping == ("state_dict", "module.")


# ------------------------------------------------------------------------- damaged files


def test_arrays_instead_of_tensors() -> None:
    state = small().state_dict()
    swapped = {
        key: value.astype(value.dtype.newbyteorder()) for key, value in as_numpy(state).items()
    }
    for arrays in (as_numpy(state), swapped):
        found = unwrap({"state_dict": arrays}, "the mapping").state
        assert all(torch.equal(found[key], value) for key, value in state.items())
    with pytest.raises(WeightsError, match="name are no tensors"):
        unwrap({**as_numpy(state), "name": np.array(["a"])}, "the mapping")


@pytest.mark.parametrize("legacy", [False, True])
def test_truncated_torch_files(tmp_path: Path, legacy: bool) -> None:
    whole, path = tmp_path / "whole.pth", tmp_path / "cut.pth"
    torch.save(nn.Conv2d(3, 4, 3).state_dict(), whole, _use_new_zipfile_serialization=not legacy)
    content = whole.read_bytes()
    for length in range(0, len(content) - 1, 31):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError, match=r"cut\.pth (is damaged|needs to run code)"):
            read_state_file(path)


def npz_bytes(compressed: bool) -> bytes:
    buffer = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(buffer, **as_numpy(nn.Conv2d(3, 4, 3).state_dict()))
    return buffer.getvalue()


def tree_bytes() -> bytes:
    state = as_numpy(nn.Conv2d(3, 4, 3).state_dict())
    return pickle.dumps({"net/~/conv": state}, protocol=4)


@pytest.mark.parametrize("content", [npz_bytes(False), npz_bytes(True), tree_bytes()])
def test_truncated_archives(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cut.npz"
    for length in range(0, len(content) - 1, 7):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError, match=r"cut\.npz (is damaged|needs to run code)"):
            read_state_file(path)


def test_a_truncated_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "cut.npz").write_bytes(npz_bytes(False)[:-40])
    with pytest.raises(
        WeightsError, match=r"no NumPy archive \(the archive breaks off\); download"
    ):
        read_state_file(tmp_path / "cut.npz")


@pytest.mark.parametrize("length", [0, 4, 50, -1])
def test_truncated_safetensors(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.safetensors"
    save_file({"weight": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WeightsError, match=r"cut\.safetensors is damaged"):
        read_state_file(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".npz", "_tree.npz"])
def test_damaged_bytes_never_crash(tmp_path: Path, suffix: str) -> None:
    path, draw = tmp_path / f"bad{suffix}", random.Random(0)
    state = dict(nn.Conv2d(3, 4, 3).state_dict())
    if suffix == "_tree.npz":
        path.write_bytes(tree_bytes())
    elif suffix == ".pth":
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        write(path, state)
    content = path.read_bytes()
    refused = 0
    for _ in range(300):
        broken = bytearray(content)
        for _ in range(5):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        path.write_bytes(broken)
        try:
            read_state_file(path)
        except WeightsError as error:
            refused += 1
            assert path.name in str(error)
    assert refused > 20


# --------------------------------------------------------------------------- code inside


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def save_evil(path: Path, trace: Path) -> None:
    content = {"weight": np.ones(2), "extra": Payload(trace)}
    if path.suffix == ".pth":
        torch.save({"weight": torch.ones(2), "extra": Payload(trace)}, path)
    elif path.stem == "tree":
        path.write_bytes(pickle.dumps(content))
    else:
        objects = np.array([Payload(trace)], dtype=object)
        np.savez(path, weight=np.ones(2), extra=objects, other=objects)


def test_code_in_a_bare_pickle(tmp_path: Path) -> None:
    """torch's own message ends in the advice to load it all the same, which is not passed on."""
    path, trace = tmp_path / "bare.pth", tmp_path / "was_run"
    path.write_bytes(pickle.dumps({"weight": Payload(trace)}, protocol=4))
    message = r"bare\.pth is damaged or no PyTorch file \(Unsupported operand \d+\); download"
    with pytest.raises(WeightsError, match=message):
        read_state_file(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("evil.pth", r"evil\.pth needs to run code to load .*mkdir"),
        ("tree.npz", r"tree\.npz needs to run code to load .*mkdir.*numpy\.savez"),
        ("evil.npz", r"no plain numbers in extra \(pickled objects\), other \(pickled objects\)"),
    ],
)
def test_code_is_refused_and_not_run(tmp_path: Path, name: str, message: str) -> None:
    path, trace = tmp_path / name, tmp_path / "was_run"
    save_evil(path, trace)
    with pytest.raises(WeightsError, match=message):
        read_state_file(path)
    assert not trace.exists()


def test_whole_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(nn.Conv2d(3, 4, 3), path)
    with pytest.raises(WeightsError, match="state_dict"):
        read_state_file(path)


# ----------------------------------------------------------------------- other contents


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds no state dict but a list"),
        ({}, "holds no state dict but an empty dict"),
        ({"weight": torch.ones(2), "epoch": 3}, "epoch are no tensors"),
        ({"state_dict": {"model": 3}}, "model are no tensors"),
    ],
)
def test_no_state_dict(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "net.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=message):
        read_state_file(path)


@pytest.mark.parametrize("name", ["net.txt", "net.tar", "missing.pth", "missing.npz"])
def test_wrong_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=name):
        read_state_file(tmp_path / name)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors", ".npz"])
def test_a_file_of_another_kind(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"page{suffix}"
    path.write_text("<html>404</html>")
    with pytest.raises(WeightsError, match=rf"page\{suffix} is damaged"):
        read_state_file(path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no arrays")
    with pytest.raises(WeightsError, match=r"no plain numbers in readme\.txt \(no array\)"):
        read_state_file(path)
    np.savez(path, weight=np.ones(2), names=np.array(["cat", "dog"]))
    with pytest.raises(WeightsError, match=r"no plain numbers in names \(<U3\)"):
        read_state_file(path)


# ---------------------------------------------------------------------- a pickle's arrays


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_of_a_pickled_tree(tmp_path: Path, protocol: int) -> None:
    """As DeepMind's released files are written; only bytes in a pickle of protocol 2 need code."""
    generator = np.random.default_rng(0)
    weights = generator.standard_normal((3, 3, 2, 5)).astype(np.float32)
    tree = {
        "net/~/conv": {"w": weights, "gain": np.float32(2.5), "turned": np.asfortranarray(weights)},
        "net/~/linear": {"b": weights[0, 0, 0].astype(">f8"), "count": np.array(7)},
    }
    path = tmp_path / "net.npz"
    path.write_bytes(pickle.dumps(tree, protocol))
    if protocol == 2:
        with pytest.raises(WeightsError, match=r"needs to run code to load \(_codecs\.encode\)"):
            read_state_file(path)
        return
    state = read_state_file(path).state
    assert list(state) == [
        "net/~/conv/w", "net/~/conv/gain", "net/~/conv/turned",
        "net/~/linear/b", "net/~/linear/count",
    ]  # fmt: skip
    np.testing.assert_array_equal(state["net/~/conv/w"].numpy(), weights)
    np.testing.assert_array_equal(state["net/~/conv/turned"].numpy(), weights)
    np.testing.assert_array_equal(state["net/~/linear/b"].numpy(), weights[0, 0, 0])
    assert state["net/~/conv/gain"].item() == 2.5
    assert state["net/~/linear/count"].item() == 7


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": np.array([1, "x"], dtype=object)}, "no plain numbers in a"),
        ({"a": np.array(["x"])}, "no plain numbers in a"),
        ({"a": {"b": "text"}}, r"a/b is a str, no array"),
        ([1], "the file is a list, no array"),
        ({"a": np.ones(2).view(np.recarray)}, r"needs to run code to load \(numpy"),
    ],
)
def test_trees_of_other_things(tmp_path: Path, tree: object, message: str) -> None:
    path = tmp_path / "net.npz"
    path.write_bytes(pickle.dumps(tree, 4))
    with pytest.raises(WeightsError, match=message):
        read_state_file(path)
