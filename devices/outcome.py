"""What one process on a device found out: numbers, or a failure with its class and its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgezoo.devices.failures import FailureClass
from edgezoo.measurement import Conditions, Energy, ProcessSamples, Profile


@dataclass(frozen=True, slots=True)
class Report:
    """What one process found out: ``samples``, or the class of failure with a message.

    ``delegate`` tells which accelerator was asked for and what it really took; ``conditions`` are
    the device's right before and after the process, where it tells. ``device_failed`` says that the
    device and not the model is to blame, so that the process is worth another try.
    """

    samples: ProcessSamples | None
    delegate: Mapping[str, Any]
    failure_class: FailureClass | None = None
    message: str | None = None
    profile: Profile | None = None
    energy: Energy | None = None
    conditions: tuple[Conditions, ...] = ()
    device_failed: bool = False


def failed(failure_class: FailureClass, message: str, *, device_failed: bool = False) -> Report:
    """Return the report of a process that gave no number."""
    return Report(None, {}, failure_class, message, device_failed=device_failed)
