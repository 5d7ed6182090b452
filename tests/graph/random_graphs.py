"""Random small graphs over the ops that meet in real networks, to find what no case thought of."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import torch

from edgezoo.converters.builder import Builder, Ref
from edgezoo.graph import attrs as A
from edgezoo.graph.graph import Graph, check, rebuild
from edgezoo.types import Shape

LARGEST = 2000  # elements of a value
Random = np.random.Generator
Grow = Callable[[Builder, Random, Ref], Ref | None]  # None: the op does not fit this value


def random_graph(seed: int, nodes: int) -> Graph:
    """Return a graph of about ``nodes`` nodes; what nobody reads is an output."""
    random = np.random.default_rng(seed)
    builder = Builder("random")
    channels = int(random.choice([1, 2, 3, 4, 6]))
    start: Shape = (int(random.choice([1, 1, 2])), channels, *map(int, random.integers(2, 9, 2)))
    values = [builder.input("input", start)]
    while len(builder.nodes) < nodes:
        x = values[int(random.integers(max(0, len(values) - 3), len(values)))]
        builder.label = "value"
        if random.random() < 0.25:
            grown = _joined(builder, random, x, values)
        else:
            grown = GROWTH[int(random.integers(len(GROWTH)))](builder, random, x)
        if grown is not None and prod(grown.shape) <= LARGEST and len(grown.shape) <= 5:
            values.append(grown)
    read = {name for node in builder.nodes for name in node.inputs}
    outputs = tuple(value.name for value in values[1:] if value.name not in read)
    graph = rebuild(builder.graph(outputs), builder.nodes)
    check(graph)
    return graph


def _constant(random: Random, *shape: int) -> torch.Tensor:
    return torch.from_numpy(random.normal(size=shape).astype(np.float32))


def _joined(b: Builder, random: Random, x: Ref, values: list[Ref]) -> Ref | None:
    """Join two values that fit: by arithmetic, side by side, or as a matrix product."""
    fitting = [y for y in values if _broadcasts(x.shape, y.shape)]
    y = fitting[int(random.integers(len(fitting)))]
    choice = random.random()
    if choice < 0.5:
        op = str(random.choice(["add", "sub", "mul", "maximum", "minimum"]))
        return b.emit(op, *((x, y) if random.random() < 0.5 else (y, x)))
    if choice < 0.8:
        axis = int(random.integers(len(x.shape)))
        same = [y for y in values if _without(y.shape, axis) == _without(x.shape, axis)]
        return b.emit("concat", x, same[int(random.integers(len(same)))], attrs=A.Axis(axis))
    rank = len(x.shape)
    if rank < 2:
        return None
    order = (*range(rank - 2), rank - 1, rank - 2)
    return b.emit("matmul", x, b.emit("permute", x, attrs=A.Permute(order)))


def _broadcasts(first: Shape, second: Shape) -> bool:
    return len(first) == len(second) and all(
        a == b or 1 in (a, b) for a, b in zip(first, second, strict=True)
    )


def _without(shape: Shape, axis: int) -> Shape | None:
    return (*shape[:axis], *shape[axis + 1 :]) if axis < len(shape) else None


def _conv(b: Builder, random: Random, x: Ref) -> Ref | None:
    if len(x.shape) != 4:
        return None
    channels, height, width = x.shape[1:]
    groups = int(random.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    out = groups * int(random.integers(1, 3))
    kernel = (
        int(random.integers(1, min(height, 3) + 1)),
        int(random.integers(1, min(width, 3) + 1)),
    )
    pads: A.Padding = tuple(int(p) for p in random.integers(0, 3, 4))  # type: ignore[assignment]
    weight = _constant(random, out, channels // groups, *kernel) / 4
    attrs = A.Conv2d(None, _pair(random, 1, 3), pads, (1, 1), groups)
    return b.emit("conv2d", x, weight, _constant(random, out), attrs=attrs)


def _transposed(b: Builder, random: Random, x: Ref) -> Ref | None:
    if len(x.shape) != 4:
        return None
    stride, kernel = _pair(random, 1, 3), _pair(random, 1, 4)
    out = (kernel[0] - 1) // 2, (kernel[1] - 1) // 2
    attrs = A.ConvTranspose2d(None, stride, (out[0], out[0], out[1], out[1]))
    weight = _constant(random, x.shape[1], 2, *kernel) / 4
    return b.emit("conv_transpose2d", x, weight, _constant(random, 2), attrs=attrs)


def _pool(b: Builder, random: Random, x: Ref) -> Ref | None:
    if len(x.shape) != 4:
        return None
    kernel = (int(random.integers(1, min(x.shape[2], 3) + 1)),
              int(random.integers(1, min(x.shape[3], 3) + 1)))  # fmt: skip
    pads = [int(random.integers(0, kernel[i // 2])) for i in range(4)]
    attrs = A.Pool2d(None, kernel, _pair(random, 1, 4), (pads[0], pads[1], pads[2], pads[3]))
    return b.emit(str(random.choice(["max_pool2d", "avg_pool2d"])), x, attrs=attrs)


def _resize(b: Builder, random: Random, x: Ref) -> Ref | None:
    if len(x.shape) != 4:
        return None
    corners = bool(random.random() < 0.5)
    return b.emit("resize", x, attrs=A.Resize(_pair(random, 1, 9), "bilinear", corners))


def _shuffle(b: Builder, random: Random, x: Ref) -> Ref | None:
    if len(x.shape) != 4:
        return None
    groups = random.choice([g for g in range(1, x.shape[1] + 1) if x.shape[1] % g == 0])
    return b.emit("channel_shuffle", x, attrs=A.ChannelShuffle(int(groups)))


def _pair(random: Random, low: int, high: int) -> A.Pair:
    first, second = random.integers(low, high, 2)
    return int(first), int(second)


def _permute(b: Builder, random: Random, x: Ref) -> Ref:
    order = tuple(int(axis) for axis in random.permutation(len(x.shape)))
    return b.emit("permute", x, attrs=A.Permute(order))


def _reshape(b: Builder, random: Random, x: Ref) -> Ref:
    """Merge neighbouring axes, split others, sprinkle in axes of length 1."""
    sizes: list[int] = []
    for size in x.shape:
        divisors = [d for d in range(1, size + 1) if size % d == 0]
        first = int(random.choice(divisors))
        if sizes and random.random() < 0.4:
            sizes[-1] *= size
        elif random.random() < 0.5:
            sizes.extend((first, size // first))
        else:
            sizes.append(size)
    if random.random() < 0.3:
        sizes.insert(int(random.integers(len(sizes) + 1)), 1)
    if random.random() < 0.3:
        sizes = [size for size in sizes if size != 1] or [1]
    while len(sizes) > 5:
        sizes[-2:] = [sizes[-2] * sizes[-1]]
    return b.emit("reshape", x, attrs=A.Reshape(tuple(sizes)))


def _unary(b: Builder, random: Random, x: Ref) -> Ref:
    op = str(random.choice(["relu", "sigmoid", "tanh", "hardswish", "neg", "abs", "gelu", "clip"]))
    limits = A.Clip(0.0, 6.0) if random.random() < 0.5 else A.Clip(-0.4, 0.8)
    return b.emit(op, x, attrs=limits if op == "clip" else None)


def _softmax(b: Builder, random: Random, x: Ref) -> Ref | None:
    axis = int(random.integers(len(x.shape)))
    return b.emit("softmax", x, attrs=A.Axis(axis))


def _reduce(b: Builder, random: Random, x: Ref) -> Ref | None:
    axes = tuple(axis for axis in range(len(x.shape)) if random.random() < 0.4)
    keepdim = bool(random.random() < 0.6)
    if not axes or (len(axes) == len(x.shape) and not keepdim):
        return None
    return b.emit(str(random.choice(["mean", "max", "min"])), x, attrs=A.Reduce(axes, keepdim))


def _slice(b: Builder, random: Random, x: Ref) -> Ref | None:
    axis = int(random.integers(len(x.shape)))
    size = x.shape[axis]
    start = int(random.integers(size))
    stop = int(random.integers(start + 1, size + 1))
    step = int(random.choice([1, 1, 2]))
    return b.emit("slice", x, attrs=A.Slice(axis, start, stop, step))


def _pad(b: Builder, random: Random, x: Ref) -> Ref:
    pads = tuple((int(p), int(q)) for p, q in random.integers(0, 2, (len(x.shape), 2)))
    return b.emit("pad", x, attrs=A.Pad(pads, float(random.choice([0.0, 0.5]))))


def _expand(b: Builder, random: Random, x: Ref) -> Ref | None:
    shape = tuple(3 if size == 1 and random.random() < 0.7 else size for size in x.shape)
    return b.emit("expand", x, attrs=A.Reshape(shape)) if shape != x.shape else None


def _linear(b: Builder, random: Random, x: Ref) -> Ref | None:
    if len(x.shape) < 2:
        return None
    out = int(random.integers(1, 6))
    weight = _constant(random, out, x.shape[-1]) / x.shape[-1]
    return b.emit("linear", x, weight, _constant(random, out))


def _scale(b: Builder, random: Random, x: Ref) -> Ref:
    """By a constant along one axis, as batch norm does."""
    shape = [1] * len(x.shape)
    axis = int(random.integers(len(shape)))
    shape[axis] = x.shape[axis]
    op = str(random.choice(["mul", "add", "sub"]))
    constant = _constant(random, *shape)
    return b.emit(op, *((x, constant) if random.random() < 0.7 else (constant, x)))


GROWTH: tuple[Grow, ...] = (
    _conv, _conv, _transposed, _pool, _pool, _resize, _shuffle, _permute, _permute, _reshape,
    _reshape, _unary, _unary, _softmax, _reduce, _slice, _pad, _expand, _linear, _scale, _scale,
)  # fmt: skip
