"""Small networks that the reference runs build in fresh processes, good ones and bad ones."""

import os

import torch
from torch import Tensor, nn

SHAPE = (1, 3, 16, 16)


def small() -> nn.Module:
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))


def infinite() -> nn.Module:
    """Finite in float32, beyond float16's 65504."""

    class Large(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * 300) * 300 * 300

    return Large()


def cancelling() -> nn.Module:
    """Far from float32 in bfloat16: what is added is under the rounding of what it is added to."""

    class Cancelling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x + 4096.0) - 4096.0

    return Cancelling()


def raising() -> nn.Module:
    class Raising(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise TypeError("no forward today")

    return Raising()


def broken_graph() -> nn.Module:
    """Runs eager; torch.compile cannot take it whole."""

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            torch._dynamo.graph_break()
            return x + 1

    return Broken()


def other_every_time() -> nn.Module:
    layer = nn.Linear(768, 2)
    with torch.no_grad():
        layer.bias[0] = float(int.from_bytes(os.urandom(8), "big"))
    return nn.Sequential(nn.Flatten(), layer)


def pair() -> nn.Module:
    """Two outputs, one of integers, one of rank 1."""

    class Pair(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            flat = x.flatten(1)
            return {"classes": flat.argmax(1), "means": flat.mean(1)}

    return Pair()
