"""Report data as a run makes it: Lite0 in two formats and two recipes, timed on a computer."""

import base64
import dataclasses
import io
import random
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgezoo.measurement import DeviceInfo, Latency, Measurement, ProcessSamples
from edgezoo.plan import Plan
from edgezoo.report import ArtifactEntry, QuantizationFacts, ReportData
from edgezoo.types import FORMATS, Artifact, Comparison, Format, GalleryPhoto, Origin, Prediction

PUBLISHED = {
    "params": {"value": 4_700_000, "source": "EfficientNet-Lite, TensorFlow blog 2020, table 1"},
    "macs": {"value": 407_000_000, "source": "EfficientNet-Lite, TensorFlow blog 2020, table 1"},
    "top1": {"value": 75.1, "unit": "%", "source": "EfficientNet-Lite README, float32"},
    "latency_ms": {"pixel4_cpu_4_threads": 12.0, "pixel4_gpu": 9.0},
    "latency_ms_source": "EfficientNet-Lite README, table of models",
}
TFLITE_OPS = {"CONV_2D": 33, "DEPTHWISE_CONV_2D": 16, "ADD": 9, "MEAN": 1, "FULLY_CONNECTED": 1}
ONNX_OPS = {"Conv": 49, "Clip": 33, "Add": 9, "GlobalAveragePool": 1, "Flatten": 1, "Gemm": 1}
LATENCIES_MS = {
    ("tflite", "fp32"): 12.3,
    ("tflite", "w8a8"): 5.5,
    ("onnx", "fp32"): 14.1,
    ("onnx", "w8a8"): 8.2,
}
CLASSES = ("tabby", "tiger cat", "Egyptian cat", "Chesapeake Bay retriever", "espresso", "pier")


def build_entry(
    format_name: Format, recipe: str, model: str = "efficientnet_lite0", **changes: Any
) -> ArtifactEntry:
    quantized = recipe != "fp32"
    suffix = {"tflite": ".tflite", "onnx": ".onnx"}[format_name]
    path = Path(f"{model}-{recipe}{suffix}")
    sha256 = random.Random(str(path)).randbytes(32).hex()
    comparison = (
        Comparison(18.02, 2.41, 0.184, 0.9921, 14 / 15, 15, "photos", held_out=True)
        if quantized
        else Comparison(113.4, 1.2e-5, 1.9e-6, 1.0, 1.0, 16, "random")
    )
    artifact = Artifact(
        path=path,
        format=format_name,
        recipe=recipe,
        sha256=sha256,
        bytes=5_021_344 if quantized else 18_578_212,
        model=model,
        comparison=comparison,
        manifest=Path(f"{path}.json"),
        parent="5e" * 32 if quantized else None,
    )
    entry = ArtifactEntry(
        artifact=artifact,
        ops=TFLITE_OPS if format_name == "tflite" else ONNX_OPS,
        nodes=60 if format_name == "tflite" else 94,
        params=4_652_008,
        macs=398_619_648,
        partitions=1 if format_name == "tflite" else None,
        quantization=_quantization() if quantized else None,
        origin=Origin(model, "default", "9f" * 32, 0, (1, 3, 224, 224)),
        key="c0ffee" * 8,
        preprocessing={"size": 224, "resize": 256, "mean": [127.0] * 3, "std": [128.0] * 3},
        versions={"edgezoo": "0.1.0", "torch": "2.13.0", "ai-edge-litert": "2.3.0"},
    )
    return dataclasses.replace(entry, **changes)


def _quantization() -> QuantizationFacts:
    rules = {"min_max": 16.9, "mse": 18.0, "percentile_99.99": 17.4, "entropy": 13.2}
    return QuantizationFacts("mse", rules, 70, 15, 15, ("bias_correction",))


def build_measurement(
    entry: ArtifactEntry, latency_ms: float = 10.0, **changes: Any
) -> Measurement:
    """Five processes of thirty samples around ``latency_ms``, seeded by the artifact's name."""
    noise = random.Random(entry.name.encode("utf-8", "surrogatepass"))
    processes = tuple(_process(latency_ms * noise.uniform(0.98, 1.03), noise) for _ in range(5))
    medians = sorted(statistics.median(process.wall_ms) for process in processes)
    samples = sorted(wall for process in processes for wall in process.wall_ms)
    measurement = Measurement(
        artifact=entry.name,
        artifact_sha256=entry.artifact.sha256,
        model=entry.artifact.model,
        format=entry.artifact.format,
        recipe=entry.artifact.recipe,
        device=DeviceInfo("bench-box", "host", "AMD EPYC 7B13", 2, 7953, "Linux 6.1", None, 0.34),
        provenance="host",
        status="ok",
        failure_class=None,
        message=None,
        latency_ms=Latency(medians[2], samples[134], (medians[0], medians[4]), samples[0]),
        peak_memory_mib=61.4,
        runner="litert" if entry.artifact.format == "tflite" else "onnxruntime",
        runner_version="2.3.0" if entry.artifact.format == "tflite" else "1.23.0",
        delegate={"requested": "xnnpack", "partitions": 1}
        if entry.artifact.format == "tflite"
        else {"requested": "CPUExecutionProvider"},
        plan=Plan(),
        processes=processes,
        versions={"python": "3.11.2", "edgezoo": "0.1.0"},
        measured_at="2025-11-24T08:00:00Z",
        command=("edgezoo", "bench", entry.name, "--threads", "1"),
    )
    return dataclasses.replace(measurement, **changes)


