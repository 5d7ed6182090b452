"""First and second moments of what each convolution multiplies its weights with.

A layer's inputs are seen as patches: (groups, inputs per group) numbers for each output position, in the
order of the weight's axes. A few random positions per photo are enough, so memory and time stay
bounded by the layer, not by the photos.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import cast

import torch
from torch import Tensor

from edgezoo.graph.attrs import Conv2d
from edgezoo.graph.graph import Graph, Node, Value

FEWEST_POSITIONS, MOST_POSITIONS = 12, 64  # sampled per photo and layer
MOST_PRODUCTS = 2**23  # 32 MB: of a layer with more, only the mean is kept


@dataclass(slots=True)
class Moments:
    """Sums over patches less ``centre``: ``total`` (groups, inputs) and ``products`` (groups, inputs,
    inputs), which is ``None`` for layers too wide to hold it.

    ``centre`` is the mean of the first patches: float32 sums of squares about 0 would drown the
    variance of an input that hardly changes.
    """

    count: int
    total: Tensor
    products: Tensor | None
    centre: Tensor | None = None

    def add(self, patches: Tensor) -> None:
        """Take in patches (positions, groups, inputs)."""
        if self.centre is None:
            self.centre = patches.mean(0)
        patches = patches - self.centre
        self.count += len(patches)
        self.total += patches.sum(0)
        groups, inputs = self.total.shape
        if self.products is None:
            return
        if groups > inputs:  # depthwise: few inputs, so vectorise over the groups
            by_channel = patches.transpose(1, 2).contiguous()
            for index in range(inputs):  # the upper triangle; ``covariance`` mirrors it
                products = (by_channel[:, index:] * by_channel[:, index : index + 1]).sum(0)
                self.products[:, index, index:] += products.T
        else:
            self.products.baddbmm_(patches.permute(1, 2, 0), patches.transpose(0, 1))

    def mean(self) -> Tensor:
        """Return the mean patch (groups, inputs)."""
        offset = self.total / max(self.count, 1)
        return offset if self.centre is None else self.centre + offset

    def covariance(self) -> Tensor | None:
        """Return the covariance of patches (groups, inputs, inputs), if their products were kept."""
        if self.products is None:
            return None
        mean = self.total / max(self.count, 1)
        groups, inputs = self.total.shape
        if groups > inputs:
            upper = torch.triu(self.products, 1)
            self.products = torch.triu(self.products) + upper.transpose(1, 2)
        return self.products / max(self.count, 1) - mean.unsqueeze(2) * mean.unsqueeze(1)


def layer_shape(graph: Graph, node: Node) -> tuple[int, int]:
    """Return (groups, inputs per group) of a convolution's or linear layer's patches."""
    inputs = prod(graph.shape(node.inputs[1])[1:])
    return (node.attrs.groups if isinstance(node.attrs, Conv2d) else 1), inputs


def new_moments(graph: Graph, node: Node) -> Moments:
    """Return empty sums for a layer."""
    groups, inputs = layer_shape(graph, node)
    few = groups * inputs**2 <= MOST_PRODUCTS
    products = torch.zeros(groups, inputs, inputs) if few else None
    return Moments(0, torch.zeros(groups, inputs), products)


class MomentWatch:
    """Collects the moments of every layer of a graph while the interpreter runs it.

    ``layers`` are the nodes to watch; positions are drawn from ``seed``.
    """

    def __init__(self, graph: Graph, layers: Iterable[Node], seed: int = 0) -> None:
        self.graph = graph
        self.readers: dict[str, list[Node]] = {}
        for node in layers:
            self.readers.setdefault(node.inputs[0], []).append(node)
        self.moments = {
            node.output: new_moments(graph, node)
            for nodes in self.readers.values()
            for node in nodes
        }
        self._generator = torch.Generator().manual_seed(seed)

    def take(self, value: Value, tensor: Tensor) -> None:
        """Take in one value of one run."""
        for node in self.readers.get(value.name, ()):
            patches = sample_patches(self.graph, node, tensor, self._generator)
            self.moments[node.output].add(patches)


def sample_patches(graph: Graph, node: Node, x: Tensor, generator: torch.Generator) -> Tensor:
    """Return patches (positions, groups, inputs) of ``x`` (n, c, h, w), at random output positions."""
    groups, inputs = layer_shape(graph, node)
    if node.op == "linear":
        rows = x.reshape(-1, inputs)
        return rows[_choose(len(rows), inputs, generator)].unsqueeze(1)
    windows = _windows(graph, node, x, generator)
    grouped = windows.reshape(*windows.shape[:4], groups, -1)
    # (n, positions, kh, kw, groups, c/groups) in the order of the weight's axes
    ordered = grouped.permute(0, 1, 4, 5, 2, 3)
    return ordered.reshape(-1, groups, inputs)


def _windows(graph: Graph, node: Node, x: Tensor, generator: torch.Generator) -> Tensor:
    """Return windows (n, positions, kh, kw, c): zeros outside, and only what was sampled is copied."""
    attrs = cast(Conv2d, node.attrs)
    out_height, out_width = graph.shape(node.output)[2:]
    kernel = graph.shape(node.inputs[1])[2:]
    chosen = _choose(out_height * out_width, layer_shape(graph, node)[1], generator)
    rows = _taps(chosen // out_width, attrs.stride[0], attrs.dilation[0], kernel[0])
    columns = _taps(chosen % out_width, attrs.stride[1], attrs.dilation[1], kernel[1])
    rows, columns = rows - attrs.padding[0], columns - attrs.padding[2]
    height, width = x.shape[2:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None, :
    ]
    pixels = x.permute(0, 2, 3, 1)
    found = pixels[
        :, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]
    ]
    return found if bool(inside.all()) else found * inside[..., None]


def _taps(starts: Tensor, stride: int, dilation: int, kernel: int) -> Tensor:
    """Return the padded coordinates (positions, kernel) that each window reads along one axis."""
    return starts[:, None] * stride + torch.arange(kernel) * dilation


def _choose(count: int, inputs: int, generator: torch.Generator) -> Tensor:
    positions = min(max(inputs // 8, FEWEST_POSITIONS), MOST_POSITIONS)
    if count <= positions:
        return torch.arange(count)
    return torch.randint(count, (positions,), generator=generator)
