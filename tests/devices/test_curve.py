"""Curves of latency over time with a known end: heating, throttling in a step, noise, oscillation."""

from collections.abc import Sequence

import numpy as np
import pytest

from edgezoo.devices.curve import judge_curve, settled_windows, settling
from edgezoo.devices.statistics import latency_of
from edgezoo.measurement import Aggregates, Conditions, ProcessSamples

COUNT = 40
STEP_S = 4.5
TIMES = STEP_S * np.arange(COUNT)


def heating(share: float, seconds: float) -> list[float]:
    """10 ms that grow by ``share`` with a time constant, as a body warms up."""
    return [float(v) for v in 10 * (1 + share * (1 - np.exp(-TIMES / seconds)))]


def step(share: float, at: int) -> list[float]:
    return [10.0 * (1 + share) if n >= at else 10.0 for n in range(COUNT)]


def noisy(medians: Sequence[float], sigma: float, seed: int) -> list[float]:
    noise = np.random.default_rng(seed).normal(0, sigma, len(medians))
    return [float(m * np.exp(e)) for m, e in zip(medians, noise, strict=True)]


def windows(medians: Sequence[float]) -> list[ProcessSamples]:
    return [
        ProcessSamples((m * 0.99, m, m * 1.01), (m, m, m), 1.0, m, 5.0, 0, 1e9 + STEP_S * n)
        for n, m in enumerate(medians)
    ]


CURVES: dict[str, tuple[Sequence[float], str, float, str]] = {
    "flat": (
        [10.0] * COUNT,
        "ok",
        10.0,
        "it stayed at 1.00 times the 10 ms of the first 3 windows",
    ),
    "flat, noise of 1 %": (noisy([10.0] * COUNT, 0.01, 1), "ok", 10.0, "it stayed at"),
    "flat, wild": (noisy([10.0] * COUNT, 0.3, 3), "unstable", 10.0, ""),
    "heating quickly": (heating(0.3, 15), "throttled", 13.0, "settled at 13 ms, 1.2"),
    "heating, noise of 1 %": (noisy(heating(0.3, 15), 0.01, 2), "throttled", 13.0, "settled at 1"),
    "heating a little": (heating(0.03, 15), "ok", 10.3, "it stayed at 1.0"),
    "heating too slowly": (heating(0.5, 200), "unstable", 0.0, "still moved by"),
    "a step in the middle": (step(0.4, 18), "throttled", 14.0, "after 81 s it settled at 14 ms"),
    "a step near the end": (step(0.4, 33), "unstable", 0.0, "it has not settled"),
    "a step at the very end": (step(0.4, 38), "unstable", 0.0, "it has not settled"),
    "two disturbed windows": (
        [*[10.0] * 30, 19.0, *[10.0] * 4, 25.0, *[10.0] * 4],
        "ok",
        10.0,
        "it stayed at 1.00",
    ),
    "up and down": ([10.0, 10.0, 13.0, 13.0] * 10, "unstable", 0.0, ""),
    "faster when warm": (heating(-0.2, 10), "ok", 8.0, "it stayed at 0.8"),
    "few windows": ([10.0] * 5, "unstable", 10.0, "it has not settled"),
    "one window": ([10.0], "unstable", 10.0, "it has not settled"),
}


@pytest.mark.parametrize("case", CURVES)
def test_verdict(case: str) -> None:
    medians, status, settled_ms, words = CURVES[case]
    latency, verdict = judge_curve(windows(medians), [], seed=0)
    assert verdict.status == status, verdict.evidence
    assert words in verdict.evidence
    assert f"({len(medians)} windows in " in verdict.evidence
    if settled_ms and status != "unstable":
        assert latency.median == pytest.approx(settled_ms, rel=0.01)  # the noise of the cases


def test_latency_is_that_of_the_settled_windows() -> None:
    taken = windows(heating(0.3, 15))
    latency, _ = judge_curve(taken, [], seed=4)
    assert settled_windows(COUNT) == 14
    assert latency == latency_of(taken[-14:], seed=4)


@pytest.mark.parametrize(("count", "used"), [(1, 1), (6, 6), (17, 6), (19, 7), (40, 14), (90, 30)])
def test_settled_windows(count: int, used: int) -> None:
    assert settled_windows(count) == used


def test_time_until_it_settled() -> None:
    """10 to 13 ms with a time constant of 30 s: within 5 % of its end from 30 ln(3 / 0.65) s on."""
    found = settling(heating(0.3, 30), TIMES.tolist())
    assert found.yes
    assert found.after_s == pytest.approx(30 * np.log(3 / (0.05 * 13)), abs=STEP_S)


def test_noise_of_one_percent_neither_throttles_nor_hides_throttling() -> None:
    """Of 200 curves each, one in twenty may be called unsettled, none throttled that is not."""
    flat = [judge_curve(windows(noisy([10.0] * COUNT, 0.01, s)), [], seed=0)[1] for s in range(200)]
    hot = [
        judge_curve(windows(noisy(heating(0.1, 15), 0.01, s)), [], seed=0)[1] for s in range(200)
    ]
    assert sum(v.status == "throttled" for v in flat) == 0
    assert sum(v.status == "ok" for v in flat) >= 190
    assert sum(v.status == "throttled" for v in hot) >= 190


def test_heat_is_told() -> None:
    conditions = [
        Conditions("t", thermal_status=status, hottest_celsius=celsius)
        for status, celsius in ((0, 31.0), (2, 44.6), (1, None))
    ]
    _, verdict = judge_curve(windows([10.0] * COUNT), conditions, seed=0)
    assert verdict.status == "ok"  # it is not slower, whatever the phone says of its heat
    assert "thermal status up to 2, 45 °C at most" in verdict.evidence


def test_windows_without_samples() -> None:
    taken = [
        ProcessSamples((), (), 1, 1, None, None, 4.5 * n, None, Aggregates(9, m, m, m, 0, m))
        for n, m in enumerate(heating(0.3, 15))
    ]
    latency, verdict = judge_curve(taken, [], seed=0)
    assert (verdict.status, latency.p90) == ("throttled", None)
    assert latency.median == pytest.approx(13, rel=0.01)


def test_a_screen_that_went_off() -> None:
    states = [Conditions("2026-01-01T00:00:00+00:00", screen_on=on) for on in (True, False)]
    _, verdict = judge_curve(windows([10.0] * COUNT), states, seed=0)
    assert verdict.status == "unstable"
    assert verdict.evidence.startswith("the screen went off")
