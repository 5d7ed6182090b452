"""What a case is: a small network with its input, its own outputs and its captured graph."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from edgezoo.converters.capture import capture
from edgezoo.graph.graph import Graph
from edgezoo.types import Shape
from tests.graph.modules import Apply

PICTURE: Shape = (1, 4, 9, 7)


@dataclass(frozen=True)
class Case:
    """``build`` returns a fresh module for a float32 input of ``input_shape``."""

    name: str
    build: Callable[[], nn.Module] = field(repr=False)
    input_shape: Shape = PICTURE

    def __str__(self) -> str:
        return self.name

    def module(self) -> nn.Module:
        """Return the network in eval mode, the same at every call, with lively statistics."""
        with torch.random.fork_rng():
            torch.manual_seed(zlib.crc32(self.name.encode()))
            module = self.build().eval()
            for part in module.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm):
                    for buffer in (part.running_mean, part.running_var):
                        assert buffer is not None
                        buffer.uniform_(0.5, 2.0)
                if isinstance(part, (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)):
                    for parameter in part.parameters():
                        nn.init.uniform_(parameter, 0.5, 1.5)
        return module

    def inputs(self) -> Tensor:
        """Return one batch of normal noise."""
        generator = torch.Generator().manual_seed(zlib.crc32(self.name.encode()))
        return torch.randn(self.input_shape, generator=generator)

    def expected(self) -> tuple[Tensor, ...]:
        """Return the module's own outputs for ``inputs()``."""
        with torch.no_grad():
            outputs = self.module()(self.inputs())
        return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)

    def graph(self) -> Graph:
        """Return the captured graph; captured once per process."""
        return _captured(self)


@cache
def _captured(case: Case) -> Graph:
    return capture(case.module(), case.input_shape, name="case")


def call(name: str, function: Callable[[Tensor], Any], shape: Shape = PICTURE) -> Case:
    """Return a case of a function of the input alone."""
    return Case(name, lambda: Apply(function), shape)


def layers(name: str, build: Callable[[], tuple[nn.Module, ...]], shape: Shape = PICTURE) -> Case:
    """Return a case of layers in a row."""
    return Case(name, lambda: nn.Sequential(*build()), shape)
