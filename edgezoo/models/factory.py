"""A user's own network, ``package.module:factory``, from the current directory or installed.

What runs here is the user's code, so whatever it raises is reported as one sentence with its cause
chained, not as a bug of edgezoo.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from edgezoo.errors import ModelNotFoundError

if TYPE_CHECKING:
    from torch import nn


def factory_name(module: nn.Module) -> str:
    """Return ``package.module:Class`` for a module object."""
    return f"{type(module).__module__}:{type(module).__qualname__}"


def build_user_module(name: str, seed: int) -> tuple[nn.Module, bool]:
    """Import ``package.module:factory``; return its module, and whether it was built just now.

    The factory draws from ``seed``; torch's global generator is left as it was. An ``nn.Module``
    under that name is taken as it is (``False``): other code may use it too.
    Raises ``ModelNotFoundError`` if it cannot be imported or called, or gives no ``nn.Module``.
    """
    import torch
    from torch import nn

    with _current_directory_on_path(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        factory = _find_attribute(name)
        if isinstance(factory, nn.Module):
            return factory, False
        # Once more: a first import may have drawn numbers, a second one does not.
        torch.manual_seed(seed)
        return _call(factory, name), True


def _call(factory: object, name: str) -> nn.Module:
    from torch import nn

    if not callable(factory):
        raise ModelNotFoundError(
            f"{name} is a {type(factory).__name__}, not a function that returns a torch.nn.Module"
        )
    try:
        module = factory()
    except Exception as error:  # the user's code may raise anything
        raise ModelNotFoundError(
            f"{name}() raised {_describe(error)}; edgezoo calls it without arguments"
        ) from error
    if not isinstance(module, nn.Module):
        raise ModelNotFoundError(
            f"{name}() returned a {type(module).__name__}, not a torch.nn.Module"
        )
    return module


@contextmanager
def _current_directory_on_path() -> Iterator[None]:
    here = os.getcwd()
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)


def _find_attribute(name: str) -> object:
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise ModelNotFoundError(f"{name!r} is not of the form package.module:factory")
    found: object = _import_module(module_name, name)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            public = [entry for entry in dir(found) if not entry.startswith("_")]
            nearest = difflib.get_close_matches(attribute, public, n=3)
            advice = f"; did you mean {' or '.join(nearest)}" if nearest else ""
            raise ModelNotFoundError(f"{module_name} has no attribute {path}{advice}")
        found = getattr(found, attribute)
    return found


def _import_module(module_name: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            hint = "; leave out .py" if module_name.endswith(".py") else ""
            raise ModelNotFoundError(
                f"no module {error.name} to import {name} from, neither installed nor in "
                f"{os.getcwd()}{hint}"
            ) from error
        raise ModelNotFoundError(
            f"importing {module_name} raised {_describe(error)}; install what it needs"
        ) from error
    except Exception as error:  # the user's code may raise anything
        raise ModelNotFoundError(f"importing {module_name} raised {_describe(error)}") from error


def _describe(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
