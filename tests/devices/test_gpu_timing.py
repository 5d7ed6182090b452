"""The measuring loop on a clock that follows a script."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from edgezoo.devices.gpu.stopwatch import CpuStopwatch, Stopwatch
from edgezoo.devices.gpu.timing import Runnable, check_outputs, measure, warm_up
from edgezoo.devices.runners.session import RunnerError
from edgezoo.measurement import Conditions
from edgezoo.plan import Plan

PLAN = Plan(warmup=3, runs=5)
GOOD = np.linspace(1, 2, 40, dtype=np.float32).reshape(4, 10)


@dataclass
class Script:
    """A stopwatch whose runs take what the script says, and then the last of it."""

    script: list[float]
    name: str = "script"
    memory: str = "none"
    stream_handle: int | None = None
    counts: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def turn_on(self) -> AbstractContextManager[object]:
        return nullcontext()

    def time_ms(self, run: Callable[[], object], count: int = 1) -> float:
        self.counts.append(count)
        for _ in range(count):
            run()
        each = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return each * count

    def wait(self) -> None:
        self.said.append("wait")

    def start_memory(self) -> None:
        self.said.append("start memory")

    def forget_peak(self) -> None:
        self.said.append(f"forget peak after {len(self.counts)} runs")

    def peak_memory_mib(self, *, outside_torch: bool) -> float:
        return 12.0


def runnable(outputs: np.ndarray, reference: np.ndarray = GOOD, floor_db: float = 40) -> Runnable:
    return Runnable(lambda: None, lambda: [outputs], [reference], len(reference), floor_db, {})


def now() -> Conditions:
    return Conditions("2026-01-01T00:00:00+00:00")


def test_warm_up_ends_when_two_blocks_agree() -> None:
    stopwatch = Script([9.0, 9.0, 9.0, 6.0, 6.0, 6.0, 3.0, 3.0, 3.0, 3.0])
    assert warm_up(lambda: None, PLAN, stopwatch) == 12
    assert warm_up(lambda: None, Plan(warmup=0), Script([1.0])) == 0


def test_latency_and_throughput_apart() -> None:
    """Runs of 2 ms wait one by one, and then 250 of them fill half a second."""
    stopwatch = Script([2.0])
    timed = measure(lambda: runnable(GOOD), 4, PLAN, stopwatch, now)
    assert timed.samples.wall_ms == (2.0,) * PLAN.runs
    stream = timed.samples.stream
    assert stream is not None
    assert (stream.runs, stream.images, stream.ms) == (250, 1000, 500.0)
    assert stopwatch.counts[-1] == 250 and set(stopwatch.counts[:-1]) == {1}
    assert timed.facts["clock"] == "script"
    assert timed.facts["sqnr_db"] == 200.0
    assert len(timed.conditions) == 2


def test_warm_again_after_the_conditions_were_read() -> None:
    """The device cooled down meanwhile: the clocks come back within three blocks of runs."""
    stopwatch = Script([5.0] + [2.0] * 6 + [4.0] * 3 + [2.0])
    timed = measure(lambda: runnable(GOOD), 4, PLAN, stopwatch, now)
    assert timed.samples.first_ms == 5.0
    assert timed.samples.wall_ms == (2.0,) * PLAN.runs
    assert timed.facts["warmup_runs"] == 6 + 9
    assert stopwatch.counts == [1] * (1 + 6 + 9 + PLAN.runs) + [250]


@pytest.mark.parametrize("replays", [False, True])
def test_the_peak_is_that_of_the_timed_runs(replays: bool) -> None:
    """cuDNN's search ran before; the replay of a capture allocates nothing that could be counted."""
    stopwatch = Script([2.0])
    measure(lambda: replace(runnable(GOOD), replays=replays), 4, PLAN, stopwatch, now)
    forgotten = [] if replays else [f"forget peak after {1 + 2 * 2 * PLAN.warmup} runs"]
    assert stopwatch.said == ["start memory", "wait", *forgotten]


@pytest.mark.parametrize(("run_ms", "runs"), [(1000.0, PLAN.runs), (1e-9, 10_000)])
def test_length_of_the_stream(run_ms: float, runs: int) -> None:
    timed = measure(lambda: runnable(GOOD), 1, PLAN, Script([run_ms]), now)
    assert timed.samples.stream is not None
    assert timed.samples.stream.runs == runs


def test_processors_clock() -> None:
    stopwatch: Stopwatch = CpuStopwatch()
    ran: list[int] = []
    assert stopwatch.time_ms(lambda: ran.append(1), 7) > 0
    assert len(ran) == 7
    assert stopwatch.peak_memory_mib(outside_torch=False) > 1


def test_only_checked_images_are_compared() -> None:
    """What is behind them is not known: the reference on the processor had no more."""
    batch = np.concatenate([GOOD, np.zeros_like(GOOD)])
    assert check_outputs(runnable(batch)) == 200.0


def test_nothing_wrong_is_timed() -> None:
    noise = np.random.default_rng(0).standard_normal(GOOD.shape).astype(np.float32)
    bad = GOOD.copy()
    bad[2, 3] = np.nan
    cases = {
        "non_finite_output": bad,
        "wrong_output": GOOD + 0.1 * noise,
    }
    for failure_class, outputs in cases.items():
        stopwatch = Script([1.0])
        with pytest.raises(RunnerError) as caught:
            measure(lambda given=outputs: runnable(given), 4, PLAN, stopwatch, now)  # type: ignore[misc]  # a default binds the loop's value
        assert caught.value.failure_class == failure_class
        assert len(stopwatch.counts) == 1, "no more than the first run"


def test_outputs_of_another_shape() -> None:
    with pytest.raises(RunnerError, match="outputs of shape"):
        check_outputs(runnable(GOOD[:, :5]))
