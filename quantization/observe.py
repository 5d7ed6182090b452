"""Streaming statistics of activations: constant memory, however many photos are seen.

The minimum and maximum are exact. The histogram counts a strided sample of each tensor and doubles its
range (merging bins in pairs) when a new value falls outside, so nothing is ever looked at twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

BINS = 2048
SAMPLED = 8192  # elements per tensor and photo that enter the histogram


@dataclass(slots=True)
class Observer:
    """What is known of one value: exact range, per-photo ranges, histogram over [-limit, limit]."""

    low: float = float("inf")
    high: float = float("-inf")
    sum_low: float = 0.0
    sum_high: float = 0.0
    batches: int = 0
    limit: float = 0.0
    counts: torch.Tensor = field(default_factory=lambda: torch.zeros(BINS, dtype=torch.float64))

    def update(self, tensor: Tensor) -> None:
        """Take in one more tensor."""
        flat = in_memory_order(tensor)
        lowest, highest = (float(item) for item in torch.aminmax(flat))
        self.low, self.high = min(self.low, lowest), max(self.high, highest)
        self.sum_low += lowest
        self.sum_high += highest
        self.batches += 1
        self._widen(max(abs(lowest), abs(highest)))
        if self.limit > 0:
            step = max(flat.numel() // SAMPLED, 1) | 1  # odd, so that it walks over all channels
            sample = flat[:: step if flat.numel() > SAMPLED else 1].float()
            self.counts += torch.histc(sample, BINS, -self.limit, self.limit)

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

    def merge(self, other: Observer) -> Observer:
        """Return the statistics of both together."""
        limit = max(self.limit, other.limit)
        merged = Observer(
            min(self.low, other.low),
            max(self.high, other.high),
            min(self.sum_low, other.sum_low),
            max(self.sum_high, other.sum_high),
            max(self.batches, other.batches),
            limit,
        )
        for part in (self, other):
            if part.limit > 0:
                merged.counts += part._resampled(limit)
        return merged

    def _resampled(self, limit: float) -> Tensor:
        """Return the counts over [-limit, limit], each bin's count put at its centre."""
        centres = (torch.arange(BINS, dtype=torch.float64) + 0.5) / BINS * 2 - 1
        position = ((centres * self.limit / limit + 1) / 2 * BINS).long().clamp(0, BINS - 1)
        return torch.zeros(BINS, dtype=torch.float64).index_add_(0, position, self.counts)

    def histogram(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (bin centres, counts) as float64."""
        centres = ((np.arange(BINS) + 0.5) / BINS * 2 - 1) * self.limit
        return centres, self.counts.numpy()


def in_memory_order(tensor: Tensor) -> Tensor:
    """Return all elements as a vector, without a copy where the memory format allows it."""
    if tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.reshape(-1)
