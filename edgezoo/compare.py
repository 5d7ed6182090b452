"""The one comparison that tests, verify and reports share: outputs against PyTorch's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgezoo.types import Comparison

Array = np.ndarray[Any, np.dtype[Any]]

EXACT_DB = 200.0  # what identical outputs report: more than float32 can resolve, and valid JSON


def sqnr_db(reference: Array, candidate: Array) -> float:
    """Return ``10 log10(sum(reference^2) / sum((reference - candidate)^2))``, at most ``EXACT_DB``."""
    exact = np.asarray(reference, np.float64)
    noise = float(np.sum(np.square(exact - candidate)))
    signal = float(np.sum(np.square(exact)))
    if noise == 0:
        return EXACT_DB
    if signal == 0:
        return -EXACT_DB
    return float(np.clip(10 * np.log10(signal / noise), -EXACT_DB, EXACT_DB))


def compare(
    reference: Sequence[Array],
    candidate: Sequence[Array],
    *,
    inputs: str = "random",
    held_out: bool | None = None,
) -> Comparison:
    """Compare two lists of outputs, each of shape (samples, …), over all their elements together.

    Top-1 agreement is that of the arg-max over axis 1 of the first output (of the whole output where
    it has one axis), at every other position.

    Raises:
        ValueError: the outputs differ in number or shape.
    """
    shapes = [tuple(array.shape) for array in reference]
    if shapes != [tuple(array.shape) for array in candidate]:
        raise ValueError(f"outputs of shape {shapes} against {[a.shape for a in candidate]}")
    exact = np.concatenate([np.asarray(array, np.float64).reshape(-1) for array in reference])
    other = np.concatenate([np.asarray(array, np.float64).reshape(-1) for array in candidate])
    difference = float(np.max(np.abs(exact - other), initial=0.0))
    largest = float(np.max(np.abs(exact), initial=0.0))
    return Comparison(
        sqnr_db=round(sqnr_db(exact, other), 3),
        max_abs=difference,
        max_rel=difference / largest if largest else difference,
        cosine=_cosine(exact, other),
        top1_agreement=top1_agreement(reference[0], candidate[0]),
        samples=len(reference[0]),
        inputs=inputs,
        held_out=held_out,
    )


def top1_agreement(reference: Array, candidate: Array) -> float:
    """Return the share of positions whose arg-max over axis 1 (the classes) is the same."""
    axis = 1 if reference.ndim > 1 else 0
    return float(np.mean(np.argmax(reference, axis) == np.argmax(candidate, axis)))


def _cosine(exact: Array, other: Array) -> float:
    norms = float(np.linalg.norm(exact) * np.linalg.norm(other))
    if norms == 0:
        return 1.0 if np.array_equal(exact, other) else 0.0
    return float(np.clip(np.dot(exact, other) / norms, -1.0, 1.0))
