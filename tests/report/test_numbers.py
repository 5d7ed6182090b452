import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.report import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.345, "12.3"),
        (0.04824, "0.0482"),
        (1234.4, "1,234"),
        (9.996, "10.0"),
        (99.96, "100"),
        (0.0, "0"),
        (-1.2345, "-1.23"),
        (math.inf, "∞"),
        (math.nan, "not a number"),
    ],
)
def test_significant(value: float, text: str) -> None:
    assert numbers.significant(value) == text


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_three_digits_are_within_half_a_percent(value: float) -> None:
    # half a unit in the third digit is at most 0.5 % of the value
    shown = float(numbers.significant(value).replace(",", ""))
    assert math.isclose(shown, value, rel_tol=0.00501)


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "100 %"), (0.0, "0 %"), (0.9999, "100.0 %"), (14 / 15, "93.3 %")]
)
def test_percent_tells_all_from_almost_all(value: float, text: str) -> None:
    assert numbers.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.9e-6, "1.9e-6"), (0.184, "0.18"), (0.0, "0"), (math.inf, "∞")]
)
def test_relative_error(value: float, text: str) -> None:
    assert numbers.relative_error(value) == text


def test_binomial_interval() -> None:
    # 14 of 15; R: prop.test(14, 15, correct = FALSE)$conf.int
    low, high = numbers.binomial_interval(14 / 15, 15)
    assert (round(low, 4), round(high, 4)) == (0.7018, 0.9881)


@given(st.integers(1, 500), st.data())
def test_binomial_interval_holds_the_proportion(samples: int, data: st.DataObject) -> None:
    fraction = data.draw(st.integers(0, samples)) / samples
    low, high = numbers.binomial_interval(fraction, samples)
    assert 0 <= low <= fraction + 1e-12
    assert fraction - 1e-12 <= high <= 1
