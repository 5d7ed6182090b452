"""Core ML on this Mac or on an iPhone plugged into it, through coremltools' own benchmarker.

Untested: nobody has run this file on a Mac yet. It is written from the source of coremltools 9.0
(models/ml_program/experimental), builds a signed host app on the phone and keeps raw samples.
Simulators are no phones and are never asked. Elsewhere than on macOS everything here refuses.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import platform
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgezoo.devices.imports.read import import_results
from edgezoo.errors import BenchmarkError, UsageError
from edgezoo.measurement import Measurement
from edgezoo.plan import Plan

SUFFIX = ".mlpackage"
UNTESTED = "Taken by an adapter that is untested with devices."


def require_ios(system: str = platform.system()) -> None:
    """Raise ``UsageError`` unless this is a Mac with Xcode and coremltools."""
    if system != "Darwin":
        raise UsageError(
            f"iPhones can only be measured from macOS with Xcode, and this is {system}; "
            "take the number there and bring it here with edgezoo import"
        )
    if shutil.which("xcrun") is None:
        raise UsageError("xcrun was not found; install Xcode and its command line tools")
    if importlib.util.find_spec("coremltools") is None:
        raise UsageError("coremltools is not installed; run pip install 'edgezoo[ios]'")


def measure_ios(package: Path, plan: Plan, results: Path, team: str) -> tuple[Measurement, ...]:
    """Time a Core ML package on the one connected iPhone and return its measurement.

    The raw answer is kept as JSON in ``results``; ``team`` is the Apple development team that signs
    the host app. Raises ``UsageError`` and ``BenchmarkError``.
    """
    require_ios()
    if package.suffix != SUFFIX or not package.is_dir():
        raise UsageError(f"{package} is no {SUFFIX} folder; make one with coremltools.convert")
    phone, content = asyncio.run(_benchmark(package, plan, team))
    results.write_text(json.dumps({"model": package.name, "compute_units": "ALL", **content}))
    return import_results([results], f"{phone} ({UNTESTED})")


async def _benchmark(package: Path, plan: Plan, team: str) -> tuple[str, dict[str, Any]]:
    import coremltools
    from coremltools.models.ml_program.experimental import perf_utils, remote_device

    phones = remote_device.Device.get_connected_devices(remote_device.DeviceType.IPHONE)
    if len(phones) != 1:
        names = ", ".join(phone.name for phone in phones) or "none"
        raise BenchmarkError(f"one iPhone must be connected, found {names}; unplug the others")
    credentials = remote_device.AppSigningCredentials(development_team=team)
    phone = await phones[0].prepare_for_model_debugging(credentials=credentials)
    model = coremltools.models.MLModel(str(package), skip_model_load=True)
    tool = perf_utils.MLModelBenchmarker(model, device=phone)
    load = await tool.benchmark_load(iterations=1)
    taken = await tool.benchmark_predict(iterations=plan.runs, warmup=plan.warmup > 0)
    return f"{phone.name}, iOS {phone.os_version}", {**asdict(taken), "load": asdict(load)}
