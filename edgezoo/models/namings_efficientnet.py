"""Names that others give to the layers of EfficientNet and MnasNet; edgezoo's are timm's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from edgezoo.models.naming import Naming, block_places, rename_layers
from edgezoo.models.scaling import round_filters

# ------------------------------------------------------------------------- lukemelas

LUKEMELAS_TOP = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
LUKEMELAS_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# A block without expansion counts its layers one lower.
LUKEMELAS_FIRST_BLOCK = LUKEMELAS_BLOCK | {
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def _from_lukemelas(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Rename lukemelas' EfficientNet-PyTorch keys to timm's; unknown keys keep their name."""
    places = block_places(module, "blocks")
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        block = re.fullmatch(r"_blocks\.(\d+)\.(_\w+)\.(\w+)", key)
        top = re.fullmatch(r"(_\w+)\.(\w+)", key)
        new = key
        if block and int(block[1]) < len(places):
            expands = f"_blocks.{block[1]}._expand_conv.weight" in state
            names = LUKEMELAS_BLOCK if expands else LUKEMELAS_FIRST_BLOCK
            new = f"blocks.{places[int(block[1])]}.{names.get(block[2], block[2])}.{block[3]}"
        elif top:
            new = f"{LUKEMELAS_TOP.get(top[1], top[1])}.{top[2]}"
        renamed[new] = tensor
    return renamed


# ------------------------------------------------------------ torchvision's EfficientNet

EFFICIENTNET_TOP = {
    "features.0.0": "conv_stem",
    "features.0.1": "bn1",
    "features.8.0": "conv_head",
    "features.8.1": "bn2",
    "classifier.1": "classifier",
}
EFFICIENTNET_BLOCK = {
    "0.0": "conv_pw",
    "0.1": "bn1",
    "1.0": "conv_dw",
    "1.1": "bn2",
    "2.fc1": "se.conv_reduce",
    "2.fc2": "se.conv_expand",
    "3.0": "conv_pwl",
    "3.1": "bn3",
}
# Without expansion there is one convolution less and squeeze-and-excite comes second.
EFFICIENTNET_FIRST_BLOCK = {
    "0.0": "conv_dw",
    "0.1": "bn1",
    "1.fc1": "se.conv_reduce",
    "1.fc2": "se.conv_expand",
    "2.0": "conv_pw",
    "2.1": "bn2",
}


def _efficientnet_layer(layer: str, state: Mapping[str, Tensor]) -> str:
    block = re.fullmatch(r"features\.(\d+)\.(\d+)\.block\.(\d\.\w+)", layer)
    if not block:
        return EFFICIENTNET_TOP.get(layer, layer)
    stage, index, part = block.groups()
    expands = f"features.{stage}.{index}.block.3.0.weight" in state
    names = EFFICIENTNET_BLOCK if expands else EFFICIENTNET_FIRST_BLOCK
    return f"blocks.{int(stage) - 1}.{index}.{names[part]}" if part in names else layer


def _from_efficientnet(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Rename torchvision's EfficientNet keys to timm's; unknown keys keep their name."""
    return rename_layers(state, lambda layer: _efficientnet_layer(layer, state))


# ----------------------------------------------------------------- torchvision's MnasNet

MNASNET_TOP = {
    "layers.0": "conv_stem",
    "layers.1": "bn1",
    "layers.3": "blocks.0.0.conv_dw",
    "layers.4": "blocks.0.0.bn1",
    "layers.6": "blocks.0.0.conv_pw",
    "layers.7": "blocks.0.0.bn2",
    "layers.14": "conv_head",
    "layers.15": "bn2",
    "classifier.1": "classifier",
}
MNASNET_BLOCK = {
    "0": "conv_pw",
    "1": "bn1",
    "3": "conv_dw",
    "4": "bn2",
    "6": "conv_pwl",
    "7": "bn3",
}
FIRST_STACK = 8  # torchvision numbers the second stage, the first one with expansion, so


def _mnasnet_layer(layer: str) -> str:
    block = re.fullmatch(r"layers\.(\d+)\.(\d+)\.layers\.(\d)", layer)
    if not block or block[3] not in MNASNET_BLOCK:
        return MNASNET_TOP.get(layer, layer)
    return f"blocks.{int(block[1]) - FIRST_STACK + 1}.{block[2]}.{MNASNET_BLOCK[block[3]]}"


def _from_mnasnet(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Rename torchvision's MnasNet keys to timm's; unknown keys keep their name."""
    return rename_layers(state, _mnasnet_layer)


def _is_mnasnet(state: Mapping[str, Tensor]) -> bool:
    return "layers.0.weight" in state and "layers.8.0.layers.0.weight" in state


def _is_unscaled_mnasnet(state: Mapping[str, Tensor]) -> bool:
    """Tell whether the stem kept 32 channels in a network of another width.

    Up to version 1 of its state dicts torchvision scaled neither the stem nor the first stage. The
    shapes tell as much as the version in ``_metadata``, which many files have lost.
    """
    last = state.get("layers.14.weight")
    if not _is_mnasnet(state) or last is None or last.ndim != 4:
        return False
    stem = state["layers.0.weight"].shape[0]
    widths = {round_filters(320, width): round_filters(32, width) for width in (0.5, 0.75, 1.3)}
    scaled = widths.get(last.shape[1], stem)
    return stem == 32 != scaled


NAMINGS: tuple[Naming, ...] = (
    Naming(
        "lukemelas",
        lambda state: "_conv_stem.weight" in state,
        _from_lukemelas,
        {"flavour": "tf"},
        "efficientnet",
    ),
    Naming(
        "torchvision",
        lambda state: "features.0.0.weight" in state and "features.1.0.block.0.0.weight" in state,
        _from_efficientnet,
        {"flavour": "torchvision"},
        "efficientnet",
    ),
    # Before the naming below, which recognises these files too.
    Naming(
        "torchvision",
        _is_unscaled_mnasnet,
        _from_mnasnet,
        {"flavour": "torchvision", "scale_stem": False},
        "mnasnet",
    ),
    Naming("torchvision", _is_mnasnet, _from_mnasnet, {"flavour": "torchvision"}, "mnasnet"),
)
