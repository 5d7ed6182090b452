"""The two formulas against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from edgezoo.devices.trend import kendall_p_value, theil_sen


@pytest.mark.parametrize("count", [2, 3, 5, 7, 12, 30])
@pytest.mark.parametrize("seed", range(4))
def test_scipys_numbers(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=count) + 0.2 * seed * np.arange(count)
    order = np.arange(count)
    slope, intercept = stats.theilslopes(values, order)[:2]
    assert theil_sen(values) == pytest.approx((slope, intercept))
    exact = stats.kendalltau(order, values, method="exact").pvalue
    assert kendall_p_value(values) == pytest.approx(exact)


def test_equal_values_are_no_trend() -> None:
    assert kendall_p_value(np.ones(5)) == 1.0
    assert theil_sen(np.ones(5)) == (0.0, 1.0)
