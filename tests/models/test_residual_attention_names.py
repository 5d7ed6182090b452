"""Counts, names and shapes of both references, and tengshaofeng's graph written once more.

``residual_attention_references.json`` was made by executing fwang91/residual-attention-network
(bc207a8, its Caffe files; AttentionNeXt-92 with a broken blob name mended) and
tengshaofeng/ResidualAttentionNetwork-pytorch (88ed90f): trainable parameters, multiply-accumulates
by input size, and the SHA-256 of the sorted lines "name AxBxCxD" of the state dict. Tengshaofeng's
parameters include projections that no forward pass reads.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgezoo.errors import WeightsError
from edgezoo.models.counts import count_macs, count_params
from edgezoo.models.namings import recognise
from edgezoo.models.namings_residual_attention import (
    fwang91_layers,
    tengshaofeng_layers,
    tengshaofeng_units,
    unused_projections,
)
from edgezoo.models.registry import get_model
from edgezoo.models.residual_attention import (
    CIFAR_WIDE_STAGES,
    ResidualAttention,
    Stage,
    Stem,
    imagenet_stages,
    residual_attention,
    residual_attention_cifar,
    residual_attention_cifar_wide,
)
from edgezoo.models.residual_attention_blocks import Design
from edgezoo.models.resolve import load_model
from edgezoo.models.state_files import Checkpoint
from edgezoo.models.weights import fit_state_dict, state_sha256

State = dict[str, Tensor]
REFERENCES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "residual_attention_references.json").read_text()
)
PORT = Design(extra_adds=True)


def build(name: str, **options: Any) -> ResidualAttention:
    module = get_model(name).build(**options)
    assert isinstance(module, ResidualAttention)
    return module


def build_448() -> ResidualAttention:
    first = Stage(128, 1, 1, poolings=4)
    _, *rest = imagenet_stages((1, 2, 3))
    stages = (first, Stage(256, 2, 1, poolings=3), *rest)
    return ResidualAttention(Stem(64, 7, 2, pool=3), stages, PORT, num_classes=10)


def build_pooled_32() -> ResidualAttention:
    return ResidualAttention(Stem(32, 5, 1, pool=2), CIFAR_WIDE_STAGES, PORT, num_classes=10)


BUILDERS: Mapping[str, Callable[[], ResidualAttention]] = {
    "fwang91_Attention-56": lambda: build("residual_attention_56"),
    "fwang91_Attention-92": lambda: build("residual_attention_92"),
    "fwang91_AttentionNeXt-56": lambda: build("residual_attention_next_56"),
    "fwang91_AttentionNeXt-92": lambda: build("residual_attention_next_92"),
    "tengshaofeng_ResidualAttentionModel_56": lambda: build(
        "residual_attention_56", num_classes=10, extra_adds=True
    ),
    "tengshaofeng_ResidualAttentionModel_92": lambda: build(
        "residual_attention_92", num_classes=10, extra_adds=True
    ),
    "tengshaofeng_ResidualAttentionModel_448input": build_448,
    "tengshaofeng_ResidualAttentionModel_92_32input": build_pooled_32,
    "tengshaofeng_ResidualAttentionModel_92_32input_update": lambda: build(
        "residual_attention_cifar_92_wide"
    ),
}


def in_names(module: ResidualAttention, layers: Iterable[tuple[str, str]]) -> State:
    """Return the module's state dict under the names on the right of ``layers``."""
    names = dict(layers)
    state = {}
    for key, tensor in module.state_dict().items():
        layer, _, leaf = key.rpartition(".")
        state[f"{names[layer]}.{leaf}"] = tensor
    return state


def in_fwang91_names(module: ResidualAttention) -> State:
    return in_names(module, fwang91_layers(module))


def in_tengshaofeng_names(module: ResidualAttention) -> State:
    """Also with the projections that tengshaofeng allocates and never reads."""
    state = in_names(module, tengshaofeng_layers(module))
    unused = unused_projections(module)
    for _, theirs in tengshaofeng_units(module):
        if f"{theirs}.conv4.weight" in unused:
            # Their units are of equal width before and after.
            width = len(state[f"{theirs}.bn1.weight"])
            state[f"{theirs}.conv4.weight"] = state["conv1.0.weight"].new_ones(width, width, 1, 1)
    return state


NAMES: Mapping[str, Callable[[ResidualAttention], State]] = {
    "fwang91": in_fwang91_names,
    "tengshaofeng": in_tengshaofeng_names,
}


def test_every_reference_has_its_network() -> None:
    assert set(BUILDERS) == set(REFERENCES)


