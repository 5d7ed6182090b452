"""The table of namings; a new one is one entry here or in its family's file.

edgezoo's own names are timm's for EfficientNet, MnasNet and NFNet and megvii's for ShuffleNet, so
files of those need no translation; they are recognised as ``native``.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from edgezoo.models import namings_efficientnet, namings_nfnet, namings_residual_attention
from edgezoo.models.naming import Naming, same_names
from edgezoo.models.state_files import Checkpoint

NATIVE = Naming("native", lambda state: True, same_names)
NAMINGS: tuple[Naming, ...] = (
    *namings_efficientnet.NAMINGS,
    *namings_nfnet.NAMINGS,
    *namings_residual_attention.NAMINGS,
    # megvii's files have edgezoo's names. Its training script wraps them so, which a bare state dict
    # saved from edgezoo's module is not.
    Naming(
        "megvii",
        lambda state: "first_conv.0.weight" in state and "branch_main_1" in " ".join(state),
        same_names,
        {"shuffle": "megvii"},
        "shufflenet",
        wrapped_in=("state_dict", "module."),
    ),
)


def recognise(checkpoint: Checkpoint) -> Naming:
    """Return the naming of a state dict without prefixes; ``NATIVE`` where no other matches."""
    for naming in NAMINGS:
        wrapped = checkpoint.wrapping[-len(naming.wrapped_in) :] if naming.wrapped_in else ()
        if wrapped == naming.wrapped_in and naming.recognise(checkpoint.state):
            return naming
    return NATIVE


def named(name: str, state: Mapping[str, Tensor]) -> Naming | None:
    """Return the naming called ``name`` that fits the keys of ``state``, whatever it is wrapped in."""
    candidates = [naming for naming in (*NAMINGS, NATIVE) if naming.name == name]
    return next((naming for naming in candidates if naming.recognise(state)), None)
