"""Runs that are killed go on where they were; runs that ended start anew."""

import fcntl
import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edgezoo import results
from edgezoo.devices.course import Progress
from edgezoo.devices.journal import SUFFIX, Journal
from edgezoo.devices.outcome import Report, failed
from edgezoo.devices.protocol import measure
from edgezoo.errors import ArtifactError
from edgezoo.measurement import ProcessSamples
from edgezoo.plan import Plan

PLAN = Plan(warmup=0, processes=3, runs=4)
NOW = datetime.now(UTC).isoformat(timespec="seconds")
REPORT = Report(ProcessSamples((1.0,), (1.0,), 1.0, 1.0, 5.0, 0, 0.0), {"name": "none"})
OTHER_REPORT = Report(ProcessSamples((2.0,), (2.0,), 1.0, 1.0, 5.0, 0, 0.0), {"name": "none"})
# Ends itself as the power cut would, before the process that its second argument numbers.
KILLED = """
import os, signal, sys
from pathlib import Path
from edgezoo.devices.protocol import measure
from edgezoo.plan import Plan
def on_progress(step):
    print(step.artifact, flush=True)
    if step.done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
plan = Plan(warmup=0, processes=3, runs=4)
measure([Path(p) for p in sys.argv[3:]], plan, store=Path(sys.argv[1]), on_progress=on_progress)
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "out" / "results.jsonl"


def journal_of(store: Path) -> Path:
    return store.with_name(store.name + SUFFIX)


@pytest.mark.parametrize("killed_before", [1, 3, 5])
def test_killed_run_goes_on(killed_before: int, store: Path, build_model: Any) -> None:
    paths = [build_model("a.tflite"), build_model("b.onnx")]
    argv = [sys.executable, "-c", KILLED, str(store), str(killed_before), *map(str, paths)]
    ended = subprocess.run(argv, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    steps: list[Progress] = []
    found = measure(paths, PLAN, store=store, on_progress=steps.append)
    assert [step.done for step in steps] == list(range(killed_before, 6)), "nothing is repeated"
    assert [len(m.processes) for m in found] == [3, 3]
    kept = results.read(store).measurements
    assert sorted(m.artifact for m in kept) == ["a.tflite", "b.onnx"]
    assert sorted(map(repr, kept)) == sorted(map(repr, found))
    assert not journal_of(store).exists()


def test_finished_run_is_not_taken_for_a_new_one(store: Path, build_model: Any) -> None:
    path = build_model("a.tflite")
    (first,), (second,) = (measure([path], PLAN, store=store) for _ in range(2))
    assert first.processes != second.processes
    assert len(results.read(store).measurements) == 2


def test_other_plan_is_another_job(store: Path, build_model: Any) -> None:
    path = build_model("a.tflite")
    argv = [sys.executable, "-c", KILLED, str(store), "2", str(path)]
    subprocess.run(argv, capture_output=True)
    steps: list[Progress] = []
    measure([path], replace(PLAN, runs=5), store=store, on_progress=steps.append)
    assert len(steps) == 3
    assert journal_of(store).exists(), "the killed run can still go on"
    steps.clear()
    measure([path], PLAN, store=store, on_progress=steps.append)
    assert len(steps) == 1


def test_killed_between_store_and_journal(store: Path, build_model: Any) -> None:
    """The measurement is in the store, but its journal line is not: it is not stored twice."""
    path = build_model("a.tflite")
    with Journal(store) as journal:
        (key, started_at) = ("k", NOW)
        journal.begin(key, started_at)
    (measured,) = measure([path], PLAN, store=store)
    lines = [json.dumps({"job": "k", "started_at": NOW})]
    journal_of(store).write_text("\n".join(lines) + "\n")
    with Journal(store) as journal:
        journal.begin("k", NOW)
        journal.finish("k", measured, again=False)
    assert len(results.read(store).measurements) == 1


def test_torn_line_is_closed(store: Path) -> None:
    with Journal(store) as journal:
        journal.begin("k", NOW)
        journal.add("k", REPORT)
    with journal_of(store).open("ab") as file:
        file.write(b'{"job": "k", "report": {"samp')
    with Journal(store) as journal:
        assert journal.begin("k", NOW).reports == [REPORT]
        journal.add("k", REPORT)
    with Journal(store) as journal:
        assert journal.begin("k", NOW).reports == [REPORT, REPORT]


def test_failures_are_tried_again(store: Path) -> None:
    with Journal(store) as journal:
        journal.begin("k", NOW)
        journal.add("k", failed("timeout", "it hung", device_failed=True))
    with Journal(store) as journal:
        assert journal.begin("k", NOW).reports == []


def test_yesterdays_run_is_not_continued(store: Path) -> None:
    old = (datetime.now(UTC) - timedelta(hours=25)).isoformat(timespec="seconds")
    with Journal(store) as journal:
        journal.begin("k", old)
        journal.add("k", REPORT)
    with Journal(store) as journal:
        assert journal.begin("k", NOW).reports == []
        journal.add("k", OTHER_REPORT)
    with Journal(store) as journal:
        assert journal.begin("k", NOW).reports == [OTHER_REPORT], "today's run is"


def test_another_run_keeps_what_is_finished(store: Path, build_model: Any) -> None:
    """A run that ends well in between forgets its own jobs alone."""
    (measured,) = measure([build_model("a.tflite")], PLAN)
    with Journal(store) as journal:
        journal.begin("done", NOW)
        journal.finish("done", measured, again=False)
        journal.begin("half", NOW)
        journal.add("half", REPORT)
    measure([build_model("b.tflite")], PLAN, store=store)
    with Journal(store) as journal:
        assert journal.measurement(journal.begin("done", NOW)) == measured
        assert journal.begin("half", NOW).reports == [REPORT]


def test_the_journal_goes_while_it_is_opened(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that held it removes it after another one opened it: nothing is written to no name."""
    flock, removed = fcntl.flock, list[int]()

    def remove_then_lock(descriptor: int, operation: int) -> None:
        if not removed:
            removed.append(descriptor)
            journal_of(store).unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_then_lock)
    with Journal(store) as journal:
        journal.begin("k", NOW)
        journal.add("k", REPORT)
    assert removed
    with Journal(store) as journal:
        assert journal.begin("k", NOW).reports == [REPORT]


def test_two_runs_at_once_do_not_mix(store: Path) -> None:
    with Journal(store) as first:
        first.begin("k", NOW)
        first.add("k", REPORT)
        with Journal(store) as second:
            assert second.begin("k", NOW).reports == []
            second.add("k", REPORT)
    with Journal(store) as journal:
        assert journal.begin("k", NOW).reports == [REPORT]


def test_foreign_file_is_refused(store: Path) -> None:
    store.parent.mkdir()
    journal_of(store).write_text('["not", "a", "journal"]\n')
    with pytest.raises(ArtifactError, match=r"line 1, is no journal"):
        Journal(store)
