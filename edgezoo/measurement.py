"""The nouns of measuring: where (``DeviceInfo``), what came out; what was asked is a ``plan.Plan``.

Standard library only. Everything here is a line of a results store, so a field is never renamed;
new ones have defaults, with which older stores are read. Latencies are milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from edgezoo.plan import Plan

# Where a number comes from; no table or plot mixes two of them.
Provenance = Literal["phone", "simulated", "host", "gpu", "imported"]
# A GPU reference run measures the PyTorch module itself; Core ML's numbers are imported.
MeasuredFormat = Literal["tflite", "onnx", "pytorch", "coreml"]
Status = Literal["ok", "unstable", "throttled", "failed"]
# What two stores say of one setting.
ChangeVerdict = Literal["regression", "improvement", "same", "undecided", "missing", "no number"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Cores of one kind: their numbers and their highest frequency as the kernel tells it."""

    cores: tuple[int, ...]
    max_mhz: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """The machine a number was measured on, and its state at the time.

    ``serial`` is how the transport addresses it (empty for this machine); ``cpu`` its SoC or
    processor; ``abis`` what binaries it runs, best first; ``fingerprint`` the system build.
    ``emulator`` tells a real Android on a computer from edgezoo's own simulated phones.
    """

    name: str
    kind: Provenance
    cpu: str
    cores: int
    memory_mib: int
    os: str
    governor: str | None = None
    load_1min: float | None = None
    serial: str = ""
    clusters: tuple[Cluster, ...] = ()
    abis: tuple[str, ...] = ()
    fingerprint: str | None = None
    emulator: bool = False


