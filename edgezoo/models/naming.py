"""What a convention for parameter names is; each family's are in its own file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Naming:
    """A convention for parameter names: how to recognise it and how to translate it.

    ``options`` are the builder's options that files of this naming were always trained with.
    """

    name: str
    recognise: Callable[[Mapping[str, Tensor]], bool]
    translate: Callable[[Mapping[str, Tensor], nn.Module], dict[str, Tensor]]
    options: Mapping[str, Any] = field(default_factory=dict)
