"""Streaming statistics of activations: constant memory, however many photos are seen.

The minimum and maximum are exact. The histogram counts a strided sample of each tensor and doubles its
range (merging bins in pairs) when a new value falls outside, so nothing is ever looked at twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd

import numpy as np
import torch
from torch import Tensor

BINS = 2048
SAMPLED = 4096  # elements per tensor and photo that enter the histogram


@dataclass(slots=True)
class Observer:
    """What is known of one value: its exact range, a histogram over [-limit, limit]."""

    low: float = float("inf")
    high: float = float("-inf")
    limit: float = 0.0
    counts: torch.Tensor = field(default_factory=lambda: torch.zeros(BINS, dtype=torch.float64))

    def update(self, tensor: Tensor) -> None:
        """Take in one more tensor."""
        flat = in_memory_order(tensor)
        lowest, highest = (float(item) for item in torch.aminmax(flat))
        # numpy's minimum keeps NaN, Python's min() may drop it
        self.low, self.high = (
            float(np.minimum(self.low, lowest)),
            float(np.maximum(self.high, highest)),
        )
        self._widen(max(abs(lowest), abs(highest)))
        if self.limit > 0:
            sample = flat[:: stride(flat.numel())].float()
            # not in place: calibration runs in inference mode, constants are seen outside of it
            self.counts = self.counts + torch.histc(sample, BINS, -self.limit, self.limit)

    def _widen(self, magnitude: float) -> None:
        if not np.isfinite(magnitude):
            return
        if self.limit == 0:
            self.limit = magnitude
        while magnitude > self.limit:
            merged = self.counts.reshape(-1, 2).sum(1)
            self.counts = torch.zeros(BINS, dtype=torch.float64)
            self.counts[BINS // 4 : 3 * BINS // 4] = merged
            self.limit *= 2

    def histogram(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (bin centres, counts) as float64."""
        centres = ((np.arange(BINS) + 0.5) / BINS * 2 - 1) * self.limit
        return centres, self.counts.numpy()


def stride(count: int) -> int:
    """Return the step of the sample: it shares no factor with ``count``, so no channel is left out."""
    step = max(count // SAMPLED, 1)
    while gcd(step, count) > 1:
        step += 1
    return step


def in_memory_order(tensor: Tensor) -> Tensor:
    """Return all elements as a vector, without a copy where the memory format allows it."""
    if tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.reshape(-1)
