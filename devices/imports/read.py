"""One result file to one measurement; what is incomplete or contradicts itself is refused.

Nothing here was taken by edgezoo: no conditions of the device are known, there is one process, and
the time is that of the file. The message of every such measurement says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from edgezoo.artifacts import file_sha256
from edgezoo.devices.failures import Failure
from edgezoo.devices.imports.benchmark_tool import read_benchmark_log
from edgezoo.devices.imports.coreml import read_coreml_json
from edgezoo.devices.imports.found import Found
from edgezoo.devices.runners.log_lines import LARGEST_LOG_BYTES
from edgezoo.devices.statistics import judge
from edgezoo.devices.subjects import Subject, read_subjects
from edgezoo.errors import ArtifactError, BenchmarkError, UsageError
from edgezoo.measurement import DeviceInfo, Measurement
from edgezoo.plan import Plan

MLPERF = ".mlperf"
UNKNOWN = "unknown"


def import_results(
    files: Sequence[Path], device: str, artifact: Path | None = None
) -> tuple[Measurement, ...]:
    """Return one measurement per file, taken on the device that the user calls ``device``.

    ``artifact`` is the model file that all of them measured; without it only its name is known.

    Raises:
        UsageError: no file, no name of the device, or a format that is not documented.
        ArtifactError: a file is missing, or the artifact is.
        BenchmarkError: files that hold no number, all of them at once with the class of failure.
    """
    if not files:
        raise UsageError("no result file was given; name at least one log or JSON file")
    if not device.strip():
        raise UsageError(
            "the device has no name; say what the files were measured on with --device"
        )
    reports = [str(path) for path in files if path.suffix == MLPERF]
    if reports:
        raise UsageError(
            f"{', '.join(reports)} cannot be read, because the format of Xcode's performance reports "
            "is not documented; measure with coremltools' MLModelBenchmarker and import its JSON"
        )
    subject = read_subjects([artifact])[0] if artifact is not None else None
    found: list[Measurement] = []
    problems: list[str] = []
    for path in files:
        result = _read(path)
        if isinstance(result, Failure):
            problems.append(f"{path} ({result.failure_class}): {result.sentence}")
        else:
            found.append(_measurement(path, result, device, subject))
    if problems:
        raise BenchmarkError(f"nothing was imported: {' '.join(problems)}")
    return tuple(found)


def _read(path: Path) -> Found | Failure:
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST_LOG_BYTES else b""
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}); check the path"
        raise ArtifactError(message) from error
    if size > LARGEST_LOG_BYTES:
        return Failure("bad_output", f"it is larger than {LARGEST_LOG_BYTES >> 20} MiB")
    reader: Callable[[bytes], Found | Failure] = read_benchmark_log
    if content.lstrip().startswith(b"{"):
        reader = read_coreml_json
    return reader(content)


def _measurement(path: Path, found: Found, device: str, subject: Subject | None) -> Measurement:
    written = path.stat().st_mtime
    process = replace(found.process, started_at=written)
    latency, judged = judge((process,), (), seed=0)
    name = Path(found.graph).name if found.graph else path.name
    source: Mapping[str, str] = {"imported_file": path.name, "imported_sha256": file_sha256(path)}
    note = f"Imported from {path.name}: edgezoo did not take this number and knows no conditions."
    return Measurement(
        artifact=subject.path.name if subject else name,
        artifact_sha256=subject.sha256 if subject else "",
        model=subject.model if subject else Path(name).stem,
        format=subject.format if subject else found.format,
        recipe=subject.recipe if subject else UNKNOWN,
        device=DeviceInfo(device, "imported", UNKNOWN, 0, 0, UNKNOWN),
        provenance="imported",
        status=judged.status,
        failure_class=None,
        message=" ".join((judged.evidence, note, *found.notes)),
        latency_ms=latency,
        peak_memory_mib=found.process.peak_memory_mib,
        runner=found.runner,
        runner_version=UNKNOWN,
        delegate=found.delegate,
        plan=Plan(threads=found.threads, processes=1, warmup=found.warmup, runs=process.runs),
        processes=(process,),
        versions=source,
        measured_at=datetime.fromtimestamp(written, UTC).isoformat(timespec="seconds"),
    )
