"""What one process on a device found out: numbers, or a failure with its class and its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgezoo.devices.runners.session import FailureClass
from edgezoo.measurement import Conditions, ProcessSamples, Profile


@dataclass(frozen=True, slots=True)
class Report:
    """What one process found out: ``samples``, or the class of failure with a message.

    ``delegate`` tells which accelerator was asked for and what it really took; ``conditions`` are
    the device's right before and after the process, where it tells.
    """

    samples: ProcessSamples | None
    delegate: Mapping[str, Any]
    failure_class: FailureClass | None = None
    message: str | None = None
    profile: Profile | None = None
    conditions: tuple[Conditions, ...] = ()


def failed(failure_class: FailureClass, message: str) -> Report:
    """Return the report of a process that gave no number."""
    return Report(None, {}, failure_class, message)
