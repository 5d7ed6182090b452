"""The units, masks and attention modules of the Residual Attention Network (arXiv 1704.06904).

A mask pools its input, works on the small maps and is interpolated back. In the authors' graph the
interpolation takes nothing but the size from its second input; many ports add that input instead
(``extra_adds``), and weights trained with one give nonsense with the other. The authors' max-pools
round up and do not pad (Caffe), those of the ports pad by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.errors import UsageError

CARDINALITY = 32  # groups of a ResNeXt unit
SPATIAL_EPS = 1e-5  # the paper gives none; as batch norm's


class PreActivationUnit(nn.Module):
    """Bottleneck of a pre-activation ResNet; where the shape changes, the shortcut is projected.

    The projection sees what the first convolution sees, the normalised input after its ReLU, and has
    no batch norm. The result is the bare sum: what follows normalises it.
    """

    post_activated = False

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        hidden = out_channels // 4
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, stride=stride, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(hidden)
        self.conv3 = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self.projection: nn.Conv2d | None = None
        if stride != 1 or in_channels != out_channels:
            self.projection = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, ⌈h / stride⌉, ⌈w / stride⌉)."""
        activated = F.relu(self.norm1(x))
        y = F.relu(self.norm2(self.conv1(activated)))
        y = self.conv3(F.relu(self.norm3(self.conv2(y))))
        shortcut = x if self.projection is None else self.projection(activated)
        total: Tensor = y + shortcut
        return total


class ResNeXtUnit(nn.Module):
    """Bottleneck of a ResNeXt: 32 groups, half the width, ReLU after the sum."""

    post_activated = True

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        hidden = out_channels // 2
        self.conv1 = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Conv2d(
            hidden, hidden, 3, stride=stride, padding=1, groups=CARDINALITY, bias=False
        )
        self.norm2 = nn.BatchNorm2d(hidden)
        self.conv3 = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels)
        self.projection: nn.Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.projection = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, ⌈h / stride⌉, ⌈w / stride⌉)."""
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm3(self.conv3(F.relu(self.norm2(self.conv2(y)))))
        shortcut = x if self.projection is None else self.projection(x)
        return F.relu(y + shortcut)


Unit = PreActivationUnit | ResNeXtUnit
UNITS: Mapping[str, type[PreActivationUnit] | type[ResNeXtUnit]] = {
    "pre_activation": PreActivationUnit,
    "resnext": ResNeXtUnit,
}


class HalvingPool(nn.MaxPool2d):
    """A max-pool of stride 2, either in Caffe's way, rounded up without padding, or padded."""

    def __init__(self, kernel: int, *, padded: bool) -> None:
        padding = (kernel - 1) // 2 if padded else 0
        super().__init__(kernel, stride=2, padding=padding, ceil_mode=not padded)
        # With a smaller side, the last window would begin behind the map.
        self.smallest_side = max(1, kernel - 2 * padding - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c, ⌈(h - kernel) / 2⌉ + 1, …), or padded to (n, c, ⌈h / 2⌉, …).

        Raises ``UsageError`` for a map that is too small.
        """
        if min(x.shape[2:]) < self.smallest_side:
            raise UsageError(
                f"a map of {x.shape[2]}x{x.shape[3]} is too small to be halved for an attention "
                "mask; give the network a larger input"
            )
        pooled: Tensor = super().forward(x)
        return pooled


# ---------------------------------------------------------------------------- attention


def channel_attention(x: Tensor) -> Tensor:
    """Return f2 of the paper: (n, c, h, w) scaled to length 1 over the channels of each position."""
    return F.normalize(x, dim=1)


def spatial_attention(x: Tensor) -> Tensor:
    """Return f3: the sigmoid of each channel's map (n, c, h, w) at mean 0 and deviation 1.

    The paper leaves the estimator open; this is the biased variance plus 1e-5.
    """
    centred = x - x.mean((2, 3), keepdim=True)
    variance = x.var((2, 3), correction=0, keepdim=True)
    return (centred / (variance + SPATIAL_EPS).sqrt()).sigmoid()


# Section 3.2, equations 4 to 6: f1, f2, f3.
ATTENTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "mixed": torch.sigmoid,
    "channel": channel_attention,
    "spatial": spatial_attention,
}


def residual_learning(trunk: Tensor, mask: Tensor) -> Tensor:
    """Return (1 + M)·T, equation 3."""
    return trunk + mask * trunk


def naive_learning(trunk: Tensor, mask: Tensor) -> Tensor:
    """Return M·T, equation 1."""
    return mask * trunk


LEARNINGS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "residual": residual_learning,
    "naive": naive_learning,
}


@dataclass(frozen=True, slots=True)
class Design:
    """What all attention modules of a network have in common.

    ``outer_units``, ``trunk_units`` and ``mask_units`` are the paper's p, t and r. ``extra_adds``
    builds the graph of tengshaofeng/ResidualAttentionNetwork-pytorch and its descendants: the maps
    that give interpolations their size are added to them, and max-pools pad by one. Raises
    ``ValueError`` for a word that is not in its table.
    """

    unit: str = "pre_activation"
    outer_units: int = 1
    trunk_units: int = 2
    mask_units: int = 1
    attention: str = "mixed"
    learning: str = "residual"
    extra_adds: bool = False

    def __post_init__(self) -> None:
        for name, table in (("unit", UNITS), ("attention", ATTENTIONS), ("learning", LEARNINGS)):
            value = getattr(self, name)
            if value not in table:
                raise ValueError(f"{name}={value!r} is not one of {', '.join(table)}")

    def make_units(self, width: int, count: int) -> nn.Sequential:
        """Return ``count`` units that keep the shape (n, width, h, w)."""
        return nn.Sequential(*(UNITS[self.unit](width, width) for _ in range(count)))

    @property
    def fresh_growth(self) -> float:
        """About what a module with fresh weights multiplies its trunk's map by, where it grows.

        A sigmoid of numbers around 0 is 1/2, channel attention is around 0. Naive learning makes a
        map smaller, which is the paper's case against it and left as it is.
        """
        return 1.5 if self.learning == "residual" and self.attention != "channel" else 1.0

    def make_pool(self, kernel: int) -> HalvingPool:
        """Return the max-pool, of side ``kernel``, that the network halves its maps with."""
        return HalvingPool(kernel, padded=self.extra_adds)


class Gate(nn.Module):
    """Two pointwise convolutions and the attention function, from the mask's last map to M."""

    def __init__(self, width: int, design: Design) -> None:
        super().__init__()
        # What ResNeXt units leave has been through a ReLU already.
        bare = not UNITS[design.unit].post_activated
        self.norm1 = nn.BatchNorm2d(width) if bare else None
        self.conv1 = nn.Conv2d(width, width, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 1, bias=False)
        self.attention = ATTENTIONS[design.attention]

    def forward(self, x: Tensor) -> Tensor:
        """Return M, of the same shape (n, width, h, w)."""
        if self.norm1 is not None:
            x = F.relu(self.norm1(x))
        return self.attention(self.conv2(F.relu(self.norm2(self.conv1(x)))))


