"""First and second moments of what each convolution multiplies its weights with.

A layer's inputs are seen as patches: (groups, inputs per group) numbers for each output position, in the
order of the weight's axes. A few random positions per photo are enough, so memory and time stay
bounded by the layer, not by the photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from edgezoo.graph.attrs import Conv2d
from edgezoo.graph.graph import Graph, Node

POSITIONS = 48  # sampled per photo and layer


@dataclass(slots=True)
class Moments:
    """Sums over patches: ``total`` (groups, inputs), ``products`` (groups, inputs, inputs)."""

    count: int
    total: Tensor
    products: Tensor

    def add(self, patches: Tensor) -> None:
        """Take in patches (groups, positions, inputs)."""
        self.count += patches.shape[1]
        self.total += patches.sum(1)
        self.products.baddbmm_(patches.transpose(1, 2), patches)

    def mean(self) -> Tensor:
        """Return the mean patch (groups, inputs)."""
        return self.total / self.count

    def covariance(self) -> Tensor:
        """Return the covariance of patches (groups, inputs, inputs)."""
        mean = self.mean()
        return self.products / self.count - mean.unsqueeze(2) * mean.unsqueeze(1)


def layer_shape(graph: Graph, node: Node) -> tuple[int, int]:
    """Return (groups, inputs per group) of a convolution's or linear layer's patches."""
    shape = graph.shape(node.inputs[1])
    inputs = 1
    for size in shape[1:]:
        inputs *= size
    return (node.attrs.groups if isinstance(node.attrs, Conv2d) else 1), inputs


def new_moments(graph: Graph, node: Node) -> Moments:
    """Return empty sums for a layer."""
    groups, inputs = layer_shape(graph, node)
    return Moments(0, torch.zeros(groups, inputs), torch.zeros(groups, inputs, inputs))


def sample_patches(graph: Graph, node: Node, x: Tensor, generator: torch.Generator) -> Tensor:
    """Return patches (groups, positions, inputs) of ``x``, at random output positions."""
    if node.op == "linear":
        rows = x.reshape(1, -1, x.shape[-1])
        return rows[:, _choose(rows.shape[1], generator)]
    attrs = cast(Conv2d, node.attrs)
    out_height, out_width = graph.shape(node.output)[2:]
    _, inputs_per_group, kernel_height, kernel_width = graph.shape(node.inputs[1])
    chosen = _choose(out_height * out_width, generator)
    top, bottom, left, right = attrs.padding
    padded = F.pad(x, (left, right, top, bottom)) if any(attrs.padding) else x
    rows = _taps(chosen // out_width, attrs.stride[0], attrs.dilation[0], kernel_height)
    columns = _taps(chosen % out_width, attrs.stride[1], attrs.dilation[1], kernel_width)
    # (n, c, positions, kh, kw) by indexing, so that only sampled windows are ever copied
    windows = padded[:, :, rows[:, :, None], columns[:, None, :]]
    n, c, positions = windows.shape[:3]
    grouped = windows.reshape(n, attrs.groups, inputs_per_group, positions, -1)
    return grouped.permute(1, 0, 3, 2, 4).reshape(attrs.groups, n * positions, -1)


def _taps(starts: Tensor, stride: int, dilation: int, kernel: int) -> Tensor:
    """Return the padded coordinates (positions, kernel) that each window reads along one axis."""
    return starts[:, None] * stride + torch.arange(kernel) * dilation


def _choose(count: int, generator: torch.Generator) -> Tensor:
    if count <= POSITIONS:
        return torch.arange(count)
    return torch.randint(count, (POSITIONS,), generator=generator)
