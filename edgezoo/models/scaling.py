"""Compound scaling of the EfficientNet family, as pure functions and one table.

No torch here: the registry reads resolutions from this table. The released coefficients are not
an exact power law of the paper's phi, so the table is the truth (arXiv 1905.11946; resolutions of
Lite from the authors' builder, 280 and 300 for Lite3 and Lite4, not timm's 300 and 380).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scaling:
    """Multipliers of width and depth, the input's side in pixels, the classifier's dropout.

    ``lite`` keeps stem (32) and head (1280) widths and the repeats of the first and last stage
    unscaled, drops squeeze-and-excite and takes ReLU6 for SiLU.
    """

    width: float
    depth: float
    resolution: int
    dropout: float
    lite: bool = False


SCALINGS: Mapping[str, Scaling] = {
    "b0": Scaling(1.0, 1.0, 224, 0.2),
    "b1": Scaling(1.0, 1.1, 240, 0.2),
    "b2": Scaling(1.1, 1.2, 260, 0.3),
    "b3": Scaling(1.2, 1.4, 300, 0.3),
    "b4": Scaling(1.4, 1.8, 380, 0.4),
    "b5": Scaling(1.6, 2.2, 456, 0.4),
    "b6": Scaling(1.8, 2.6, 528, 0.5),
    "b7": Scaling(2.0, 3.1, 600, 0.5),
    "b8": Scaling(2.2, 3.6, 672, 0.5),
    "l2": Scaling(4.3, 5.3, 800, 0.5),
    "l2_475": Scaling(4.3, 5.3, 475, 0.5),  # L2 fine-tuned and tested on smaller photos
    "lite0": Scaling(1.0, 1.0, 224, 0.2, lite=True),
    "lite1": Scaling(1.0, 1.1, 240, 0.2, lite=True),
    "lite2": Scaling(1.1, 1.2, 260, 0.3, lite=True),
    "lite3": Scaling(1.2, 1.4, 280, 0.3, lite=True),
    "lite4": Scaling(1.4, 1.8, 300, 0.3, lite=True),
}


def scale(
    phi: float, alpha: float = 1.2, beta: float = 1.1, gamma: float = 1.15
) -> tuple[float, float, float]:
    """Return the multipliers of depth, width and resolution for compound coefficient ``phi``.

    d = α^φ, w = β^φ, r = γ^φ with α·β²·γ² near 2 (1.92 for the paper's), so that the
    multiply-accumulates grow about 2^φ-fold (arXiv 1905.11946 equation 3). The published networks do
    not lie on this curve; ``SCALINGS`` holds theirs. Raises ``ValueError`` for a base under 1.
    """
    if min(alpha, beta, gamma) < 1:
        raise ValueError(f"alpha={alpha}, beta={beta}, gamma={gamma} must each be at least 1")
    return alpha**phi, beta**phi, gamma**phi


def round_filters(filters: int, multiplier: float) -> int:
    """Return the multiple of 8 nearest to ``filters * multiplier``, at least 8 and 90 % of it."""
    scaled = filters * multiplier
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def round_repeats(repeats: int, multiplier: float) -> int:
    """Return ``repeats * multiplier`` rounded up."""
    return math.ceil(repeats * multiplier)
