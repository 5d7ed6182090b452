"""JSON back to the nouns, following their type annotations; the inverse of ``types.to_json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def from_json(noun: type[T], data: Any, place: str = "") -> T:  # Any: parsed JSON
    """Return the JSON ``data`` as the dataclass ``noun``, the inverse of ``to_json``.

    Unknown keys are ignored (a newer edgezoo may write more), absent ones take the field's
    default. Raises ``ValueError`` that names the place where the data does not fit.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{place or noun.__name__} must be an object, not {_shown(data)}")
    hints = _hints(noun)  # type: ignore[arg-type]  # mypy: type variables are not hashable
    values: dict[str, Any] = {}  # Any: field types are known at run time only
    for item in fields(noun):  # type: ignore[arg-type]  # T is a dataclass, which typing cannot say
        where = f"{place}.{item.name}" if place else item.name
        if item.name in data:
            values[item.name] = _typed(hints[item.name], data[item.name], where)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ValueError(f"{where} is missing")
    return noun(**values)


@cache
def _hints(noun: type) -> Mapping[str, Any]:
    return get_type_hints(noun)


def _typed(hint: Any, value: Any, place: str) -> Any:  # Any: follows run-time annotations
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        return _typed(next(a for a in arguments if a is not NoneType), value, place)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{place} must be one of {', '.join(arguments)}, not {_shown(value)}")
        return value
    if origin is tuple:
        return _typed_tuple(arguments, value, place)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError(f"{place} must be an object, not {_shown(value)}")
        return {key: _typed(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    if is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value, place)
    return _typed_scalar(hint, value, place)


def _typed_tuple(arguments: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{place} must be a list, not {_shown(value)}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        raise ValueError(f"{place} must hold {len(arguments)} values, not {len(value)}")
    pairs = enumerate(zip(arguments, value, strict=True))
    return tuple(_typed(hint, item, f"{place}[{index}]") for index, (hint, item) in pairs)


def _typed_scalar(hint: Any, value: Any, place: str) -> Any:
    if hint is Any:
        return value
    accepted: Any = {float: (int, float), Path: str}.get(hint, hint)
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{place} must be {hint.__name__}, not {_shown(value)}")
    try:
        typed = hint(value)
    except OverflowError as error:  # a whole number that no float can hold
        raise ValueError(f"{place} must be finite, not {_shown(value)}") from error
    if hint is float and not math.isfinite(typed):
        raise ValueError(f"{place} must be finite, not {value}")
    return typed


def _shown(value: object) -> str:
    return "null" if value is None else repr(value)[:40]
