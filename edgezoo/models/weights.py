"""State dicts from files, fitted into modules whatever naming they come in.

Files are loaded without executing code. A file that does not fit is refused as a whole: the message
lists every key that is missing, unexpected or of another shape, and the module stays untouched.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from edgezoo.errors import WeightsError
from edgezoo.models import namings_residual_attention
from edgezoo.models.naming import Naming

SUFFIXES = (".pth", ".pt", ".safetensors")
# Keys under which training scripts wrap a state dict. The averaged weights come first: where a
# checkpoint has both, the published accuracy is theirs (timm reads such files the same way).
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
# What torch's unpickler was seen to raise on damaged bytes.
DAMAGE = (
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    struct.error,
)
PREFIX = "module."  # left by DataParallel


def load_state_file(path: Path) -> dict[str, Tensor]:
    """Return the state dict in a ``.pth``, ``.pt`` or ``.safetensors`` file, on the CPU.

    Unwraps what training scripts put around it. Raises ``WeightsError`` for a file that is missing,
    damaged, of another kind, or that would need to run code to load.
    """
    if path.suffix not in SUFFIXES:
        raise WeightsError(f"weights file {path} does not end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise WeightsError(f"weights file {path} does not exist; give the path of an existing file")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    return _unwrap(content, path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"weights file {path} is damaged or no safetensors file ({_first_line(error)}); "
            "download it again"
        ) from error


def _read_torch(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            # On damaged bytes torch guesses at newer pickle protocols before it gives up.
            warnings.simplefilter("ignore")
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if code:
            raise WeightsError(
                f"weights file {path} needs to run code to load ({code[1]}), "
                "which edgezoo refuses; save the module's state_dict() instead"
            ) from error
        raise _damaged(path, error) from error
    except DAMAGE as error:
        raise _damaged(path, error) from error
    return content


def _damaged(path: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"weights file {path} is damaged or no PyTorch file ({_first_line(error)}); "
        "download or save it again"
    )


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".")[:160] if lines else type(error).__name__


def _unwrap(content: object, path: Path) -> dict[str, Tensor]:
    while isinstance(content, Mapping):
        inner = next((content[key] for key in WRAPPERS if _is_dict(content.get(key))), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(
            f"weights file {path} holds no state dict but {_describe(content)}; "
            "save the module's state_dict()"
        )
    others = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise WeightsError(
            f"weights file {path} holds no plain state dict: {_listed(others)} are no tensors; "
            "save the module's state_dict()"
        )
    state = {str(key): value for key, value in content.items()}
    if all(key.startswith(PREFIX) for key in state):
        state = {key.removeprefix(PREFIX): value for key, value in state.items()}
    return state


def _is_dict(value: object) -> bool:
    return isinstance(value, Mapping)


def _describe(content: object) -> str:
    return "an empty dict" if isinstance(content, Mapping) else f"a {type(content).__name__}"


def _listed(names: list[str]) -> str:
    return ", ".join(names)


# ------------------------------------------------------------------------------ namings


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
    """Rename lukemelas' EfficientNet-PyTorch keys to timm's; unknown keys keep their name.

    It numbers the blocks through, timm by stage, so the module tells where a stage ends.
    """
    stages = module.get_submodule("blocks") if hasattr(module, "blocks") else nn.Sequential()
    places = [f"{s}.{b}" for s, stage in stages.named_children() for b, _ in stage.named_children()]
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


NAMINGS: tuple[Naming, ...] = (
    Naming(
        "lukemelas",
        lambda state: "_conv_stem.weight" in state,
        _from_lukemelas,
        {"flavour": "tf"},
    ),
    *namings_residual_attention.NAMINGS,
)
NATIVE = Naming("native", lambda state: True, lambda state, module: dict(state))


def recognise(state: Mapping[str, Tensor]) -> Naming:
    """Return the naming that ``state`` is in; ``NATIVE`` (edgezoo's own) where no other matches."""
    return next((naming for naming in NAMINGS if naming.recognise(state)), NATIVE)


# ------------------------------------------------------------------------------ fitting


def fit_state_dict(module: nn.Module, state: Mapping[str, Tensor], *, source: str) -> None:
    """Load ``state`` into ``module``, translating the naming; all of it or nothing.

    Missing ``num_batches_tracked`` counters become 0. Raises ``WeightsError`` listing all missing,
    unexpected and mis-shaped keys, or naming the first tensor that holds NaN or infinity;
    ``source`` names the weights in the message.
    """
    fitted = recognise(state).translate(state, module)
    target = module.state_dict()
    for key, tensor in target.items():
        if key.endswith("num_batches_tracked") and key not in fitted:
            fitted[key] = torch.zeros_like(tensor)
    problems = _mismatches(fitted, target)
    if problems:
        raise WeightsError(
            f"weights {source} do not fit {type(module).__name__}: {'; '.join(problems)}; "
            "give the weights of this network"
        )
    for key, tensor in fitted.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"weights {source} hold NaN or infinity in {key}; give an undamaged file"
            )
    module.load_state_dict(fitted)


def _mismatches(state: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> list[str]:
    missing = [key for key in target if key not in state]
    unexpected = [key for key in state if key not in target]
    misshaped = [
        f"{key} {_kind(state[key])} instead of {_kind(tensor)}"
        for key, tensor in target.items()
        if key in state and _kind(state[key]) != _kind(tensor)
    ]
    lists = (("missing", missing), ("unexpected", unexpected), ("mis-shaped", misshaped))
    return [f"{len(keys)} {what} ({_listed(keys)})" for what, keys in lists if keys]


def _kind(tensor: Tensor) -> str:
    """Describe what must agree: shape, and whether the values are floating point."""
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    return shape if tensor.is_floating_point() else f"{shape} of integers"


def state_sha256(module: nn.Module) -> str:
    """Return the SHA-256 over name, dtype, shape and bytes of every tensor of the state dict."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
