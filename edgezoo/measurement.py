"""The nouns of measuring: what was asked (``Plan``), where (``DeviceInfo``), what came out.

Standard library only. Everything here is a line of a results store, so a field is never renamed;
new ones have defaults, with which older stores are read. Latencies are milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, get_args

# Where a number comes from; no table or plot mixes two of them.
Provenance = Literal["phone", "simulated", "host", "gpu", "imported"]
# A GPU reference run measures the PyTorch module itself; Core ML's numbers are imported.
MeasuredFormat = Literal["tflite", "onnx", "pytorch", "coreml"]
Status = Literal["ok", "unstable", "throttled", "failed"]
# What two stores say of one setting.
ChangeVerdict = Literal["regression", "improvement", "same", "undecided", "missing", "no number"]
# What shall execute the model. On ``cpu`` XNNPACK is on unless the plan turns it off.
Accelerator = Literal["cpu", "gpu", "nnapi"]
# Which cores a process may run on: the fastest cluster, all but the slowest, all by mask, or
# whatever the scheduler chooses; a hexadecimal mask such as ``f0`` is possible too.
CoreChoice = Literal["big", "fast", "all", "none"]

ACCELERATORS: tuple[Accelerator, ...] = get_args(Accelerator)
CORE_CHOICES: tuple[CoreChoice, ...] = get_args(CoreChoice)

# How a reference run executes a network (the first three) or an ONNX file (the others).
Execution = Literal["eager", "compile", "cuda-graph", "onnxruntime", "tensorrt"]
# ``fp32`` is IEEE's throughout; ``tf32`` multiplies float32 numbers cut to 10 bits of mantissa.
Precision = Literal["fp32", "tf32", "bf16", "fp16"]
MemoryFormat = Literal["contiguous", "channels-last"]

EXECUTIONS: tuple[Execution, ...] = get_args(Execution)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
MEMORY_FORMATS: tuple[MemoryFormat, ...] = get_args(MemoryFormat)


@dataclass(frozen=True, slots=True)
class Gate:
    """The conditions under which a phone may be measured, and how long to wait for them.

    A phone that is warmer, emptier or throttled cools down for at most ``cooldown_s`` seconds;
    then it is a failure, not a number. ``None`` turns one condition off.
    """

    thermal_status: int | None = 0
    battery_celsius: float | None = 37.0
    battery_percent: float | None = 30.0
    cooldown_s: float = 600.0


@dataclass(frozen=True, slots=True)
class ReferenceSetting:
    """How a reference run (``--device cuda``) executes a network or an ONNX file."""

    execution: Execution
    precision: Precision = "fp32"
    batch: int = 1
    memory_format: MemoryFormat = "contiguous"

    @property
    def label(self) -> str:
        """The setting in words: "eager, fp16, batch 8, channels-last"."""
        layout = () if self.memory_format == "contiguous" else (self.memory_format,)
        return ", ".join((self.execution, self.precision, f"batch {self.batch}", *layout))


@dataclass(frozen=True, slots=True)
class Sweep:
    """The settings to measure, all combinations of them.

    No ``executions`` are those that the device has for a network or file, no ``batches`` its own.
    ``memory_formats`` are a matter of networks; an ONNX file has the layout that it has.
    """

    executions: tuple[Execution, ...] = ()
    precisions: tuple[Precision, ...] = ("fp32",)
    batches: tuple[int, ...] = ()
    memory_formats: tuple[MemoryFormat, ...] = ("contiguous",)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure: ``processes`` fresh processes per model, interleaved over models,
    each with ``warmup`` untimed runs, then at least ``runs`` timed ones and ``min_seconds`` of them.

    ``cores`` is a ``CoreChoice`` or a hexadecimal mask. ``sustained_s`` above 0 draws the latency of
    one long process over that time instead. ``energy_s`` above 0 reads a phone's fuel gauge, so long
    idle and so long under load. ``memory`` and ``profile`` add separate runs, because
    both disturb the timing. ``reference`` is set in reference runs alone. The rounds of processes
    begin evenly over ``spread_s`` seconds where they would be quicker, because processes of the same
    few seconds agree with each other more than with the next run.
    """

    threads: int = 1
    processes: int = 7
    warmup: int = 5
    runs: int = 30
    min_seconds: float = 0.0
    timeout_s: float = 600.0
    seed: int = 0
    accelerator: Accelerator = "cpu"
    xnnpack: bool = True
    cores: str = "none"
    gate: Gate = Gate()
    sustained_s: float = 0.0
    energy_s: float = 0.0
    memory: bool = True
    profile: bool = False
    reference: ReferenceSetting | None = None
    spread_s: float = 0.0


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
