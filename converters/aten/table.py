"""The table that the handler files fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Handler = Callable[..., Any]
HANDLERS: dict[str, Handler] = {}


H = TypeVar("H", bound=Handler)


def handles(*targets: str) -> Callable[[H], H]:
    """Register a handler for ``aten.<target>``; a second registration is a bug."""

    def register(handler: H) -> H:
        for target in targets:
            key = f"aten.{target}"
            if key in HANDLERS:
                raise ValueError(f"{key} is handled twice")
            HANDLERS[key] = handler
        return handler

    return register
