"""This machine as a station: one fresh Python process per run."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

from edgezoo.devices.describe import describe_host
from edgezoo.devices.outcome import Report
from edgezoo.devices.processes import command, run_process
from edgezoo.devices.runners.child import Request
from edgezoo.devices.runners.table import RUNNERS
from edgezoo.devices.stations.station import Purpose, RunnerFacts
from edgezoo.devices.subjects import Subject
from edgezoo.errors import BenchmarkError, UsageError
from edgezoo.measurement import DeviceInfo, MeasuredFormat, Plan


class HostStation:
    """The runtimes that are installed for this Python, on this machine's CPU."""

    @cached_property
    def device(self) -> DeviceInfo:
        """This machine, and its state when it was first asked for."""
        return describe_host()

    def check(self, subjects: Sequence[Subject], plan: Plan) -> None:
        """Refuse accelerators, which no runner of this machine has, and missing runtimes."""
        if plan.accelerator != "cpu":
            raise UsageError(
                f"accelerator {plan.accelerator} is for phones; this machine measures on cpu, "
                "choose a phone with --device"
            )
        formats = {subject.format for subject in subjects}
        runners = [runner for runner in RUNNERS.values() if runner.format in formats]
        missing = [r for r in runners if not importlib.util.find_spec(r.module.split(".")[0])]
        if missing:
            names = ", ".join(f".{runner.format}" for runner in missing)
            wanted = " ".join(runner.distribution for runner in missing)
            raise BenchmarkError(f"No runtime for {names} is installed: run pip install {wanted}.")

    def runner(self, format_: MeasuredFormat) -> RunnerFacts:
        """Return the runtime and what the number depends on, as installed for this Python."""
        runner = RUNNERS[format_]
        names = ("edgezoo", "numpy", runner.distribution)
        versions = {"python": python_version(), **{name: _version(name) for name in names}}
        return RunnerFacts(runner.name, versions[runner.distribution], versions)

    def command(self, subject: Subject, plan: Plan) -> tuple[str, ...]:
        """Return the command of one process, which gives the report on its own."""
        return command(_request(subject, plan))

    def wait_until_fit(self, plan: Plan) -> Report | None:
        """Return at once: this machine has no gate, its load is recorded."""
        return None

    def run(self, subject: Subject, plan: Plan, purpose: Purpose) -> Report:
        """Run one process; the peak memory of a timing one is read without disturbing it."""
        return run_process(replace(_request(subject, plan), profile=purpose == "profile"))

    def recover(self, report: Report) -> bool:
        """Return ``False``: what fails here is the model."""
        return False


def _request(subject: Subject, plan: Plan) -> Request:
    return Request(subject.path.absolute(), subject.format, plan)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # run from a source tree, or built by hand
        return "unknown"