@dataclass(frozen=True, slots=True)
class GpuState:
    """Clocks, heat and power of a GPU at one moment, read and never set; ``None`` where unknown.

    ``throttle_reasons`` are NVML's names of what holds the clocks down, in lower case; an empty tuple
    says that nothing does.
    """

    graphics_mhz: int | None = None
    memory_mhz: int | None = None
    celsius: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    utilization_percent: float | None = None
    throttle_reasons: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """The state of a device at one moment; ``None`` where it does not tell.

    ``thermal_status`` is Android's (0 none … 6 shutdown), ``hottest_celsius`` the warmest sensor by
    name, ``mhz`` the current frequency of each core, ``screen_on`` whether the display is awake.
    """

    taken_at: str
    thermal_status: int | None = None
    hottest_celsius: float | None = None
    hottest_sensor: str | None = None
    battery_celsius: float | None = None
    battery_percent: float | None = None
    charging: bool | None = None
    screen_on: bool | None = None
    low_power_mode: bool | None = None
    mhz: tuple[int, ...] = ()
    load_1min: float | None = None
    gpu: GpuState | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency in milliseconds: the median of process medians, the 90th and 95th percentile of all
    samples, and a 95 % interval of the median over processes (low, high; ``devices.intervals``).

    A runner that keeps no samples gives no pooled percentiles: ``p90`` is then ``None`` and ``p95``
    the median of the processes' own.
    """

    median: float
    p90: float | None
    interval: tuple[float, float]
    minimum: float
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Throughput:
    """Images per second of runs back to back: the median over processes, and its 95 % interval."""

    images_per_s: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Stream:
    """``runs`` back to back, waited for once at the end: ``images`` in ``ms`` milliseconds."""

    runs: int
    images: int
    ms: float


@dataclass(frozen=True, slots=True)
class Aggregates:
    """What a runner without samples reports of its timed runs, in milliseconds.

    ``deviation`` is the population standard deviation; ``median``, ``p5`` and ``p95`` are ``None``
    in old builds of benchmark_model.
    """

    count: int
    mean: float
    minimum: float
    maximum: float
    deviation: float
    median: float | None = None
    p5: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class ProcessSamples:
    """Raw samples of one process, in milliseconds of wall and CPU time, in the order taken.

    ``started_at`` is seconds since 1970; ``memory_before_mib`` the peak before the model was loaded
    (the interpreter and the runtime's libraries), ``None`` where a runner cannot tell. A runner that
    keeps no samples leaves both tuples empty and gives its ``aggregates``. ``log_sha256`` is the
    hash of all that the process printed, ``stream`` the throughput of a reference run.
    """

    wall_ms: tuple[float, ...]
    cpu_ms: tuple[float, ...]
    load_ms: float
    first_ms: float
    peak_memory_mib: float | None
    involuntary_switches: int | None
    started_at: float
    memory_before_mib: float | None = None
    aggregates: Aggregates | None = None
    log_sha256: str | None = None
    stream: Stream | None = None

    @property
    def runs(self) -> int:
        """How many timed runs the process made."""
        return self.aggregates.count if self.aggregates else len(self.wall_ms)

    @property
    def median_ms(self) -> float | None:
        """The median latency; ``None`` where the runner gave neither samples nor a median."""
        if self.aggregates:
            return self.aggregates.median
        return median(self.wall_ms) if self.wall_ms else None


@dataclass(frozen=True, slots=True)
class OpTime:
    """One operation of a profile: its time per inference, and how often it ran in one.

    ``name`` and ``op`` are the runner's words, ``where`` what executed it ("XNNPACK", "built-in
    kernels", a delegate). ``value`` names the file's own value that it computes and ``macs`` its
    multiply-accumulates, where the runner's word could be joined with a node of the file.
    """

    name: str
    op: str
    ms: float
    calls: int = 1
    where: str | None = None
    value: str | None = None
    macs: int | None = None

    @property
    def gflops(self) -> float | None:
        """Achieved billions of floating-point (or integer) operations per second, two per MAC."""
        return 2 * self.macs / (self.ms * 1e6) if self.macs and self.ms > 0 else None


@dataclass(frozen=True, slots=True)
class Profile:
    """Time per operation of one separate, instrumented run, in order of execution.

    ``whole_ms`` is the mean latency of the same ``runs`` inferences, clocked around each;
    ``None`` where the runner does not tell.
    """

    ops: tuple[OpTime, ...]
    runs: int
    whole_ms: float | None = None

    @property
    def ops_ms(self) -> float:
        """The time of all operations together."""
        return math.fsum(op.ms for op in self.ops)

    @property
    def coverage(self) -> float | None:
        """The share of the whole latency that the operations account for."""
        return self.ops_ms / self.whole_ms if self.whole_ms else None

    @property
    def joined(self) -> float | None:
        """The share of the operations' time that was joined with the file's own nodes."""
        total = self.ops_ms
        return (
            math.fsum(op.ms for op in self.ops if op.value is not None) / total if total else None
        )


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of one inference in millijoules from the phone's own fuel gauge, baseline subtracted,
    with its 95 % interval; ``samples`` readings over ``seconds``.
    """

    millijoules: float
    interval: tuple[float, float]
    baseline_mw: float
    load_mw: float
    samples: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """One artifact timed on one device, with all that is needed to take the number again.

    ``latency_ms`` is ``None`` where ``status`` is ``failed``; ``failure_class`` and ``message`` then
    say why; otherwise ``message`` is the evidence for the status. ``delegate`` tells which
    accelerator was asked for and what it really took. ``conditions`` are the device's before and
    after; ``runner_sha256`` is that of the binary on the device, ``None`` for an installed package.
    With the format ``pytorch``, ``artifact`` names the network and ``artifact_sha256`` is that of its
    weights (``Origin.weights_sha256``).
    """

    artifact: str
    artifact_sha256: str
    model: str
    format: MeasuredFormat
    recipe: str
    device: DeviceInfo
    provenance: Provenance
    status: Status
    failure_class: str | None
    message: str | None
    latency_ms: Latency | None
    peak_memory_mib: float | None
    runner: str
    runner_version: str
    delegate: Mapping[str, Any]
    plan: Plan
    processes: tuple[ProcessSamples, ...]
    versions: Mapping[str, str]
    measured_at: str
    command: tuple[str, ...] = ()
    conditions: tuple[Conditions, ...] = ()
    runner_sha256: str | None = None
    profile: Profile | None = None
    energy: Energy | None = None
    throughput: Throughput | None = None

    @property
    def subject(self) -> str:
        """What tells it from others: the file's sha256, or its name where an import knows no more."""
        return self.artifact_sha256 or f"{self.format} {self.model} {self.artifact}"

    @property
    def title(self) -> str:
        """The artifact, and the setting of a reference run: "net, eager, fp16, batch 8"."""
        reference = self.plan.reference
        return self.artifact if reference is None else f"{self.artifact}, {reference.label}"


@dataclass(frozen=True, slots=True)
class Change:
    """One setting in two stores: ``ratio`` is the latency in B over that in A, with its 95 %
    interval, ``None`` where too few processes give none. ``missing`` says that one store lacks it,
    ``no number`` that it failed or was throttled.
    """

    artifact: str
    device: str
    runner: str
    verdict: ChangeVerdict
    evidence: str
    ratio: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class CompareResult:
    """What ``compare`` returns."""

    gate: float
    changes: tuple[Change, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """The changes that are proven slow-downs beyond the gate."""
        return tuple(change for change in self.changes if change.verdict == "regression")


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What ``bench`` returns."""

    measurements: tuple[Measurement, ...]
