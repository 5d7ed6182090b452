"""This machine as a station: one fresh Python process per run."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

from edgezoo.devices.cores import core_mask
from edgezoo.devices.describe import allowed_cores, describe_host, host_conditions
from edgezoo.devices.outcome import Report
from edgezoo.devices.processes import command, run_process
from edgezoo.devices.runners.child import Request
from edgezoo.devices.runners.table import RUNNERS
from edgezoo.devices.stations.station import Purpose, RunnerFacts
from edgezoo.devices.subjects import Subject
from edgezoo.errors import BenchmarkError, UsageError
from edgezoo.measurement import Cluster, DeviceInfo, MeasuredFormat
from edgezoo.plan import Plan


class HostStation:
    """The runtimes that are installed for this Python, on this machine's CPU."""

    @cached_property
    def device(self) -> DeviceInfo:
        """This machine, and its state when it was first asked for."""
        return describe_host()

    def check(self, subjects: Sequence[Subject], plan: Plan) -> None:
        """Refuse accelerators, which no runner of this machine has, cores and missing runtimes."""
        if plan.accelerator != "cpu":
            raise UsageError(
                f"accelerator {plan.accelerator} is for phones; this machine measures on cpu, "
                "choose a phone with --device"
            )
        onnx = [subject.path.name for subject in subjects if subject.format == "onnx"]
        if onnx and not plan.xnnpack:
            raise UsageError(
                f"--no-xnnpack is for .tflite files; ONNX Runtime uses no XNNPACK here, so leave "
                f"{', '.join(onnx)} out"
            )
        if plan.profile and not plan.xnnpack:
            raise UsageError(
                "LiteRT's profiler always runs XNNPACK, so take --no-xnnpack without --profile"
            )
        cores_for(plan.cores, self.device.clusters, allowed_cores())
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
        return command(self._request(subject, plan))

    def wait_until_fit(self, plan: Plan) -> Report | None:
        """Return at once: this machine has no gate, its load is recorded."""
        return None

    def run(self, subject: Subject, plan: Plan, purpose: Purpose) -> Report:
        """Run one process; the peak memory of a timing one is read without disturbing it."""
        request = replace(self._request(subject, plan), profile=purpose == "profile")
        before = host_conditions()
        report = run_process(request)
        return replace(report, conditions=(before, host_conditions()))

    def recover(self, report: Report) -> bool:
        """Return ``False``: what fails here is the model."""
        return False

    def _request(self, subject: Subject, plan: Plan) -> Request:
        cores = cores_for(plan.cores, self.device.clusters, allowed_cores())
        return Request(subject.path.absolute(), subject.format, plan, cores=cores)


def cores_for(choice: str, clusters: Sequence[Cluster], allowed: Sequence[int]) -> tuple[int, ...]:
    """Return the cores that ``--cores`` asks for, of those ``allowed`` to this process; none is all
    that the scheduler likes.

    Raises ``UsageError`` where there is no such core, or the system does not bind processes.
    """
    if choice == "none":
        return ()
    if not allowed:
        raise UsageError(f"this system binds no process to cores, so leave --cores {choice} out")
    if choice in ("big", "fast") and not clusters:
        raise UsageError(
            f"this machine does not tell how fast its cores are, so --cores {choice} is open; "
            f"give all or a mask such as {1 << allowed[0]:x}"
        )
    mask = core_mask(choice, clusters, max(allowed) + 1) or 0
    wanted = {core for core in range(mask.bit_length()) if mask >> core & 1}
    barred = sorted(wanted - set(allowed))
    if choice != "all" and barred:
        raise UsageError(
            f"--cores {choice} names core {', '.join(map(str, barred))}, which this process may not "
            f"use; the mask of those it may is {sum(1 << core for core in allowed):x}"
        )
    return tuple(sorted(wanted & set(allowed)))


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # run from a source tree, or built by hand
        return "unknown"
