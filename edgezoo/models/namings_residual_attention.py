"""Names that others give to the layers of a Residual Attention Network.

Both maps are written from the module that is to be filled, layer by layer: numbers in the foreign
names depend on how many modules and poolings there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from string import ascii_uppercase

from torch import Tensor, nn

from edgezoo.models.naming import Naming
from edgezoo.models.residual_attention import AttentionStage, ResidualAttention
from edgezoo.models.residual_attention_blocks import AttentionModule, PreActivationUnit

# What a layer is called here, and there.
Layers = Iterator[tuple[str, str]]

# --------------------------------------------------------------------------- fwang91

# The blobs of the authors' Caffe files, behind the prefix "mods.". Caffe names a batch norm after
# the blob that it normalises, so a pre-activation unit's first one is called after what is ``before``.
FWANG91_PRE_ACTIVATION: Mapping[str, str] = {
    "norm1": "{before}/bn",
    "conv1": "{unit}/branch1/conv1_1x1",
    "norm2": "{unit}/branch1/conv1_1x1/bn",
    "conv2": "{unit}/branch1/conv2_3x3",
    "norm3": "{unit}/branch1/conv2_3x3/bn",
    "conv3": "{unit}/branch1/conv3_1x1",
    "projection": "{unit}/branch2/conv1_1x1",
}
FWANG91_RESNEXT: Mapping[str, str] = {
    "conv1": "{unit}/branch1/conv1_1x1",
    "norm1": "{unit}/branch1/conv1_1x1/bn",
    "conv2": "{unit}/branch1/conv2_3x3",
    "norm2": "{unit}/branch1/conv2_3x3/bn",
    "conv3": "{unit}/branch1/conv3_1x1",
    "norm3": "{unit}/branch1/conv3_1x1/bn",
    "projection.0": "{unit}/branch2/conv1_1x1",
    "projection.1": "{unit}/branch2/conv1_1x1/bn",
}
FWANG91_GATE: Mapping[str, str] = {
    "norm1": "up_sample/interp_1/bn",
    "conv1": "linear_1",
    "norm2": "linear_1/bn",
    "conv2": "linear_2",
}


def fwang91_layers(module: ResidualAttention) -> Layers:
    """Yield every layer's name here and in the authors' Caffe files."""
    yield "stem.conv", "mods.conv1"
    yield "stem.norm", "mods.conv1/bn"
    before = "pool1_3x3_s2"
    for ours, theirs in _fwang91_blocks(module):
        block = module.get_submodule(ours)
        if isinstance(block, AttentionModule):
            yield from _fwang91_module(block, ours, theirs, before)
        else:
            yield from _fwang91_unit(block, ours, theirs, before)
        before = theirs
    yield "norm", f"mods.{before}/bn"
    yield "classifier", "mods.classifier"


def _fwang91_blocks(module: ResidualAttention) -> Layers:
    for s, stage in enumerate(stages_of(module)):
        ours = f"stages.{s}"
        post = f"post_res_{s + 1}"
        yield f"{ours}.transition", f"pre_res_{s + 1}" if stage.attention else f"{post}_1"
        for m, _ in enumerate(stage.attention):
            yield f"{ours}.attention.{m}", f"Attention{ascii_uppercase[s]}_{m + 1}"
        for c, _ in enumerate(stage.closing):
            yield f"{ours}.closing.{c}", f"{post}_{c + 2}"


def _fwang91_unit(unit: nn.Module, ours: str, theirs: str, before: str) -> Layers:
    bare = isinstance(unit, PreActivationUnit)
    table = FWANG91_PRE_ACTIVATION if bare else FWANG91_RESNEXT
    for layer, pattern in table.items():
        yield f"{ours}.{layer}", "mods." + pattern.format(unit=theirs, before=before)


def _fwang91_module(module: AttentionModule, ours: str, theirs: str, before: str) -> Layers:
    for unit, name, input_name in _fwang91_module_units(module, theirs, before):
        yield from _fwang91_unit(module.get_submodule(unit), f"{ours}.{unit}", name, input_name)
    for layer, name in FWANG91_GATE.items():
        yield f"{ours}.mask.gate.{layer}", f"mods.{theirs}/mask/{name}"


def _fwang91_module_units(
    module: AttentionModule, theirs: str, before: str
) -> Iterator[tuple[str, str, str]]:
    """Yield each unit's name here, in Caffe, and the blob before it; for p, t, r = 1, 2, 1."""
    trunk, mask = f"{theirs}/trunk/res", f"{theirs}/mask"
    # The files of AttentionNeXt shorten two of the words.
    sample = "_sample" if isinstance(module.first[0], PreActivationUnit) else ""
    down, up = f"{mask}/down{sample}", f"{mask}/up{sample}"
    yield "first.0", f"{trunk}1", before
    yield "trunk.0", f"{trunk}2", f"{trunk}1"
    yield "trunk.1", f"{trunk}3", f"{trunk}2"
    for i in range(len(module.mask.down)):
        level = i + 1
        yield f"mask.down.{i}.0", f"{down}/res{level}_1", f"{down}/pool{level}_3x3_s2"
        yield f"mask.skip.{i}", f"{mask}/skip/res{level}", f"{down}/res{level}_1"
        yield f"mask.up.{i}.0", f"{up}/res{level}_1", f"{mask}/up_sample{level}"
    level = len(module.mask.down) + 1
    yield "mask.bottom.0", f"{down}/res{level}_1", f"{down}/pool{level}_3x3_s2"
    yield "mask.bottom.1", f"{down}/res{level}_2", f"{down}/res{level}_1"
    yield "last.0", theirs, f"{theirs}/fusion"


