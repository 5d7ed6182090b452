"""JSON of coremltools' MLModelBenchmarker: ``json.dump(dataclasses.asdict(measurement), file)``.

Its ``Measurement`` has ``samples`` in milliseconds and their ``statistics`` (coremltools 8.3 and
later, models/ml_program/experimental/perf_utils.py). Beside it may stand ``model``, ``compute_units``
and ``load``, a ``Measurement`` of ``benchmark_load``. Written from the source, untested with a Mac.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass

from edgezoo.decode import from_json
from edgezoo.devices.failures import Failure
from edgezoo.devices.imports.found import Found
from edgezoo.measurement import ProcessSamples

RUNNER = "Core ML"
_NOTE = "The import of Core ML's numbers is untested with a device."
# The tool computes statistics in float64 from the same samples.
_TOLERANCE = 1e-6
_LONGEST_MS = 3_600_000.0


@dataclass(frozen=True, slots=True)
class _Statistics:
    minimum: float
    maximum: float
    average: float
    median: float


@dataclass(frozen=True, slots=True)
class _Measured:
    samples: tuple[float, ...] = ()
    statistics: _Statistics | None = None


@dataclass(frozen=True, slots=True)
class _File:
    samples: tuple[float, ...] = ()
    statistics: _Statistics | None = None
    load: _Measured = _Measured()
    model: str = ""
    compute_units: str = "unknown"


def read_coreml_json(content: bytes) -> Found | Failure:
    """Return the samples of a file, or why they cannot be believed; never raises."""
    try:
        file = from_json(_File, json.loads(content))
    except (ValueError, RecursionError, OverflowError) as error:
        message = f"it is no JSON of MLModelBenchmarker ({str(error)[:200]})"
        return Failure("bad_output", message)
    if not file.samples:
        return Failure("incomplete_log", "it holds no samples")
    loads = file.load.samples or (0.0,)
    if not all(0 < s <= _LONGEST_MS for s in file.samples) or min(loads) < 0:
        return Failure("invalid_numbers", "it holds durations that cannot be true")
    if file.statistics is not None and not _agree(file.samples, file.statistics):
        return Failure("bad_output", "its statistics are not those of its samples")
    process = ProcessSamples(
        wall_ms=file.samples,
        cpu_ms=(),
        load_ms=loads[0],
        first_ms=file.samples[0],
        peak_memory_mib=None,
        involuntary_switches=None,
        started_at=0.0,
        log_sha256=hashlib.sha256(content).hexdigest(),
    )
    delegate = {"requested": file.compute_units, "used": "unknown"}
    return Found(process, RUNNER, "coreml", delegate, file.model, notes=(_NOTE,))


def _agree(samples: tuple[float, ...], told: _Statistics) -> bool:
    ordered = sorted(samples)
    middle = len(ordered) // 2
    median = (ordered[middle] + ordered[-1 - middle]) / 2
    pairs = (
        (told.minimum, ordered[0]),
        (told.maximum, ordered[-1]),
        (told.average, math.fsum(samples) / len(samples)),
        (told.median, median),
    )
    return all(math.isclose(a, b, rel_tol=_TOLERANCE) for a, b in pairs)
