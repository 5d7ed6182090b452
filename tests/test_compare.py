"""The one comparison: decibels, agreement and edge cases, against their definitions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from numpy.typing import NDArray

from edgezoo.compare import EXACT_DB, compare, sqnr_db, top1_agreement
from edgezoo.types import to_json

Array = NDArray[Any]
arrays = stn.arrays(np.float32, (3, 4), elements=st.floats(-1000, 1000, width=32))


@pytest.mark.parametrize("decibels", [0.0, 6.0, 20.0, 80.0])
def test_decibels_are_those_of_a_scaled_copy(decibels: float) -> None:
    exact = np.random.default_rng(0).normal(size=1000)
    assert sqnr_db(exact, exact * (1 + 10 ** (-decibels / 20))) == pytest.approx(decibels, abs=1e-6)


@given(arrays, arrays)
def test_decibels_are_finite_and_json(exact: Array, other: Array) -> None:
    value = sqnr_db(exact, other)
    assert -EXACT_DB <= value <= EXACT_DB
    assert sqnr_db(exact, exact) == EXACT_DB
    result = compare([exact], [other])
    assert json.loads(json.dumps(to_json(result), allow_nan=False))["samples"] == 3
    assert result.max_abs == np.abs(exact.astype(np.float64) - other).max()
    assert -1 <= result.cosine <= 1
    assert 0 <= result.top1_agreement <= 1


def test_silence_is_exact_or_lost() -> None:
    silence = np.zeros((2, 3), np.float32)
    assert compare([silence], [silence]).sqnr_db == EXACT_DB
    lost = compare([silence], [silence + 1])
    assert (lost.sqnr_db, lost.cosine, lost.max_rel) == (-EXACT_DB, 0.0, 1.0)
    assert compare([silence], [silence]).cosine == 1.0


def test_float32_is_compared_in_float64() -> None:
    exact = np.full((1, 2), 16777216, np.float32)  # 2^24: float32 has no next whole number
    other = np.array([[16777216, 16777218]], np.float32)
    assert compare([exact], [other]).max_abs == 2.0
    many = np.full((1, 10**6), 1e-3, np.float32)
    assert sqnr_db(many, many * np.float32(1.5)) == pytest.approx(20 * np.log10(2), abs=1e-3)


def test_all_outputs_count_together() -> None:
    small, large = np.ones((2, 1)), np.full((2, 3), 10.0)
    result = compare([small, large], [small * 0, large])
    assert result.sqnr_db == pytest.approx(10 * np.log10(602 / 2), abs=1e-3)
    assert (result.max_abs, result.max_rel) == (1.0, 0.1)


@pytest.mark.parametrize(
    ("reference", "candidate", "agreement"),
    [
        ([[1, 2], [3, 0]], [[0, 9], [1, 2]], 0.5),
        ([[1, 2], [3, 0]], [[1, 9], [4, 2]], 1.0),
        ([5, 1, 2], [7, 1, 2], 1.0),  # one axis: the whole output is one distribution
        ([5, 1, 2], [1, 7, 2], 0.0),
        # (1, classes, 1, 2): each pixel has its own class
        ([[[[1, 4]], [[2, 3]]]], [[[[1, 2]], [[2, 3]]]], 0.5),
    ],
)
def test_top1_is_the_arg_max_over_classes(
    reference: list[Any], candidate: list[Any], agreement: float
) -> None:
    assert top1_agreement(np.array(reference), np.array(candidate)) == agreement


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"outputs of shape \[\(1, 2\)\] against \[\(2, 1\)\]"):
        compare([np.ones((1, 2))], [np.ones((2, 1))])
    with pytest.raises(ValueError, match="outputs of shape"):
        compare([np.ones((1, 2))], [np.ones((1, 2)), np.ones((1, 2))])


def test_what_the_inputs_were_is_kept() -> None:
    result = compare([np.ones((1, 2))], [np.ones((1, 2))], inputs="photos", held_out=True)
    assert (result.inputs, result.held_out, result.samples) == ("photos", True, 1)