# ----------------------------------------------------------------------- tengshaofeng

TENGSHAOFENG_UNIT: Mapping[str, str] = {
    "norm1": "bn1",
    "conv1": "conv1",
    "norm2": "bn2",
    "conv2": "conv2",
    "norm3": "bn3",
    "conv3": "conv3",
    "projection": "conv4",
}
TENGSHAOFENG_GATE: Mapping[str, str] = {"norm1": "0", "conv1": "2", "norm2": "3", "conv2": "5"}


def tengshaofeng_layers(module: ResidualAttention) -> Layers:
    """Yield every layer's name here and in tengshaofeng/ResidualAttentionNetwork-pytorch."""
    yield "stem.conv", "conv1.0"
    yield "stem.norm", "conv1.1"
    for ours, theirs in tengshaofeng_units(module):
        for layer, name in TENGSHAOFENG_UNIT.items():
            yield f"{ours}.{layer}", f"{theirs}.{name}"
    for ours, theirs in _tengshaofeng_modules(module):
        gate = _tengshaofeng_words(module, ours)[-1]
        for layer, name in TENGSHAOFENG_GATE.items():
            yield f"{ours}.mask.gate.{layer}", f"{theirs}.{gate}.{name}"
    yield "norm", "mpool2.0"
    yield "classifier", "fc"


def tengshaofeng_units(module: ResidualAttention) -> Layers:
    """Yield every unit's name here and there, in the order of the forward pass."""
    number = _first_number(module)
    for s, stage in enumerate(stages_of(module)):
        yield f"stages.{s}.transition", f"residual_block{number}"
        number += 1
        for c, _ in enumerate(stage.closing):
            yield f"stages.{s}.closing.{c}", f"residual_block{number}"
            number += 1
    for ours, theirs in _tengshaofeng_modules(module):
        for unit, name in _tengshaofeng_module_units(module, ours):
            yield f"{ours}.{unit}", f"{theirs}.{name}"


def _first_number(module: ResidualAttention) -> int:
    """Return the number of the first stage; a fifth one, for 448x448, was put in front as 0."""
    return 0 if len(module.stages) > 4 else 1