@pytest.mark.parametrize("variant", REFERENCES)
def test_equals_reference(variant: str) -> None:
    reference, naming = REFERENCES[variant], variant.split("_")[0]
    with torch.device("meta"):
        module = BUILDERS[variant]()
    state = NAMES[naming](module)
    assert len(state) == reference["keys"]
    lines = sorted(f"{key} {'x'.join(map(str, t.shape))}" for key, t in state.items())
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert digest == reference["sorted_names_sha256"]
    unused = unused_projections(module) if naming == "tengshaofeng" else frozenset()
    extra = sum(state[key].numel() for key in unused)
    assert count_params(module) + extra == reference["params"]
    for side, macs in reference["macs"].items():
        assert count_macs(module, (1, 3, int(side), int(side))) == macs


@pytest.mark.parametrize("variant", REFERENCES)
def test_key_map_leads_back_to_our_names(variant: str) -> None:
    naming = variant.split("_")[0]
    with torch.device("meta"):
        module = BUILDERS[variant]()
    state = NAMES[naming](module)
    found = recognise(Checkpoint(state))
    assert found.name == naming
    assert found.options == {"extra_adds": naming == "tengshaofeng"}
    translated = found.translate(state, module)
    ours = module.state_dict()
    assert {k: t.shape for k, t in translated.items()} == {k: t.shape for k, t in ours.items()}


@pytest.mark.parametrize("naming", NAMES)
def test_weights_arrive(naming: str) -> None:
    torch.manual_seed(0)
    adds = naming == "tengshaofeng"
    module, other = (residual_attention(num_classes=3, extra_adds=adds) for _ in range(2))
    assert state_sha256(other) != state_sha256(module)
    fit_state_dict(other, NAMES[naming](module), source=naming)
    assert state_sha256(other) == state_sha256(module)


