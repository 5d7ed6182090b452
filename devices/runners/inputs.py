"""Seeded inputs for timing, byte for byte the same here and in the C runner (native/tensors.c).

So the outputs of a phone can be compared with this machine's. The stream is counter-based
(splitmix64; Steele, Lea and Flood, 2014) and the arithmetic exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgezoo.devices.runners.session import RunnerError

if TYPE_CHECKING:
    from edgezoo.devices.runners.session import InputInfo

# Of twice the sum of three uniform 16-bit numbers: sqrt(4 * 3 * 2^32 / 12), a power of two, so
# that every value is exact in float32.
DEVIATION = np.float32(1 << 16)


def random_inputs(inputs: Sequence[InputInfo], seed: int) -> tuple[NDArray[Any], ...]:
    """Return seeded inputs: nearly normal floats, small integers over their whole range.

    Wider integers are indices more often than not, so those are 0 or 1, which any table has.
    Raises ``RunnerError`` for an input that is not a number.
    """
    start, tensors = 0, []
    for info in inputs:
        size = int(np.prod(info.shape, dtype=np.int64))
        tensors.append(_tensor(info, _draw(seed, start, size)).reshape(info.shape))
        start += size
    return tuple(tensors)


def _draw(seed: int, start: int, size: int) -> NDArray[np.uint64]:
    """Return elements ``start`` to ``start + size`` of the stream."""
    index = np.arange(start + 1, start + size + 1, dtype=np.uint64)
    x = np.uint64(seed) + index * np.uint64(0x9E3779B97F4A7C15)  # modulo 2^64, as in C
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _tensor(info: InputInfo, x: NDArray[np.uint64]) -> NDArray[Any]:
    if info.dtype == np.float16:  # multiples of 1/256, which a half holds exactly
        return ((_centred_sums(x) >> 8).astype(np.float32) / np.float32(256)).astype(np.float16)
    if info.dtype.kind == "f":
        return (_centred_sums(x).astype(np.float32) / DEVIATION).astype(info.dtype, copy=False)
    if info.dtype.kind in "iu" and info.dtype.itemsize <= 2:
        unsigned = np.dtype(f"uint{8 * info.dtype.itemsize}")
        return x.astype(unsigned).view(info.dtype)  # the low bits
    if info.dtype.kind in "iub":
        return (x >> np.uint64(63)).astype(info.dtype)
    raise RunnerError("load_error", f"input {info.name} has type {info.dtype}, not a number")


def _centred_sums(x: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Return twice the sums of the three lower 16-bit pieces, around 0."""
    mask = np.uint64(0xFFFF)
    low, middle, high = (x >> np.uint64(16 * place) & mask for place in range(3))
    sums: NDArray[np.int32] = (low + middle + high).astype(np.int32)
    return 2 * sums - np.int32(3 * 65535)