def _tengshaofeng_modules(module: ResidualAttention) -> Layers:
    for s, stage in enumerate(stages_of(module)):
        for m, _ in enumerate(stage.attention):
            theirs = f"attention_module{s + _first_number(module)}"
            yield f"stages.{s}.attention.{m}", theirs if m == 0 else f"{theirs}_{m + 1}"


def _tengshaofeng_module_units(module: ResidualAttention, ours: str) -> Layers:
    words = iter(_tengshaofeng_words(module, ours))
    levels = range(len(_attention_module(module, ours).mask.down))
    yield "first.0", "first_residual_blocks"
    yield "trunk.0", "trunk_branches.0"
    yield "trunk.1", "trunk_branches.1"
    for i in levels:
        yield f"mask.down.{i}.0", next(words)
        yield f"mask.skip.{i}", f"skip{i + 1}_connection_residual_block"
    bottom = next(words)
    yield "mask.bottom.0", f"{bottom}.0"
    yield "mask.bottom.1", f"{bottom}.1"
    for i in reversed(levels):
        yield f"mask.up.{i}.0", next(words)
    yield "last.0", "last_blocks"


def _tengshaofeng_words(module: ResidualAttention, ours: str) -> list[str]:
    """Return the names of a mask's parts: down, bottom, up, gate.

    The ImageNet masks number them through, those for 32x32 pictures (whose first convolution has
    stride 1) have words.
    """
    levels = len(_attention_module(module, ours).mask.down)
    if module.feature_strides[0] > 2:
        return [f"softmax{i + 1}_blocks" for i in range(2 * levels + 2)]
    down = [f"down_residual_blocks{i + 1}" for i in range(levels)]
    up = [f"up_residual_blocks{i + 1}" for i in reversed(range(levels))]
    return [*down, "middle_2r_blocks", *up, "conv1_1_blocks"]


def _attention_module(module: ResidualAttention, name: str) -> AttentionModule:
    found = module.get_submodule(name)
    assert isinstance(found, AttentionModule)
    return found


def unused_projections(module: ResidualAttention) -> frozenset[str]:
    """Return tengshaofeng's keys that no forward pass reads.

    Every unit there holds a projection, also those whose shortcut is the identity.
    """
    return frozenset(
        f"{theirs}.conv4.weight"
        for ours, theirs in tengshaofeng_units(module)
        if getattr(module.get_submodule(ours), "projection", None) is None
    )


# --------------------------------------------------------------------------- the table


def stages_of(module: ResidualAttention) -> Iterator[AttentionStage]:
    """Yield the stages with their type, which ``nn.ModuleList`` forgets."""
    for stage in module.stages:
        assert isinstance(stage, AttentionStage)
        yield stage


def _rename(
    state: Mapping[str, Tensor],
    module: nn.Module,
    layers: Callable[[ResidualAttention], Layers],
) -> dict[str, Tensor]:
    """Return ``state`` in edgezoo's names; what is in no map keeps its name, to be reported."""
    if not isinstance(module, ResidualAttention):
        return dict(state)
    names = {theirs: ours for ours, theirs in layers(module)}
    renamed = {}
    for key, tensor in state.items():
        layer, _, leaf = key.rpartition(".")
        renamed[f"{names[layer]}.{leaf}" if layer in names else key] = tensor
    return renamed


def _from_fwang91(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    return _rename(state, module, fwang91_layers)


def _from_tengshaofeng(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    if isinstance(module, ResidualAttention):
        unused = unused_projections(module)
        state = {key: tensor for key, tensor in state.items() if key not in unused}
    return _rename(state, module, tengshaofeng_layers)


NAMINGS: tuple[Naming, ...] = (
    Naming(
        "fwang91",
        lambda state: "mods.conv1/bn.weight" in state,
        _from_fwang91,
        {"extra_adds": False},
        "residual_attention",
    ),
    Naming(
        "tengshaofeng",
        lambda state: "attention_module1.first_residual_blocks.bn1.weight" in state,
        _from_tengshaofeng,
        {"extra_adds": True},
        "residual_attention",
    ),
)