def test_a_file_of_tengshaofengs_sets_his_additions(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = residual_attention_cifar_wide(num_classes=4)
    path = tmp_path / "net.pth"
    state = {f"module.{key}": tensor for key, tensor in in_tengshaofeng_names(module).items()}
    torch.save({"state_dict": state}, path)
    loaded = load_model(
        "residual_attention_cifar_92_wide", weights=str(path), options={"num_classes": 4}
    )
    assert loaded.origin.options == {"extra_adds": True, "num_classes": 4}
    assert state_sha256(loaded.module) == state_sha256(module)
    assert loaded.preprocessing.std == (255.0, 255.0, 255.0)


def test_a_file_of_another_network_is_listed() -> None:
    with torch.device("meta"):
        state = in_tengshaofeng_names(build("residual_attention_92", num_classes=10))
        module = build("residual_attention_56", num_classes=10)
        cifar = residual_attention_cifar(56)
    # Two modules of stage 3 and one of stage 2 that a 56 does not have.
    with pytest.raises(WeightsError, match=r"unexpected \(attention_module2_2\.first_residual"):
        fit_state_dict(module, state, source="ran92.pth")
    with pytest.raises(WeightsError, match=r"210 missing \(stages\.0\.attention"):
        fit_state_dict(cifar, state, source="ran92.pth")


# --------------------------------------------- tengshaofeng's graph from his own key names


class Port:
    """The forward pass read off the keys of a state dict, one operation per line."""

    def __init__(self, state: State) -> None:
        self.state = state

    def norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias, mean, variance = (
            self.state[f"{name}.{leaf}"].reshape(1, -1, 1, 1)
            for leaf in ("weight", "bias", "running_mean", "running_var")
        )
        return ((x - mean) / (variance + 1e-5).sqrt() * weight + bias).clamp_min(0)

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.state[f"{name}.weight"]
        return F.conv2d(x, weight, None, stride, weight.shape[2] // 2)

    def block(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        activated = self.norm(f"{name}.bn1", x)
        y = self.conv(f"{name}.conv1", activated)
        y = self.conv(f"{name}.conv2", self.norm(f"{name}.bn2", y), stride)
        y = self.conv(f"{name}.conv3", self.norm(f"{name}.bn3", y))
        return y + (x if y.shape == x.shape else self.conv(f"{name}.conv4", activated, stride))

    def pair(self, name: str, x: Tensor) -> Tensor:
        return self.block(f"{name}.1", self.block(f"{name}.0", x))

    def gate(self, name: str, x: Tensor) -> Tensor:
        x = self.conv(f"{name}.2", self.norm(f"{name}.0", x))
        return self.conv(f"{name}.5", self.norm(f"{name}.3", x)).sigmoid()

    def module(self, name: str, poolings: int, words: list[str]) -> Callable[[Tensor], Tensor]:
        *units, gate = (f"{name}.{word}" for word in words)

        def forward(x: Tensor) -> Tensor:
            x = self.block(f"{name}.first_residual_blocks", x)
            trunk = self.pair(f"{name}.trunk_branches", x)
            levels = []
            for level in range(poolings - 1):
                x = self.block(units[level], pool(x))
                levels.append(x)
            x = self.pair(units[max(poolings - 1, 0)], pool(x) if poolings else x)
            for level in reversed(range(poolings - 1)):
                skip = self.block(
                    f"{name}.skip{level + 1}_connection_residual_block", levels[level]
                )
                x = enlarge(x, levels[level]) + levels[level] + skip
                x = self.block(units[2 * poolings - 2 - level], x)
            mask = self.gate(gate, enlarge(x, trunk) + trunk if poolings else x)
            return self.block(f"{name}.last_blocks", (1 + mask) * trunk)

        return forward


def pool(x: Tensor) -> Tensor:
    """Take the largest of 3x3 windows that begin one pixel outside."""
    padded = F.pad(x, (1, 1, 1, 1), value=float("-inf"))
    rows = padded.unfold(2, 3, 2).amax(-1)
    return rows.unfold(3, 3, 2).amax(-1)


def enlarge(x: Tensor, like: Tensor) -> Tensor:
    """Interpolate each axis by a matrix, corners on corners."""
    for axis in (2, 3):
        small, large = x.shape[axis], like.shape[axis]
        place = torch.arange(large, dtype=x.dtype) * (small - 1) / max(large - 1, 1)
        matrix = (1 - (place[:, None] - torch.arange(small)).abs()).clamp_min(0)
        x = torch.tensordot(x, matrix, ([axis], [1])).movedim(-1, axis)
    return x


IMAGENET_WORDS = {
    3: [f"softmax{i}_blocks" for i in range(1, 7)],
    2: [f"softmax{i}_blocks" for i in range(1, 5)],
    1: [f"softmax{i}_blocks" for i in range(1, 3)],
}
CIFAR_WORDS = {
    2: ["down_residual_blocks1", "middle_2r_blocks", "up_residual_blocks1", "conv1_1_blocks"],
    1: ["middle_2r_blocks", "conv1_1_blocks"],
    0: ["middle_2r_blocks", "conv1_1_blocks"],
}


def port_56(state: State, x: Tensor) -> Tensor:
    port = Port(state)
    x = pool(port.norm("conv1.1", port.conv("conv1.0", x, 2)))
    for stage, stride, poolings in ((1, 1, 3), (2, 2, 2), (3, 2, 1)):
        x = port.block(f"residual_block{stage}", x, stride)
        x = port.module(f"attention_module{stage}", poolings, IMAGENET_WORDS[poolings])(x)
    x = port.block("residual_block4", x, 2)
    x = port.block("residual_block6", port.block("residual_block5", x))
    return port.norm("mpool2.0", x).mean((2, 3)) @ state["fc.weight"].t() + state["fc.bias"]


def port_92_32(state: State, x: Tensor) -> Tensor:
    port = Port(state)
    x = port.norm("conv1.1", port.conv("conv1.0", x))
    for stage, stride, poolings in ((1, 1, 2), (2, 2, 1), (3, 2, 0)):
        x = port.block(f"residual_block{stage}", x, stride)
        for suffix in ("", "_2", "_3")[:stage]:
            name = f"attention_module{stage}{suffix}"
            x = port.module(name, poolings, CIFAR_WORDS[poolings])(x)
    x = port.block("residual_block4", x)
    x = port.block("residual_block6", port.block("residual_block5", x))
    return port.norm("mpool2.0", x).mean((2, 3)) @ state["fc.weight"].t() + state["fc.bias"]


def fill(state: State) -> State:
    """Fill by name, so that a wrong pairing of names cannot go unseen; batch norms stay mild."""
    filled = {}
    for name, tensor in state.items():
        draw = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        if name.endswith("num_batches_tracked"):
            filled[name] = tensor
        elif name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1):
            filled[name] = torch.rand(tensor.shape, generator=draw) + 0.5
        elif tensor.ndim > 1:
            deviation = (0.5 / tensor[0].numel()) ** 0.5
            filled[name] = torch.randn(tensor.shape, generator=draw) * deviation
        else:
            filled[name] = 0.1 * torch.randn(tensor.shape, generator=draw)
    return filled


@pytest.mark.parametrize(
    ("name", "port", "shape"),
    [
        ("residual_attention_56", port_56, (1, 3, 96, 64)),
        ("residual_attention_cifar_92_wide", port_92_32, (2, 3, 32, 32)),
    ],
)
def test_extra_adds_are_tengshaofengs_graph(
    name: str, port: Callable[[State, Tensor], Tensor], shape: tuple[int, ...]
) -> None:
    module = build(name, num_classes=10, extra_adds=True).eval()
    state = fill(in_tengshaofeng_names(module))
    fit_state_dict(module, state, source="filled")
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        expected = port({key: tensor.double() for key, tensor in state.items()}, x)
        actual = module.double()(x)
    # The same operations in float64, only in another order.
    assert float((actual - expected).abs().max() / expected.abs().max()) <= 1e-9
    assert float(expected.std()) > 1e-2 * float(expected.abs().max())
    official = build(name, num_classes=10, extra_adds=False).eval()
    official.load_state_dict(module.float().state_dict())
    with torch.no_grad():
        other = official.double()(x)
    assert float((other - expected).abs().max() / expected.abs().max()) > 1e-3
