"""What two stores prove: against simulated machines with a known change."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edgezoo.devices.regression import compare
from edgezoo.measurement import Aggregates, DeviceInfo, Latency, Measurement, ProcessSamples
from edgezoo.plan import Plan, ReferenceSetting

HOST = DeviceInfo("bench", "host", "cpu", 2, 1024, "Linux")
BASE = Measurement(
    artifact="net_w8a8.tflite",
    artifact_sha256="1" * 64,
    model="net",
    format="tflite",
    recipe="w8a8",
    device=HOST,
    provenance="host",
    status="ok",
    failure_class=None,
    message="steady",
    latency_ms=Latency(1.0, 1.0, (1.0, 1.0), 1.0),
    peak_memory_mib=10.0,
    runner="litert",
    runner_version="2.3.0",
    delegate={},
    plan=Plan(),
    processes=(),
    versions={},
    measured_at="2026-01-01T00:00:00+00:00",
)


def measured(medians: Sequence[float], **changes: object) -> Measurement:
    """A measurement whose processes have these medians."""
    processes = tuple(ProcessSamples((m,) * 3, (m,) * 3, 1.0, 1.0, 5.0, 0, 0.0) for m in medians)
    return replace(BASE, processes=processes, **changes)  # type: ignore[arg-type]  # test's own fields


def machine(seed: int, factor: float = 1.0) -> Measurement:
    """Five processes, each one with its own offset of 1 %, as a quiet machine has."""
    draw = np.random.default_rng(seed)
    return measured([float(m) for m in 10 * factor * draw.lognormal(sigma=0.01, size=5)])


def test_slow_down_of_ten_percent_is_called() -> None:
    called = sum(
        compare([machine(2 * seed)], [machine(2 * seed + 1, 1.1)], 0.05)[0].verdict == "regression"
        for seed in range(200)
    )
    assert called / 200 >= 0.95


def test_nothing_is_called_of_two_equal_runs() -> None:
    verdicts = [
        compare([machine(2 * seed)], [machine(2 * seed + 1)], 0.05)[0].verdict
        for seed in range(200)
    ]
    assert sum(verdict == "same" for verdict in verdicts) / 200 >= 0.95
    assert "regression" not in verdicts and "improvement" not in verdicts


@pytest.mark.parametrize(
    ("before", "after", "verdict", "words"),
    [
        ([10.0] * 5, [11.0] * 5, "regression", "slower by at least 10.0%"),
        ([11.0] * 5, [10.0] * 5, "improvement", "faster by at least 9.1%"),
        ([10.0] * 5, [10.4] * 5, "same", "within 5.0%"),
        ([10.0] * 5, [10.0, 10.2, 10.9, 11.2, 11.3], "undecided", "crosses 5.0%"),
    ],
)
def test_verdicts(
    before: Sequence[float], after: Sequence[float], verdict: str, words: str
) -> None:
    (change,) = compare([measured(before)], [measured(after)], 0.05)
    assert change.verdict == verdict
    assert words in change.evidence
    assert change.ratio == pytest.approx(np.median(np.divide.outer(after, before)))
    assert change.interval is not None and change.ratio is not None
    assert change.interval[0] <= change.ratio <= change.interval[1]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([10.0] * 2, [20.0] * 5, "2 and 5 processes cannot prove a change, measure 5 of each"),
        ([10.0] * 3, [20.0] * 3, "3 and 3 processes cannot prove a change"),
        ([10.0], [20.0], "1 and 1 processes cannot"),
    ],
)
def test_too_few(before: Sequence[float], after: Sequence[float], words: str) -> None:
    (change,) = compare([measured(before)], [measured(after)], 0.05)
    assert (change.verdict, change.ratio, change.interval) == ("undecided", 2.0, None)
    assert words in change.evidence


def test_one_disturbed_process_hides_no_regression() -> None:
    before = [10.0, 10.1, 10.2, 9.9, 10.0, 13.0, 10.1]
    after = [11.1, 11.0, 11.2, 11.3, 11.0, 11.1, 11.2]
    (change,) = compare([measured(before)], [measured(after)], 0.05)
    assert change.verdict == "regression"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "failed", "failure_class": "crash"}, "in B it failed (crash)"),
        ({"status": "throttled"}, "in B it was throttled"),
    ],
)
def test_what_has_no_number_proves_nothing(changes: dict[str, str], words: str) -> None:
    (change,) = compare([measured([10] * 5)], [measured([99] * 5, **changes)], 0.05)
    assert (change.verdict, change.evidence, change.ratio) == ("no number", words, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"device": replace(HOST, name="other")},
        {"device": replace(HOST, serial="R58M")},
        {"plan": Plan(threads=4)},
        {"plan": Plan(accelerator="gpu")},
        {"runner": "benchmark_model"},
        {"provenance": "simulated"},
        {"artifact": "other.tflite"},
    ],
)
def test_different_settings_are_never_compared(changes: dict[str, object]) -> None:
    found = compare([measured([10] * 5)], [measured([99] * 5, **changes)], 0.05)
    assert [change.verdict for change in found] == ["missing", "missing"]
    assert [change.evidence[:1] for change in found] == ["B", "A"]


def test_repeated_measurements_of_one_file_are_pooled() -> None:
    """The newest file counts; an older build of it does not."""
    later = "2026-01-02T00:00:00+00:00"
    older_build = measured([99.0] * 5, artifact_sha256="0" * 64)
    first, second = measured([10.0] * 2, measured_at=later), measured([10.2] * 2, measured_at=later)
    (change,) = compare([older_build, first, second], [measured([12.0] * 5)], 0.05)
    assert change.verdict == "regression"
    assert change.ratio == pytest.approx((12 / 10 + 12 / 10.2) / 2)


def test_runners_without_samples() -> None:
    given = [
        replace(
            BASE,
            processes=tuple(
                ProcessSamples((), (), 1, 1, None, None, 0, None, Aggregates(50, 99, 9, 99, 1, m))
                for m in (median, median * 1.01, median * 0.99, median)
            ),
        )
        for median in (10.0, 12.0)
    ]
    (change,) = compare(given[:1], given[1:], 0.05)
    assert change.verdict == "regression"
    assert change.ratio == pytest.approx(1.2)


def test_reference_settings_are_compared_each_with_itself() -> None:
    """A network in fp16 is no faster version of the same in fp32."""
    plans = [replace(Plan(), reference=ReferenceSetting("eager", p)) for p in ("fp32", "fp16")]
    before = [measured([10.0] * 5, plan=plans[0]), measured([5.0] * 5, plan=plans[1])]
    after = [measured([10.0] * 5, plan=plans[0]), measured([7.0] * 5, plan=plans[1])]
    found = {change.artifact: change.verdict for change in compare(before, after, 0.05)}
    assert found == {
        "net_w8a8.tflite, eager, fp32, batch 1": "same",
        "net_w8a8.tflite, eager, fp16, batch 1": "regression",
    }
