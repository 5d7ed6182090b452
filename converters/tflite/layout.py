"""Which axis order each tensor really has, and how little to transpose.

PyTorch's axes are the *logical* ones. A physical tensor stores them in an ``order``: physical axis k is
logical axis ``order[k]``; pictures are (0, 2, 3, 1), NHWC. Permutations only relabel; a transpose is
written when an operator needs an order that the tensor does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from edgezoo.types import Shape

Order = tuple[int, ...]
NHWC: Order = (0, 2, 3, 1)


@dataclass(frozen=True, slots=True)
class Physical:
    """A TFLite tensor and the order of its axes."""

    tensor: int
    order: Order


def identity(rank: int) -> Order:
    """Return PyTorch's own order."""
    return tuple(range(rank))


def default_order(rank: int) -> Order:
    """Return the order of the model's inputs and outputs: NHWC for pictures."""
    return NHWC if rank == 4 else identity(rank)


def stored(shape: Shape, order: Order) -> Shape:
    """Return the physical shape."""
    return tuple(shape[axis] for axis in order)


def long_axes(shape: Shape, order: Order) -> Order:
    """Return the axes that are longer than 1, in physical order: what fixes the bytes."""
    return tuple(axis for axis in order if shape[axis] != 1)


def permuted(order: Order, permutation: Order) -> Order:
    """Return the order after ``permute(permutation)``, the bytes untouched."""
    return tuple(permutation.index(axis) for axis in order)


def reduced(order: Order, axes: tuple[int, ...]) -> Order:
    """Return the order once ``axes`` are gone."""
    kept = [axis for axis in range(len(order)) if axis not in axes]
    return tuple(kept.index(axis) for axis in order if axis in kept)


def reshape_blocks(old: Shape, new: Shape) -> list[tuple[Order, Order]]:
    """Split a reshape into the smallest independent blocks of (old axes, new axes), without 1s."""
    blocks: list[tuple[Order, Order]] = []
    old_axes = [axis for axis, size in enumerate(old) if size != 1]
    new_axes = [axis for axis, size in enumerate(new) if size != 1]
    left: list[int] = []
    right: list[int] = []
    while old_axes or new_axes:
        if prod(old[a] for a in left) <= prod(new[a] for a in right) and old_axes:
            left.append(old_axes.pop(0))
        else:
            right.append(new_axes.pop(0))
        if left and right and prod(old[a] for a in left) == prod(new[a] for a in right):
            blocks.append((tuple(left), tuple(right)))
            left, right = [], []
    return blocks


def reshaped_order(old: Shape, new: Shape, order: Order) -> Order | None:
    """Return the order after a reshape that leaves the bytes alone, or ``None`` if it cannot."""
    sequence = long_axes(old, order)
    result: list[int] = []
    starts = {block[0][0]: block for block in reshape_blocks(old, new)}
    position = 0
    while position < len(sequence):
        block = starts.get(sequence[position])
        if block is None or sequence[position : position + len(block[0])] != block[0]:
            return None
        result.extend(block[1])
        position += len(block[0])
    return _with_short_axes(new, tuple(result))


def _with_short_axes(shape: Shape, long: Order) -> Order:
    """Place the axes of length 1: as in the default order where the long ones allow it."""
    for candidate in (default_order(len(shape)), identity(len(shape))):
        if long_axes(shape, candidate) == long:
            return candidate
    return tuple(axis for axis in range(len(shape)) if shape[axis] == 1) + long
