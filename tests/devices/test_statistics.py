"""The published numbers against brute force, scipy and simulated processes with a known median."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.devices.intervals import median_interval
from edgezoo.devices.statistics import (
    drift,
    interval,
    judge,
    median_of_medians,
    summarize,
    summarize_aggregates,
)
from edgezoo.measurement import Aggregates, Conditions, Latency, ProcessSamples

milliseconds = st.floats(0.001, 1e4)
processes = st.lists(st.lists(milliseconds, min_size=1, max_size=20), min_size=1, max_size=7)


def brute_median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def flat(median: float, runs: int = 30) -> list[float]:
    """Samples without a trend around ``median``."""
    return [median * (1 + 0.001 * (-1) ** run) for run in range(runs)]


@given(processes)
def test_median_is_over_processes(samples: list[list[float]]) -> None:
    expected = brute_median([brute_median(process) for process in samples])
    assert median_of_medians(samples) == pytest.approx(expected, rel=1e-12)  # float64 rounding


def test_median_does_not_pool_samples() -> None:
    assert median_of_medians([[1, 1, 1, 1, 1, 1], [5], [9]]) == 5


@given(processes)
def test_summary_is_consistent(samples: list[list[float]]) -> None:
    latency = summarize(samples, seed=0)
    pooled = sorted(itertools.chain.from_iterable(samples))
    place = 0.9 * (len(pooled) - 1)
    below, above = pooled[int(place)], pooled[min(int(place) + 1, len(pooled) - 1)]
    expected = below + (above - below) * (place - int(place))
    assert latency.p90 == pytest.approx(expected, rel=1e-12)
    assert latency.minimum == pooled[0]
    low, high = latency.interval
    assert pooled[0] <= low <= high <= pooled[-1]


@pytest.mark.parametrize("count", [2, 5, 7, 11])
def test_interval_is_that_of_the_medians(count: int) -> None:
    medians = np.random.default_rng(count).lognormal(size=count)
    found = interval([flat(m, 2) for m in medians], seed=3)
    assert found == pytest.approx(median_interval(medians), rel=1e-12)  # flat() rounds


def test_interval_is_seeded() -> None:
    samples = [list(np.random.default_rng(0).lognormal(size=50))]
    assert interval(samples, seed=1) == interval(samples, seed=1)
    assert len({interval(samples, seed) for seed in range(20)}) > 1


def test_one_process_respects_correlation() -> None:
    """A slow random walk hides how little independent evidence 512 samples are."""
    steps = np.random.default_rng(0).normal(size=512)
    walk = [float(value) for value in 100 + np.cumsum(steps) * 0.1]
    shuffled = [float(value) for value in np.random.default_rng(1).permutation(walk)]
    widths = [high - low for low, high in (interval([s], seed=0) for s in (walk, shuffled))]
    assert widths[0] > 1.5 * widths[1]


def test_one_sample_has_no_width() -> None:
    assert summarize([[2.5]], seed=0) == Latency(2.5, 2.5, (2.5, 2.5), 2.5, 2.5)


def test_drift_against_exact_counting() -> None:
    medians = [10.0, 10.4, 10.3, 11.0, 11.2]
    found = drift([flat(median) for median in medians])
    concordance = [
        sum(np.sign(b - a) for a, b in itertools.combinations(order, 2))
        for order in itertools.permutations(range(5))
    ]
    extreme = sum(abs(value) >= 8 for value in concordance)  # nine pairs rise, one falls
    assert found.p_value == pytest.approx(extreme / 120)
    assert found.between == pytest.approx(1.12, abs=0.02)  # 10 to 11.2, by a robust line
    assert found.within == pytest.approx(1.0, abs=0.003)  # the ripple of flat()


VERDICTS = {
    "steady": ([flat(10)] * 5, "ok", "5 processes, 150 runs, 7 involuntary"),
    "one process": ([flat(10)], "ok", "one process cannot show differences"),
    "slower in every process": (
        [flat(10) + flat(11) + flat(12)] * 3,
        "unstable",
        "1.20 times the first",
    ),
    "still warming up": ([flat(12) + flat(11) + flat(10)] * 3, "unstable", "more warm-up runs"),
    "slower from process to process": (
        [flat(10 + 0.2 * n) for n in range(5)],
        "unstable",
        "the last process took 1.08 times the first, p=0.017",
    ),
    "wide": ([flat(m) for m in (10, 12, 9, 10, 11)], "unstable", "spans 30.0% of the median"),
    "one third slow once": ([flat(10) * 2 + flat(20)] + [flat(10)] * 5, "ok", "spans 0.1%"),
    "small trend": ([flat(10 + 0.05 * n) for n in range(5)], "ok", "spans 2.0%"),
    "single run each": ([[10.0], [10.0]], "ok", "2 processes, 2 runs"),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdict(case: str) -> None:
    samples, status, evidence = VERDICTS[case]
    processes = [ProcessSamples(tuple(p), tuple(p), 1, 1, 1, 0, 0) for p in samples]
    processes[0] = replace(processes[0], involuntary_switches=7)
    latency, found = judge(processes, [], seed=0)
    assert latency == summarize(samples, seed=0)
    assert found.status == status, found.evidence
    assert evidence in found.evidence


def aggregated(median: float | None, deviation: float = 0.1) -> ProcessSamples:
    """A process of a runner that keeps no samples."""
    middle = median or 10.0
    given = Aggregates(
        50, middle * 1.2, middle - 1, middle * 3, deviation, median, middle - 0.5, middle * 2
    )
    return ProcessSamples((), (), 1.0, 1.0, None, None, 0.0, aggregates=given)


def test_aggregates_of_several_processes() -> None:
    processes = [aggregated(m) for m in (10.0, 10.2, 10.1)]
    latency, found = judge(processes, [], seed=0)
    assert (latency.median, latency.interval) == (10.1, (10.0, 10.2))
    assert (latency.minimum, latency.p90, latency.p95) == (9.0, None, 20.2)
    assert (found.status, "3 processes, 150 runs)" in found.evidence) == ("ok", True)


def test_aggregates_of_one_process_have_its_own_percentiles() -> None:
    latency = summarize_aggregates([aggregated(10.0)], seed=0)
    assert latency.interval == (9.5, 20.0)
    bare = replace(aggregated(10.0), aggregates=Aggregates(5, 11.0, 9.0, 12.0, 0.1, 10.0))
    assert summarize_aggregates([bare], seed=0).interval == (9.0, 12.0)


def test_aggregates_drift_from_process_to_process() -> None:
    _, found = judge([aggregated(10 + 0.2 * n) for n in range(5)], [], seed=0)
    assert (found.status, "1.08 times the first" in found.evidence) == ("unstable", True)


@pytest.mark.parametrize(
    ("statuses", "warmest", "expected"),
    [((0, 0), 0, "ok"), ((0, 2), 0, "throttled"), ((1, 1), 1, "ok"), ((0, 6), None, "ok")],
)
def test_heat_makes_a_number_throttled(
    statuses: tuple[int, ...], warmest: int | None, expected: str
) -> None:
    conditions = [Conditions("2026-01-01T00:00:00+00:00", thermal_status=s) for s in statuses]
    _, found = judge([aggregated(10.0)] * 3, conditions, seed=0, warmest=warmest)
    assert found.status == expected
    if expected == "throttled":
        assert "thermal status rose to 2" in found.evidence


@pytest.mark.parametrize(
    ("wall_ms", "cpu_ms", "cpu_bound", "status"),
    [
        (13.1, 9.1, True, "unstable"),  # the processes agree, on a number that is not the model's
        (9.2, 9.1, True, "ok"),
        (13.1, 9.1, False, "ok"),  # a GPU works while the processor waits
        (9.1, 18.0, True, "ok"),  # two threads
        (13.1, 0.0, True, "ok"),  # a runner that does not tell
    ],
)
def test_waiting_for_a_core(wall_ms: float, cpu_ms: float, cpu_bound: bool, status: str) -> None:
    runs = [ProcessSamples((wall_ms,) * 9, (cpu_ms,) * 9, 1, 1, 1, 40, 0) for _ in range(5)]
    _, found = judge(runs, [], seed=0, cpu_bound=cpu_bound)
    assert found.status == status
    if status == "unstable":
        assert "it waited for a core: its wall time is 1.44 times its CPU time" in found.evidence


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (((True, False), (False, False)), "the screen went off"),
        (((True, True), (True, False)), "battery saver came on"),
    ],
)
def test_what_slows_a_phone_down(states: tuple[tuple[bool, bool], ...], words: str) -> None:
    conditions = [
        Conditions("2026-01-01T00:00:00+00:00", screen_on=screen_on, low_power_mode=saving)
        for screen_on, saving in states
    ]
    _, found = judge([aggregated(10.0)] * 3, conditions, seed=0)
    assert (found.status, found.evidence.startswith(words)) == ("unstable", True)
    _, found = judge([aggregated(10.0)] * 3, conditions[:0], seed=0)
    assert found.status == "ok"
