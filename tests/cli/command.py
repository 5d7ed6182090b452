"""What the tests of the command line share: how one ends, and a user's small networks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHAPE = "1x3x32x32"
NETWORKS = '''
import ctypes, os
import torch
from torch import nn

def net():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )

def other():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(3600, 10))

def wide_grey():
    layers = [nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(8, 10))

def large():
    """34 MB, so that writing takes a while."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 2800))

def loud():
    print("printed by Python")
    os.write(1, b"written to descriptor 1\\n")
    ctypes.CDLL(None).printf(b"printed by C\\n")
    return net()

def not_a_number():
    module = net()
    with torch.no_grad():
        module[2].weight[0, 0, 0, 0] = float("nan")
    return module

class Strange(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(Sorted())
        self.second = Transformed()

    def forward(self, x):
        return self.second(self.first(x))

class Sorted(nn.Module):
    def forward(self, x):
        return torch.sort(x, dim=-1).values

class Transformed(nn.Module):
    def forward(self, x):
        return torch.fft.fft(x).real

class Picky(nn.Module):
    def forward(self, x):
        assert x.shape[-1] == 224, "made for 224 pixels"
        return x

def scripted():
    return torch.jit.script(net())

class Broken(nn.Module):
    def forward(self, x):
        return nn.functional.conv2d(x, torch.zeros(8, 5, 3, 3))
'''


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]


def snapshot(folder: Path) -> dict[str, Any]:
    """Return what would show a change: every path with its bytes and time of writing."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        if path.is_file()
        else None
        for path in sorted(folder.rglob("*"))
    }
