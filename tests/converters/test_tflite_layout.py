"""The algebra of axis orders, against numpy: an order is right if the bytes are."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.converters.tflite.layout import (
    NHWC,
    Order,
    default_order,
    identity,
    long_axes,
    permuted,
    reduced,
    reshape_blocks,
    reshaped_order,
    stored,
)
from edgezoo.types import Shape

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple)


@st.composite
def ordered(draw: st.DrawFn) -> tuple[Shape, Order]:
    shape = draw(shapes)
    return shape, tuple(draw(st.permutations(range(len(shape)))))


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[Shape, Shape]:
    """Two shapes of as many elements: factors of one list, grouped twice."""
    factors = draw(st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=6))

    def grouped() -> Shape:
        cuts = sorted(draw(st.sets(st.integers(0, len(factors)), max_size=4)))
        edges = [0, *cuts, len(factors)]
        return tuple(prod(factors[a:b]) for a, b in pairwise(edges))

    return grouped(), grouped()


def numbered(shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.arange(prod(shape)).reshape(shape)


@given(ordered(), st.data())
def test_a_permutation_relabels_the_stored_axes(
    case: tuple[Shape, Order], data: st.DataObject
) -> None:
    shape, order = case
    permutation = tuple(data.draw(st.permutations(range(len(shape)))))
    logical = numbered(shape)
    assert np.array_equal(
        logical.transpose(permutation).transpose(permuted(order, permutation)),
        logical.transpose(order),
    )


@given(ordered(), st.data())
def test_a_reduction_keeps_the_order_of_what_is_left(
    case: tuple[Shape, Order], data: st.DataObject
) -> None:
    shape, order = case
    axes = tuple(sorted(data.draw(st.sets(st.sampled_from(range(len(shape)))))))
    logical = numbered(shape)
    stored_axes = tuple(order.index(axis) for axis in axes)
    assert np.array_equal(
        logical.sum(axes).transpose(reduced(order, axes)),
        logical.transpose(order).sum(stored_axes),
    )


@given(reshapes())
def test_blocks_cover_all_long_axes_in_order(case: tuple[Shape, Shape]) -> None:
    old, new = case
    blocks = reshape_blocks(old, new)
    for shape, index in ((old, 0), (new, 1)):
        flat = [axis for block in blocks for axis in block[index]]
        assert flat == [axis for axis, size in enumerate(shape) if size != 1]
    for left, right in blocks:
        assert prod(old[a] for a in left) == prod(new[a] for a in right)
        for i in range(1, len(left)):  # smallest: no part of a block is a block
            assert not any(
                prod(old[a] for a in left[:i]) == prod(new[a] for a in right[:j])
                for j in range(1, len(right))
            )


@given(reshapes(), st.data())
def test_a_reshape_that_leaves_the_bytes_alone(
    case: tuple[Shape, Shape], data: st.DataObject
) -> None:
    old, new = case
    order = tuple(data.draw(st.permutations(range(len(old)))))
    logical = numbered(old)
    result = reshaped_order(old, new, order)
    if result is not None:
        assert sorted(result) == list(range(len(new)))
        assert np.array_equal(
            logical.transpose(order).reshape(-1),
            logical.reshape(new).transpose(result).reshape(-1),
        )
    else:  # there is none: in no order of the new axes do the bytes agree
        candidates = (
            logical.reshape(new).transpose(other).reshape(-1) for other in orders(len(new))
        )
        stays = logical.transpose(order).reshape(-1)
        assert not any(np.array_equal(stays, candidate) for candidate in candidates)


def orders(rank: int) -> list[Order]:
    if rank == 0:
        return [()]
    return [(*rest[:i], rank - 1, *rest[i:]) for rest in orders(rank - 1) for i in range(rank)]


@given(ordered())
def test_long_axes_decide_the_bytes(case: tuple[Shape, Order]) -> None:
    shape, order = case
    logical = numbered(shape)
    same_bytes = np.array_equal(logical.transpose(order).reshape(-1), logical.reshape(-1))
    assert same_bytes == (long_axes(shape, order) == long_axes(shape, identity(len(shape))))
    assert stored(shape, order) == logical.transpose(order).shape


def test_pictures_are_stored_channels_last() -> None:
    assert default_order(4) == NHWC == (0, 2, 3, 1)
    assert default_order(3) == (0, 1, 2)
    # what global pooling leaves keeps the default order, so that nothing is transposed behind it
    assert reshaped_order((1, 8), (1, 8, 1, 1), (0, 1)) == NHWC
    assert reshaped_order((1, 8, 1, 1), (1, 8), NHWC) == (0, 1)
    assert reshaped_order((1, 8, 2, 2), (1, 32), NHWC) is None
    assert reshaped_order((1, 8, 2, 3), (1, 8, 6), NHWC) == (0, 2, 1)