def _process(centre_ms: float, noise: random.Random) -> ProcessSamples:
    wall = tuple(round(centre_ms * noise.lognormvariate(0, 0.02), 4) for _ in range(30))
    return ProcessSamples(wall, wall, 8.1, wall[0] * 1.9, 61.4, 3, 1764000000.0)


def build_doubtful(entry: ArtifactEntry, **changes: Any) -> Measurement:
    """A number that the processes disagree about: 8.23 ms, somewhere between 6.31 and 8.36."""
    doubtful: dict[str, Any] = {
        "status": "unstable",
        "message": "the 95 % interval spans 24.9 % of the median",
        "latency_ms": Latency(8.234, 8.457, (6.313, 8.364), 4.174),
        "peak_memory_mib": 77.2,
    }
    return dataclasses.replace(build_measurement(entry), **(doubtful | changes))


def build_failed(entry: ArtifactEntry, **changes: Any) -> Measurement:
    """A runner that crashed in its second process: samples exist, a number does not."""
    failed: dict[str, Any] = {
        "status": "failed",
        "failure_class": "crashed",
        "message": "process 2 of 5 ended with signal 11",
        "latency_ms": None,
        "peak_memory_mib": None,
    }
    return dataclasses.replace(build_measurement(entry), **failed, **changes)


def build_photo(
    index: int, sources: tuple[str, ...], differs_in: str = "", **changes: Any
) -> GalleryPhoto:
    noise = random.Random(index)
    order = noise.sample(CLASSES, 4)
    predictions = {}
    for source in sources:
        labels = [order[1], order[0], order[2]] if source == differs_in else order[:3]
        shares = (noise.uniform(0.4, 0.6), noise.uniform(0.1, 0.3), noise.uniform(0.01, 0.1))
        predictions[source] = tuple(map(Prediction, labels, shares))
    photo = GalleryPhoto(f"photo_{index:03}.jpg", thumbnail(index), predictions)
    return dataclasses.replace(photo, **changes)


def thumbnail(seed: int, side_px: int = 96) -> str:
    from PIL import Image

    noise = random.Random(seed)
    corners = bytes(noise.randrange(40, 220) for _ in range(2 * 2 * 3))
    picture = Image.frombytes("RGB", (2, 2), corners).resize((side_px, side_px))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=70)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def entries() -> tuple[ArtifactEntry, ...]:
    return tuple(build_entry(name, recipe) for name in FORMATS for recipe in ("fp32", "w8a8"))


@pytest.fixture
def measurements(entries: tuple[ArtifactEntry, ...]) -> tuple[Measurement, ...]:
    return tuple(
        build_measurement(entry, LATENCIES_MS[entry.artifact.format, entry.artifact.recipe])
        for entry in entries
    )


@pytest.fixture
def report_data(
    entries: tuple[ArtifactEntry, ...], measurements: tuple[Measurement, ...]
) -> ReportData:
    sources = ("pytorch", *(entry.name for entry in entries))
    gallery = [
        build_photo(
            index,
            sources,
            differs_in=entries[1].name if index % 5 == 4 else "",
            calibrated=index % 3 == 0,
        )
        for index in range(12)
    ]
    return ReportData(
        "efficientnet_lite0",
        entries,
        measurements,
        tuple(gallery),
        {"efficientnet_lite0": PUBLISHED},
    )


# tests/ holds no packages, so the builders reach the tests as fixtures


@pytest.fixture(scope="session")
def make_entry() -> Callable[..., ArtifactEntry]:
    return build_entry


@pytest.fixture(scope="session")
def make_measurement() -> Callable[..., Measurement]:
    return build_measurement


@pytest.fixture(scope="session")
def make_doubtful() -> Callable[..., Measurement]:
    return build_doubtful


@pytest.fixture(scope="session")
def make_failed() -> Callable[..., Measurement]:
    return build_failed


@pytest.fixture(scope="session")
def make_photo() -> Callable[..., GalleryPhoto]:
    return build_photo
