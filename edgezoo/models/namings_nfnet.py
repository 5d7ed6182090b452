"""Names in DeepMind's Haiku checkpoints of NFNet; edgezoo's are timm's.

The parameter tree is ``{"NFNet/~/nf_block_1/~/conv0": {"w": …}}``; flattened, its keys are joined
with "/" or, by DeepMind's ``flatten_haiku_tree``, with ".", and "~" is kept or dropped
(github.com/google-deepmind/deepmind-research, nfnets/utils.py). Convolutions are (kh, kw, in, out),
linear layers (in, out), gains (out,).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from edgezoo.models.naming import Naming, block_places

TOP = {
    "stem_conv0": "stem.conv1",
    "stem_conv1": "stem.conv2",
    "stem_conv2": "stem.conv3",
    "stem_conv3": "stem.conv4",
    "final_conv": "final_conv",
    "linear": "head.fc",
}
BLOCK = {
    "conv0": "conv1",
    "conv1": "conv2",
    "conv1b": "conv2b",
    "conv2": "conv3",
    "conv_shortcut": "downsample.conv",
    "squeeze_excite/linear": "attn_last.fc1",
    "squeeze_excite/linear_1": "attn_last.fc2",
}
LEAVES = {"w": "weight", "b": "bias", "bias": "bias", "gain": "gain"}


def _parts(key: str) -> list[str]:
    """Split a key at "/" and "." into layers and parameter, without "~" and the network's name."""
    parts = [part for part in re.split(r"[/.]", key) if part not in ("", "~")]
    return parts[1:] if parts[0].lower().startswith("nf") and parts[0][:8] != "nf_block" else parts


def _rename(parts: list[str], places: list[str]) -> str | None:
    *layers, leaf = parts
    block = re.fullmatch(r"nf_block(?:_(\d+))?", layers[0]) if layers else None
    if not block:
        top = TOP.get("/".join(layers))
        return f"{top}.{LEAVES[leaf]}" if top and leaf in LEAVES else None
    index, inner = int(block[1] or 0), "/".join(layers[1:])
    if index >= len(places):
        return None
    if not inner and leaf == "skip_gain":
        return f"stages.{places[index]}.skipinit_gain"
    if inner not in BLOCK or leaf not in LEAVES:
        return None
    return f"stages.{places[index]}.{BLOCK[inner]}.{LEAVES[leaf]}"


def _arrange(name: str, tensor: Tensor) -> Tensor:
    """Return a Haiku array with its axes in PyTorch's order."""
    if name.endswith(".gain"):
        return tensor.reshape(-1, 1, 1, 1)
    if name.endswith(".weight") and tensor.ndim == 4:
        return tensor.permute(3, 2, 0, 1)
    if name.endswith(".weight") and tensor.ndim == 2:
        # The attention's linear layers are 1x1 convolutions here.
        return tensor.T if name == "head.fc.weight" else tensor.T[:, :, None, None]
    return tensor


def _from_haiku(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Rename and transpose DeepMind's arrays; unknown keys stay as they are, to be reported."""
    places = block_places(module, "stages")
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = _rename(_parts(key), places)
        renamed[name or key] = _arrange(name, tensor) if name else tensor
    return renamed


def _is_haiku(state: Mapping[str, Tensor]) -> bool:
    return any(re.search(r"(^|[/.])stem_conv0[/.](~[/.])?w$", key) for key in state)


NAMINGS: tuple[Naming, ...] = (
    Naming("deepmind", _is_haiku, _from_haiku, {"flavour": "dm"}, "nfnet"),
)
