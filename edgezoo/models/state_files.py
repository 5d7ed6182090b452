"""State dicts from files, without executing code, and out of what training scripts wrap them in."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from edgezoo.errors import WeightsError
from edgezoo.models.array_files import as_tensor, read_arrays

# All but the last two are what torch.save() wrote, by the endings that people give it.
SUFFIXES = (".pth", ".pt", ".pth.tar", ".pkl", ".ckpt", ".bin", ".safetensors", ".npz")
# Keys under which training scripts wrap a state dict. The averaged weights come first: where a
# checkpoint has both, the published accuracy is theirs (timm reads such files the same way).
WRAPPERS = (
    *("state_dict_ema", "model_ema", "ema_state_dict", "ema"),
    *("state_dict", "model_state_dict", "model", "net"),
)
# What DataParallel, Lightning and torch.compile put in front of every name.
PREFIXES = ("module.", "model.", "net.", "_orig_mod.")
AVERAGED = (
    "n_averaged"  # the counter that torch.optim.swa_utils.AveragedModel saves beside module.*
)
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


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A state dict and what was around it: the enclosing dicts' keys and the prefixes taken off."""

    state: Mapping[str, Tensor] = field(repr=False)
    wrapping: tuple[str, ...] = ()


def read_state_file(path: Path) -> Checkpoint:
    """Return the state dict in a file, on the CPU, out of what training scripts put around it.

    The suffixes are ``SUFFIXES``. Raises ``WeightsError`` for a file that is missing, damaged, of
    another kind, or that would need to run code to load.
    """
    if not path.name.endswith(SUFFIXES):
        raise WeightsError(f"weights file {path} does not end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise WeightsError(f"weights file {path} does not exist; give the path of an existing file")
    if path.suffix == ".npz":
        return unwrap(read_arrays(path), f"weights file {path}")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    return unwrap(content, f"weights file {path}")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"weights file {path} is damaged or no safetensors file ({_reason(error)}); "
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
        f"weights file {path} is damaged or no PyTorch file ({_reason(error)}); "
        "download or save it again"
    )


def _reason(error: Exception) -> str:
    """Return the first sentence that an error says of the file itself.

    torch's unpickler puts advice in front of it, to load the file all the same.
    """
    text = str(error).rpartition("WeightsUnpickler error:")[2].strip()
    sentence = re.split(r"\.\s|\n", text)[0].strip().rstrip(".")[:160]
    return sentence if " " in sentence else type(error).__name__  # a bare key tells nothing


# --------------------------------------------------------------------------- wrappings


def unwrap(content: object, what: str) -> Checkpoint:
    """Return the state dict inside ``content``; ``what`` names it in the message.

    NumPy's arrays become tensors. Raises ``WeightsError`` where there is none.
    """
    wrapping: list[str] = []
    while isinstance(content, Mapping):
        key = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if key is None:
            break
        content = content[key]
        wrapping.append(key)
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(
            f"{what} holds no state dict but {_describe(content)}; save the module's state_dict()"
        )
    values = {str(key): as_tensor(value) for key, value in content.items()}
    state = {key: value for key, value in values.items() if isinstance(value, Tensor)}
    others = [key for key in values if key not in state]
    if others:
        shown = ", ".join(others[:10]) + (", …" if len(others) > 10 else "")
        raise WeightsError(
            f"{what} holds no plain state dict: {shown} are no tensors; "
            "save the module's state_dict()"
        )
    return Checkpoint(state, tuple(wrapping))


def _describe(content: object) -> str:
    return "an empty dict" if isinstance(content, Mapping) else f"a {type(content).__name__}"


def strip_prefixes(checkpoint: Checkpoint, wanted: Iterable[str] = ()) -> Checkpoint:
    """Take off prefixes that all names share, as long as no ``wanted`` name starts with them."""
    state, wrapping = dict(checkpoint.state), list(checkpoint.wrapping)
    kept = tuple(wanted)
    while (prefix := _shared_prefix(state)) and not any(key.startswith(prefix) for key in kept):
        state.pop(AVERAGED, None)
        state = {key.removeprefix(prefix): value for key, value in state.items()}
        wrapping.append(prefix)
    return Checkpoint(state, tuple(wrapping))


def _shared_prefix(state: Mapping[str, Tensor]) -> str | None:
    keys = [key for key in state if key != AVERAGED]
    return next((p for p in PREFIXES if keys and all(key.startswith(p) for key in keys)), None)
