"""What NVIDIA's tools say of a GPU, and what makes a number throttled."""

import importlib.util
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgezoo.decode import from_json
from edgezoo.devices.gpu.nvidia import parse_smi, read_state, throttle_reasons
from edgezoo.devices.statistics import judge
from edgezoo.measurement import Conditions, GpuState, ProcessSamples
from edgezoo.types import to_json

BUSY = "1980, 2619, 61, 412.37, 700.00, 100, 0x0000000000000004\n"
# A card that does not tell its power, as GeForce cards of some years.
SILENT = "1354, 405, 41, [N/A], [Not Supported], 3, [N/A]\n"
STEADY = ProcessSamples((1.0,) * 30, (1.0,) * 30, 1.0, 1.0, 10.0, None, 0.0)


def test_a_line_of_nvidia_smi() -> None:
    assert parse_smi(BUSY) == GpuState(1980, 2619, 61.0, 412.37, 700.0, 100.0, ("sw_power_cap",))


def test_what_a_card_does_not_tell_is_unknown() -> None:
    assert parse_smi(SILENT) == GpuState(1354, 405, 41.0, None, None, 3.0, None)


@pytest.mark.parametrize("text", ["", "No devices were found\n", "1, 2, 3\n", "\n"])
def test_no_state(text: str) -> None:
    assert parse_smi(text) is None


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (0, ()),
        (0x1, ("gpu_idle",)),
        (0x60, ("sw_thermal_slowdown", "hw_thermal_slowdown")),
        (0x88, ("hw_slowdown", "hw_power_brake_slowdown")),
        (0x404, ("sw_power_cap", "0x400")),
    ],
)
def test_reasons(bits: int, names: tuple[str, ...]) -> None:
    assert throttle_reasons(bits) == names


@pytest.mark.skipif(importlib.util.find_spec("pynvml") is not None, reason="NVML answers first")
def test_nvidia_smi_is_only_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program gets a query and nothing that sets anything."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nprintf "{BUSY}"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert read_state("GPU-7") == parse_smi(BUSY)
    arguments = (tmp_path / "arguments").read_text().split()
    assert [a.partition("=")[0] for a in arguments] == ["--id", "--query-gpu", "--format"]
    assert arguments[0] == "--id=GPU-7"


# The part of NVML's Python package that is used, of a card that does not tell its limit.
NVML = """
class NVMLError(Exception): pass
NVML_CLOCK_GRAPHICS, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 0, 2, 0
class Rates: gpu = 97
def nvmlInit(): pass
def nvmlShutdown(): pass
def nvmlDeviceGetHandleByUUID(uuid):
    if uuid != "GPU-7": raise NVMLError
    return 7
def nvmlDeviceGetPowerUsage(handle): return 412370
def nvmlDeviceGetEnforcedPowerLimit(handle): raise NVMLError
def nvmlDeviceGetUtilizationRates(handle): return Rates
def nvmlDeviceGetClockInfo(handle, kind): return {0: 1980, 2: 2619}[kind]
def nvmlDeviceGetTemperature(handle, sensor): return 61
def nvmlDeviceGetCurrentClocksThrottleReasons(handle): return 0x24
"""


def test_nvml_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pynvml.py").write_text(NVML)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    reasons = ("sw_power_cap", "sw_thermal_slowdown")
    assert read_state("GPU-7") == GpuState(1980, 2619, 61, 412.37, None, 97, reasons)
    assert read_state("GPU-8") is None
    sys.modules.pop("pynvml")


@pytest.mark.parametrize(
    ("asked", "reasons"),
    [
        ("nvmlDeviceGetCurrentClocksEventReasons", ("sw_power_cap", "sw_thermal_slowdown")),
        ("nvmlDeviceGetSomethingElse", None),
    ],
)
def test_throttling_by_its_new_name_and_unknown(
    asked: str, reasons: tuple[str, ...] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query that the driver does not know is no proof that nothing held the clocks down."""
    package = NVML.replace("nvmlDeviceGetCurrentClocksThrottleReasons", asked)
    (tmp_path / "pynvml.py").write_text(package)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    state = read_state("GPU-7")
    sys.modules.pop("pynvml")
    assert state is not None
    assert state.throttle_reasons == reasons
    assert from_json(GpuState, to_json(state)) == state


@pytest.mark.parametrize(
    ("reasons", "status"),
    [
        (None, "ok"),
        ((), "ok"),
        (("sw_power_cap",), "ok"),
        (("applications_clocks_setting", "gpu_idle"), "ok"),
        (("sw_thermal_slowdown",), "throttled"),
        (("sw_power_cap", "hw_slowdown"), "throttled"),
    ],
)
def test_lowered_clocks_are_throttled(reasons: tuple[str, ...] | None, status: str) -> None:
    cool = Conditions("2026-01-01T00:00:00+00:00", gpu=GpuState(1980))
    hot = replace(cool, gpu=GpuState(1200, throttle_reasons=reasons))
    _, verdict = judge([STEADY] * 5, [cool, hot], seed=0)
    assert verdict.status == status
    if status == "throttled" and reasons:
        assert reasons[-1] in verdict.evidence
