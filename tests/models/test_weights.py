import pytest
import torch
from torch import Tensor, nn

from edgezoo.errors import WeightsError, WeightsMismatchError
from edgezoo.models.efficientnet import efficientnet
from edgezoo.models.mnasnet import mnasnet
from edgezoo.models.shufflenet import ShuffleNetV1
from edgezoo.models.state_files import Checkpoint
from edgezoo.models.weights import fit_state_dict, load_checkpoint, state_sha256

State = dict[str, Tensor]


def small() -> nn.Module:
    torch.manual_seed(0)
    return ShuffleNetV1(3, 0.25, num_classes=5)


def in_prefix(state: State) -> State:
    return {f"module.{key}": value for key, value in state.items()}


def test_mismatches_are_all_listed_and_nothing_is_loaded() -> None:
    module = small()
    before = state_sha256(module)
    state = {key: torch.zeros_like(value) for key, value in module.state_dict().items()}
    del state["first_conv.0.weight"], state["features.3.branch_main_1.1.running_var"]
    state["head.bias"] = torch.zeros(5)
    state["classifier.0.weight"] = torch.zeros(7, 240)
    with pytest.raises(WeightsMismatchError) as caught:
        fit_state_dict(module, state, source="net.pth")
    message = str(caught.value)
    assert "net.pth do not fit ShuffleNetV1" in message
    assert "2 missing (first_conv.0.weight, features.3.branch_main_1.1.running_var)" in message
    assert "1 unexpected (head.bias)" in message
    assert "1 mis-shaped (classifier.0.weight 7x240 instead of 5x240)" in message
    assert message.endswith("give the weights of this network")
    assert caught.value.missing == (
        "first_conv.0.weight", "features.3.branch_main_1.1.running_var",
    )  # fmt: skip
    assert caught.value.unexpected == ("head.bias",)
    assert caught.value.misshaped == ("classifier.0.weight 7x240 instead of 5x240",)
    assert len(caught.value.details) == 4
    assert state_sha256(module) == before


def test_wrong_family() -> None:
    module = small()
    before = state_sha256(module)
    with pytest.raises(WeightsMismatchError) as caught:
        fit_state_dict(module, mnasnet("b1").state_dict(), source="mnasnet.pth")
    message = str(caught.value)
    assert "246 missing (first_conv.0.weight, " in message
    assert "314 unexpected (conv_stem.weight, " in message
    assert "and 304 more" in message
    assert len(message) < 1200  # what a terminal shows at a glance
    assert (len(caught.value.missing), len(caught.value.unexpected)) == (246, 314)
    assert len(caught.value.details) == 560
    assert state_sha256(module) == before


@pytest.mark.parametrize(
    ("module", "other"),
    [
        (ShuffleNetV1(3, 0.25, num_classes=5), ShuffleNetV1(3, 0.25, num_classes=7)),
        (mnasnet("small", num_classes=5), mnasnet("small", num_classes=7)),
    ],
)
def test_another_number_of_classes(module: nn.Module, other: nn.Module) -> None:
    before = state_sha256(module)
    with pytest.raises(WeightsMismatchError) as caught:
        fit_state_dict(module, other.state_dict(), source="net.pth")
    assert "classifier has 7 classes: build the network with as many (--num-classes 7)" in str(
        caught.value
    )
    assert state_sha256(module) == before


@pytest.mark.parametrize(
    ("module", "headless"),
    [
        (ShuffleNetV1(3, 0.25), ShuffleNetV1(3, 0.25, num_classes=0)),
        (mnasnet("small"), mnasnet("small", num_classes=0)),
    ],
)
def test_a_module_without_classifier_leaves_it_out(module: nn.Module, headless: nn.Module) -> None:
    fit_state_dict(headless, module.state_dict(), source="net.pth")
    whole = module.state_dict()
    for key, tensor in headless.state_dict().items():
        assert torch.equal(tensor, whole[key])
    with pytest.raises(WeightsMismatchError, match=r"\d missing \(classifier\.") as caught:
        fit_state_dict(module, headless.state_dict(), source="net.pth")
    assert all(key.startswith("classifier.") for key in caught.value.missing)


def test_other_options_than_the_modules() -> None:
    module = efficientnet(flavour="timm", num_classes=3)
    before = state_sha256(module)
    checkpoint = Checkpoint(efficientnet(flavour="tf", num_classes=3).state_dict())
    for options in ({}, {"flavour": "torchvision"}, {"unknown": 3}):
        load_checkpoint(efficientnet(num_classes=3), checkpoint, source="n.pth", options=options)
    with pytest.raises(WeightsError, match=r"trained with flavour=tf .*build it with flavour=tf"):
        load_checkpoint(module, checkpoint, source="n.pth", options={"flavour": "tf"})
    assert state_sha256(module) == before


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
