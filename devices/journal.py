"""A run's journal beside its results store: what is done, so that an interrupted run goes on.

One JSON line per event: a job begins, a process of it ends, its measurement is in the store. A run
that was killed, or in which a device failed, leaves its journal behind; the same command then
measures only what is missing. A run that ended well removes it, so the next one starts anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Self

from edgezoo import results
from edgezoo.decode import from_json
from edgezoo.devices.outcome import Report
from edgezoo.devices.stations.station import RunnerFacts
from edgezoo.devices.subjects import Subject
from edgezoo.errors import ArtifactError, OutputError
from edgezoo.measurement import DeviceInfo, Measurement
from edgezoo.plan import Plan
from edgezoo.types import to_json

SUFFIX = ".run"
# Processes further apart than this are no longer one measurement.
LONGEST_PAUSE = timedelta(hours=24)


def job_key(
    subject: Subject, occurrence: int, device: DeviceInfo, runner: RunnerFacts, plan: Plan
) -> str:
    """Return the name of a job: a file on a device with a runner, as planned.

    ``occurrence`` counts how often the same file was asked for before, since a path given twice is
    measured twice.
    """
    parts = (
        subject.contents,
        occurrence,
        device.serial,
        device.name,
        device.fingerprint,
        runner.name,
        runner.sha256 or runner.version,
        to_json(plan),
    )
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(slots=True)
class Job:
    """What the journal knows of one job; ``stored`` is the digest of its measurement."""

    started_at: str
    reports: list[Report] = field(default_factory=list)
    stored: str | None = None


class Journal:
    """The events of one run and the store that it fills; safe to use from several threads.

    Every line is on disk when the call returns. ``store=None`` keeps nothing. While another process
    runs with the same store, this one keeps no journal and shares only the store. Raises
    ``OutputError`` where a file cannot be written and ``ArtifactError`` where one is damaged.
    """

    def __init__(self, store: Path | None) -> None:
        self._store = store
        self._lock = Lock()
        self._path = None if store is None else store.with_name(store.name + SUFFIX)
        self._descriptor = None if self._path is None else _open_alone(self._path)
        self._jobs = {} if self._descriptor is None else _read(self._path)
        self._stored = _stored(store) if store is not None and self._jobs else {}
        self._asked: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def begin(self, key: str, started_at: str) -> Job:
        """Return what is known of a job, a new one where the journal has none."""
        with self._lock:
            known = key in self._jobs
            job = self._jobs.setdefault(key, Job(started_at))
            self._asked.append(key)
            if not known:
                self._write({"job": key, "started_at": started_at})
        return job

    def measurement(self, job: Job) -> Measurement | None:
        """Return the measurement of a job that was finished before, from the store."""
        return self._stored.get(job.stored or "")

    def add(self, key: str, report: Report) -> None:
        """Keep the report of a process that gave samples; failures are tried again."""
        if report.samples is not None:
            with self._lock:
                self._write({"job": key, "report": to_json(report)})

    def finish(self, key: str, measurement: Measurement, *, again: bool) -> None:
        """Put a measurement into the store; ``again`` says that the job is still to be done."""
        digest = _digest(measurement)
        with self._lock:
            if self._store is not None and digest not in self._stored:
                results.append(self._store, [measurement])
            if not again:
                self._jobs[key].stored = digest
                self._write({"job": key, "stored": digest})

    def close(self) -> None:
        """End the run: where every job that was asked for is done, the journal forgets them."""
        if self._descriptor is None or self._path is None:
            return
        if all(self._jobs[key].stored for key in self._asked):
            # What else is there is of a run that was interrupted, its finished jobs too.
            rest = {key: job for key, job in self._jobs.items() if key not in self._asked}
            _rewrite(self._path, rest)
        os.close(self._descriptor)  # gives the lock back
        self._descriptor = None

    def _write(self, event: Mapping[str, Any]) -> None:
        if self._descriptor is None:
            return
        # The first newline closes a line that a kill left half written.
        try:
            os.write(self._descriptor, b"\n" + json.dumps(event, allow_nan=False).encode() + b"\n")
            os.fsync(self._descriptor)
        except OSError as error:
            message = f"{self._path} cannot be written ({error.strerror}): free space there."
            raise OutputError(message) from error


def _open_alone(path: Path) -> int | None:
    """Return a locked descriptor, ``None`` where another process holds the lock."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            message = f"{path} cannot be written ({error.strerror}): name another store."
            raise OutputError(message) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)  # the run that held it has removed or replaced it meanwhile


def _rewrite(path: Path, jobs: Mapping[str, Job]) -> None:
    """Leave only ``jobs`` in the journal, which goes where there are none."""
    if not jobs:
        path.unlink(missing_ok=True)
        return
    events: list[Mapping[str, Any]] = []
    for key, job in jobs.items():
        events.append({"job": key, "started_at": job.started_at})
        events += [{"job": key, "report": to_json(report)} for report in job.reports]
        events += [{"job": key, "stored": job.stored}] if job.stored else []
    new = path.with_name(path.name + ".new")
    new.write_text("".join(json.dumps(event) + "\n" for event in events))
    new.replace(path)


def _digest(measurement: Measurement) -> str:
    """Return what tells a measurement from every other one: its file, device, time and processes."""
    parts = (
        measurement.artifact_sha256,
        measurement.device.serial,
        measurement.measured_at,
        measurement.failure_class,
        to_json(measurement.processes),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _stored(store: Path) -> dict[str, Measurement]:
    if not store.exists():
        return {}
    return {_digest(item): item for item in results.read(store).measurements}


def _read(path: Path | None) -> dict[str, Job]:
    """Return the jobs of a journal without those of earlier days, and without torn lines."""
    if path is None:
        return {}
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}): delete it.") from error
    jobs: dict[str, Job] = {}
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line) if line else None
        except ValueError:
            continue  # torn by the kill that the journal is for
        if event is not None:
            _replay(jobs, event, f"{path}, line {number}")
    oldest = (datetime.now(UTC) - LONGEST_PAUSE).isoformat(timespec="seconds")
    return {key: job for key, job in jobs.items() if job.started_at >= oldest}


def _replay(jobs: dict[str, Job], event: Any, place: str) -> None:  # Any: parsed JSON
    try:
        if "started_at" in event:  # it began anew: what was found earlier was too old to go on
            jobs[event["job"]] = Job(event["started_at"])
        job = jobs.setdefault(event["job"], Job(""))
        if "report" in event:
            job.reports.append(from_json(Report, event["report"]))
        job.stored = event.get("stored", job.stored)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ArtifactError(f"{place}, is no journal ({error}): delete that file.") from error
