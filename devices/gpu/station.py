"""A GPU as a station, and the reference run: every network in every setting, interleaved."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgezoo.devices.course import Progress
from edgezoo.devices.describe import describe_host
from edgezoo.devices.gpu.child import CPU_DEVICE, MODULE, Request
from edgezoo.devices.gpu.files import own_batch
from edgezoo.devices.gpu.machine import CUDA, Gpu, Machine, check_device, find_gpu, look
from edgezoo.devices.gpu.settings import check_sweep, floor_db, settings, unsupported
from edgezoo.devices.journal import Journal
from edgezoo.devices.outcome import Report, failed
from edgezoo.devices.processes import run_command
from edgezoo.devices.protocol import check_plan, measure_at
from edgezoo.devices.stations.station import Purpose, RunnerFacts
from edgezoo.devices.subjects import Subject
from edgezoo.errors import UsageError
from edgezoo.measurement import DeviceInfo, MeasuredFormat, Measurement
from edgezoo.plan import Plan, Sweep
from edgezoo.types import to_json


@dataclass(frozen=True, slots=True)
class ReferenceStation:
    """One GPU of this machine; without a ``gpu``, PyTorch on its CPU."""

    machine: Machine
    gpu: Gpu | None
    device: DeviceInfo

    def check(self, subjects: Sequence[Subject], plan: Plan) -> None:
        """Refuse files that are not ONNX, and files where ONNX Runtime is missing."""
        others = [s.path.name for s in subjects if s.format not in ("pytorch", "onnx")]
        if others:
            raise UsageError(
                f"{', '.join(others)} cannot be measured as a reference, which takes networks and "
                ".onnx files; leave --device out, or name the network"
            )
        if not self.machine.providers and any(s.format == "onnx" for s in subjects):
            raise UsageError("ONNX Runtime is not installed: run pip install onnxruntime-gpu")

    def runner(self, format_: MeasuredFormat) -> RunnerFacts:
        """Return PyTorch or ONNX Runtime, with the versions of everything below it."""
        versions = self.machine.versions
        if format_ == "pytorch":
            return RunnerFacts("pytorch", versions["torch"], versions)
        names = ("onnxruntime-gpu", "onnxruntime")
        installed = next((versions[name] for name in names if name in versions), "unknown")
        return RunnerFacts("onnxruntime", installed, versions)

    def command(self, subject: Subject, plan: Plan) -> tuple[str, ...]:
        """Return the command of one process, which gives the report on its own."""
        request = json.dumps(to_json(self._request(subject, plan)))
        return (sys.executable, "-P", "-m", MODULE, request)

    def wait_until_fit(self, plan: Plan) -> Report | None:
        """Return at once: a GPU has no gate, its heat and clocks are recorded."""
        return None

    def run(self, subject: Subject, plan: Plan, purpose: Purpose) -> Report:
        """Run one process, unless the device has no such setting."""
        reason = None if plan.reference is None else unsupported(plan.reference, self.gpu)
        if reason is not None:
            return failed("unsupported_setting", reason)
        return run_command(self.command(subject, plan), plan.timeout_s, plan.runs)

    def recover(self, report: Report) -> bool:
        """Return ``False``: what fails here is the model or the setting."""
        return False

    def _request(self, subject: Subject, plan: Plan) -> Request:
        precision = "fp32" if plan.reference is None else plan.reference.precision
        return Request(
            path=subject.path.absolute() if subject.origin is None else subject.path,
            origin=subject.origin,
            device=CPU_DEVICE if self.gpu is None else f"{CUDA}:{self.gpu.index}",
            uuid="" if self.gpu is None else self.gpu.uuid,
            floor_db=floor_db(precision, subject.recipe),
            plan=plan,
        )


def open_station(device: str, sweep: Sweep) -> ReferenceStation:
    """Return the station that ``device`` (``cuda``, ``cuda:N``, ``torch-cpu``) names.

    Raises ``UsageError`` for a name or a sweep that makes no sense, and where there is no such GPU.
    """
    check_device(device)
    check_sweep(sweep)
    machine = look()
    return reference_station(machine, find_gpu(machine, device))


def reference_station(machine: Machine, gpu: Gpu | None) -> ReferenceStation:
    """Return the station of a GPU, or of PyTorch on the CPU (provenance ``host``)."""
    host = describe_host()
    if gpu is None:
        return ReferenceStation(machine, None, host)
    device = replace(
        host,
        name=gpu.name,
        kind="gpu",
        memory_mib=gpu.memory_mib,
        serial=f"{CUDA}:{gpu.index}",
        fingerprint=f"{gpu.uuid} driver {machine.versions.get('driver', 'unknown')}",
    )
    return ReferenceStation(machine, gpu, device)


def measure_references(
    station: ReferenceStation,
    subjects: Sequence[Subject],
    plan: Plan,
    sweep: Sweep,
    *,
    store: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Measurement, ...]:
    """Time networks and ONNX files in every setting of ``sweep``, one measurement for each.

    What a device, file or network cannot do is a failed measurement with its reason; the others go
    on. ``sweep`` was checked by ``open_station``. Raises ``UsageError`` where nothing can be
    measured, before anything was.
    """
    check_plan(plan)
    station.check(subjects, plan)
    work = [
        (subject, replace(plan, reference=setting))
        for subject in subjects
        for setting in settings(subject, _batch(subject), sweep, station.machine, station.gpu)
    ]
    with Journal(store) as journal:
        return measure_at(
            station,
            [subject for subject, _ in work],
            [planned for _, planned in work],
            journal,
            on_progress=on_progress,
        )


def _batch(subject: Subject) -> int:
    return own_batch(subject.path) if subject.origin is None else subject.origin.input[0]
