"""What tables for people say of numbers that a runner does not tell."""

import pytest

from edgezoo.cli.tables import latency_cells
from edgezoo.measurement import Latency


@pytest.mark.parametrize(
    ("p90", "p95", "shown"),
    [
        (11.5, 12.34, "11.5 ms"),
        (None, 12.34, "p95 12.3 ms"),
        (None, None, "–"),
    ],
)
def test_the_high_percentile(p90: float | None, p95: float | None, shown: str) -> None:
    """benchmark_model keeps no samples and tells the 95th percentile alone, which is not the 90th."""
    assert latency_cells(Latency(10.0, p90, (9.5, 10.5), 9.0, p95)) == (
        "10.0 ms",
        "9.50 … 10.5 ms",
        shown,
    )


def test_no_latency() -> None:
    assert latency_cells(None) == ("–", "–", "–")
