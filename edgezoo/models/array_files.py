"""NumPy archives of weights, read without running what a pickle asks for.

An ``.npz`` is a zip of arrays. The files that DeepMind released under that suffix are pickles of a
Haiku parameter tree instead; of those only dicts, names and plain arrays are read: every class that
the pickle mentions is replaced by a stand-in from the table below, anything else is refused by name.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgezoo.errors import WeightsError

Array = np.ndarray[Any, np.dtype[Any]]

# What zipfile, NumPy and the unpickler were seen to raise on damaged bytes.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    pickle.UnpicklingError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    struct.error,
)
ADVICE = "save plain arrays with numpy.savez(file, **flat_dict)"


def read_arrays(path: Path) -> dict[str, Tensor]:
    """Return the arrays in ``path`` by name; a parameter tree's names are joined with "/".

    Raises ``WeightsError`` for a damaged file, one that would need to run code, and arrays of
    anything but numbers, all of them named.
    """
    if zipfile.is_zipfile(path):
        arrays, refused = _read_archive(path)
    else:
        arrays, refused = _read_tree(path)
    tensors: dict[str, Tensor] = {}
    for name, array in arrays.items():
        tensor = as_tensor(array)
        if isinstance(tensor, Tensor):
            tensors[name] = tensor
        else:
            refused.append(f"{name} ({array.dtype})")
    if refused:
        shown = ", ".join(refused[:10]) + (", …" if len(refused) > 10 else "")
        raise WeightsError(f"weights file {path} holds no plain numbers in {shown}; {ADVICE}")
    return tensors


def as_tensor(value: object) -> object:
    """Return a NumPy array of numbers as a tensor of its own, anything else as it is."""
    if not isinstance(value, np.ndarray):
        return value
    try:
        return torch.from_numpy(np.array(value, value.dtype.newbyteorder("=")))
    except TypeError:
        return value


def _read_archive(path: Path) -> tuple[dict[str, Array], list[str]]:
    arrays: dict[str, Array] = {}
    refused: list[str] = []
    try:
        # The file is opened here: NumPy leaves it open where it finds no archive in it.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            for name in archive.files:
                try:
                    array = archive[name]
                except ValueError as error:
                    if "allow_pickle" not in str(error):
                        raise
                    refused.append(f"{name} (pickled objects)")
                    continue
                if isinstance(array, np.ndarray):
                    arrays[name] = array
                else:
                    refused.append(f"{name} (no array)")
    except DAMAGE as error:
        raise _damaged(path, error) from error
    return arrays, refused


def _damaged(path: Path, error: Exception) -> WeightsError:
    lines = str(error).strip().splitlines()
    reason = lines[0].strip().rstrip(".")[:160] if lines else type(error).__name__
    return WeightsError(
        f"weights file {path} is damaged or no NumPy archive ({reason}); download or save it again"
    )


# ------------------------------------------------------------------- a pickle's arrays


class _Dtype:
    """Stands for ``numpy.dtype``: a kind of number with its byte order."""

    def __init__(self, kind: str, *rest: object) -> None:
        self.kind, self.order = kind, "="

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.order = str(state[1])

    def numpy(self) -> np.dtype[Any]:
        """Return NumPy's type; ``TypeError`` where the elements are no numbers."""
        dtype = np.dtype(self.kind)
        if dtype.kind not in "biuf":
            raise TypeError(f"elements of type {self.kind} are no numbers")
        return dtype.newbyteorder(">" if self.order == ">" else "<")


class _Array:
    """Stands for ``numpy.ndarray`` until the pickle has been read to its end."""

    def __init__(self) -> None:
        self.parts: tuple[tuple[int, ...], _Dtype, bool, bytes] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:  # Any: the file's own values
        _, shape, dtype, fortran, content = state
        self.parts = (tuple(shape), dtype, bool(fortran), content)

    def numpy(self) -> Array:
        """Return the array."""
        if self.parts is None:
            raise ValueError("an array without content")
        shape, dtype, fortran, content = self.parts
        flat = np.frombuffer(content, dtype.numpy())
        return flat.reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: _Dtype, content: bytes) -> _Array:
    array = _Array()
    array.parts = ((), dtype, False, content)
    return array


def _from_buffer(content: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.parts = (shape, dtype, order == "F", bytes(content))
    return array


STAND_INS: Mapping[str, Callable[..., object]] = {
    "multiarray._reconstruct": lambda *ignored: _Array(),
    "multiarray.scalar": _scalar,
    "numeric._frombuffer": _from_buffer,
    "numpy.ndarray": _Array,
    "numpy.dtype": _Dtype,
}


class _NeedsCodeError(Exception):
    """The pickle mentions a class or function that is not in the table."""


class _ArraysOnly(pickle._Unpickler):  # in Python: the one in C reserves gigabytes on damaged bytes
    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for ``module.name``; nothing is ever imported."""
        short = f"{module}.{name}".removeprefix("numpy.core.").removeprefix("numpy._core.")
        if short not in STAND_INS:
            raise _NeedsCodeError(f"{module}.{name}")
        return STAND_INS[short]


def _read_tree(path: Path) -> tuple[dict[str, Array], list[str]]:
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] == b"PK":
                raise zipfile.BadZipFile("the archive breaks off")
            flat = dict(_flatten(_ArraysOnly(file).load(), ()))
    except _NeedsCodeError as error:
        raise WeightsError(
            f"weights file {path} needs to run code to load ({error}), which edgezoo refuses; {ADVICE}"
        ) from error
    except DAMAGE as error:
        raise _damaged(path, error) from error
    arrays: dict[str, Array] = {}
    refused: list[str] = []
    for name, value in flat.items():
        try:
            arrays[name] = value.numpy()
        except TypeError:
            refused.append(name)
        except DAMAGE as error:
            raise _damaged(path, error) from error
    return arrays, refused


def _flatten(tree: object, place: tuple[str, ...]) -> Iterator[tuple[str, _Array]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _flatten(value, (*place, str(key)))
    elif isinstance(tree, _Array):
        yield "/".join(place), tree
    else:
        raise ValueError(f"{'/'.join(place) or 'the file'} is a {type(tree).__name__}, no array")
