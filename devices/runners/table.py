"""The runners of this machine, one per format; a new one is one entry here."""

from __future__ import annotations

from collections.abc import Mapping

from edgezoo.devices.runners.litert import LITERT
from edgezoo.devices.runners.onnxruntime import ONNXRUNTIME
from edgezoo.devices.runners.session import Runner
from edgezoo.measurement import MeasuredFormat

RUNNERS: Mapping[MeasuredFormat, Runner] = {
    runner.format: runner for runner in (LITERT, ONNXRUNTIME)
}