class Mask(nn.Module):
    """The bottom-up top-down branch: ``poolings`` halvings, as many interpolations back.

    Level i works on maps halved i + 1 times, the deepest with twice the units. On the way up each
    level but the deepest adds its own map, taken through a unit of its own. Without poolings the
    units work on the full map.
    """

    def __init__(self, width: int, poolings: int, design: Design) -> None:
        super().__init__()
        count = design.mask_units
        shallow = range(poolings - 1)
        self.down = nn.ModuleList(design.make_units(width, count) for _ in shallow)
        self.bottom = design.make_units(width, 2 * count)
        self.skip = nn.ModuleList(UNITS[design.unit](width, width) for _ in shallow)
        self.up = nn.ModuleList(design.make_units(width, count) for _ in shallow)
        self.gate = Gate(width, design)
        self.pool = design.make_pool(3) if poolings else None
        self.extra_adds = design.extra_adds

    def forward(self, x: Tensor, trunk: Tensor) -> Tensor:
        """Return M of the shape of ``trunk``, (n, width, h, w), which is that of ``x``."""
        if self.pool is None:
            return self._gated(self.bottom(x))
        levels = []
        for units in self.down:
            x = units(self.pool(x))
            levels.append(x)
        x = self.bottom(self.pool(x))
        for level, skip, units in zip(
            reversed(levels), reversed(self.skip), reversed(self.up), strict=True
        ):
            x = units(self._enlarged(x, level) + skip(level))
        return self._gated(self._enlarged(x, trunk))

    def _gated(self, x: Tensor) -> Tensor:
        mask: Tensor = self.gate(x)
        return mask

    def _enlarged(self, x: Tensor, like: Tensor) -> Tensor:
        x = F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=True)
        return x + like if self.extra_adds else x


class AttentionModule(nn.Module):
    """Units, a trunk and its mask, units again; the shape stays (n, width, h, w)."""

    def __init__(self, width: int, poolings: int, design: Design) -> None:
        super().__init__()
        self.first = design.make_units(width, design.outer_units)
        self.trunk = design.make_units(width, design.trunk_units)
        self.mask = Mask(width, poolings, design)
        self.last = design.make_units(width, design.outer_units)
        self.learning = LEARNINGS[design.learning]

    def forward(self, x: Tensor) -> Tensor:
        """Return the map weighted by its mask, of the same shape."""
        x = self.first(x)
        trunk = self.trunk(x)
        weighted: Tensor = self.last(self.learning(trunk, self.mask(x, trunk)))
        return weighted
