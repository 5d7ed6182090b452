"""The separate, instrumented run that a plan may ask for, after the timing processes of a model."""

from __future__ import annotations

from dataclasses import replace

from edgezoo.devices.profiles.join import joined
from edgezoo.devices.stations.station import Station
from edgezoo.devices.subjects import Subject
from edgezoo.measurement import Measurement
from edgezoo.plan import Plan


def with_profile(
    measurement: Measurement, station: Station, subject: Subject, plan: Plan
) -> Measurement:
    """Return ``measurement`` with the profile that ``plan.profile`` asks for.

    A number stays one where its profile fails; the message then says why there is none.
    """
    if not plan.profile or measurement.latency_ms is None:
        return measurement
    report = station.wait_until_fit(plan) or station.run(subject, plan, "profile")
    if report.profile is not None and subject.format in ("tflite", "onnx"):
        profile = joined(report.profile, subject.path, subject.format)
        return replace(measurement, profile=profile)
    missing = f"No profile: {report.message or 'the runner told none'}."
    return replace(measurement, message=" ".join(filter(None, (measurement.message, missing))))
