"""JSON back to frozen dataclasses, following their type annotations; the inverse of ``to_json``.

Unknown keys are ignored (a newer edgezoo may write more), absent ones take the field's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Noun = TypeVar("Noun")


class DecodeError(ValueError):
    """The value at ``place`` (dotted) is not what the noun wants; callers add the file's name."""


def decode(noun: type[Noun], value: object, place: str = "") -> Noun:
    """Return ``value`` (parsed JSON) as the dataclass ``noun``; raises ``DecodeError``."""
    if not isinstance(value, Mapping):
        raise DecodeError(f"{place or noun.__name__} must be an object, not {_kind(value)}")
    hints = get_type_hints(noun)
    given: dict[str, Any] = {}  # Any: the field's type is only known at run time
    for item in fields(noun):  # type: ignore[arg-type]  # every noun is a dataclass
        where = f"{place}.{item.name}" if place else item.name
        if item.name in value:
            given[item.name] = _decode_as(hints[item.name], value[item.name], where)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise DecodeError(f"{where} is missing")
    return noun(**given)


def _decode_as(hint: Any, value: Any, place: str) -> Any:  # Any: follows run-time annotations
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        return _decode_as(next(a for a in arguments if a is not NoneType), value, place)
    if origin is Literal:
        if value not in arguments:
            raise DecodeError(f"{place} must be one of {', '.join(arguments)}, not {value!r}")
        return value
    if origin is tuple:
        return _decode_tuple(arguments, value, place)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise DecodeError(f"{place} must be an object, not {_kind(value)}")
        return {k: _decode_as(arguments[1], v, f"{place}.{k}") for k, v in value.items()}
    if is_dataclass(hint):
        return decode(hint, value, place)  # type: ignore[arg-type]  # a class, never an instance
    return _decode_scalar(hint, value, place)


def _decode_tuple(arguments: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise DecodeError(f"{place} must be a list, not {_kind(value)}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        raise DecodeError(f"{place} must hold {len(arguments)} values, not {len(value)}")
    return tuple(
        _decode_as(hint, item, f"{place}[{index}]")
        for index, (hint, item) in enumerate(zip(arguments, value, strict=True))
    )


def _decode_scalar(hint: Any, value: Any, place: str) -> Any:
    if hint is Any:
        return value
    wanted = {float: (int, float), Path: (str,)}.get(hint, (hint,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and hint is not bool):
        raise DecodeError(f"{place} must be {hint.__name__}, not {_kind(value)}")
    return hint(value)


def _kind(value: object) -> str:
    return "null" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
