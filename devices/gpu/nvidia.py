"""Clocks, heat, power and throttling of an NVIDIA GPU, read and never set.

Through NVML's Python package (nvidia-ml-py) where it is installed, else through nvidia-smi, which
comes with the driver. What neither tells stays unknown; a measurement does not fail for it.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from edgezoo.measurement import GpuState

TIMEOUT_S = 10
# NVML's bits (nvml.h, nvmlClocksEventReasons; once called ThrottleReasons).
REASONS: Mapping[int, str] = {
    0x001: "gpu_idle",
    0x002: "applications_clocks_setting",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
}
FIELDS = (
    "clocks.gr",
    "clocks.mem",
    "temperature.gpu",
    "power.draw",
    "enforced.power.limit",
    "utilization.gpu",
    "clocks_throttle_reasons.active",  # newer drivers still know this name
)


def read_state(uuid: str) -> GpuState | None:
    """Return the state of the GPU with this ``uuid``; ``None`` where nothing tells it."""
    if importlib.util.find_spec("pynvml") is not None:
        state = _from_nvml(uuid)
        if state is not None:
            return state
    return parse_smi(_smi("--id=" + uuid, "--query-gpu=" + ",".join(FIELDS)))


def driver_version() -> str | None:
    """Return the version of NVIDIA's driver; ``None`` where nvidia-smi does not tell."""
    lines = _smi("--query-gpu=driver_version").splitlines()
    return lines[0].strip() if lines else None


def throttle_reasons(bits: int) -> tuple[str, ...]:
    """Return the names of what holds the clocks down; unknown bits are named by their number."""
    known = tuple(name for bit, name in REASONS.items() if bits & bit)
    unknown = bits & ~sum(REASONS)
    return (*known, f"{unknown:#x}") if unknown else known


def parse_smi(text: str) -> GpuState | None:
    """Return the state in nvidia-smi's line of CSV without header and units.

    Values such as ``[N/A]`` and ``[Not Supported]`` are unknown.
    """
    lines = text.strip().splitlines()
    cells = [cell.strip() for cell in lines[0].split(",")] if lines else []
    if len(cells) != len(FIELDS):
        return None
    graphics, memory, celsius, power, limit, busy = map(_number, cells[:-1])
    try:
        reasons = throttle_reasons(int(cells[-1], 16))
    except ValueError:
        reasons = None
    return GpuState(
        graphics_mhz=None if graphics is None else round(graphics),
        memory_mhz=None if memory is None else round(memory),
        celsius=celsius,
        power_w=power,
        power_limit_w=limit,
        utilization_percent=busy,
        throttle_reasons=reasons,
    )


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _smi(*arguments: str) -> str:
    """Return what nvidia-smi prints, nothing where it is missing or fails."""
    binary = shutil.which("nvidia-smi")
    if binary is None:
        return ""
    argv = (binary, *arguments, "--format=csv,noheader,nounits")
    try:
        done = subprocess.run(argv, capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout.decode(errors="replace")


def _from_nvml(uuid: str) -> GpuState | None:
    import pynvml

    def ask(name: str, *arguments: Any) -> Any:  # Any: pynvml has no types
        try:
            return getattr(pynvml, name)(*arguments)
        except (pynvml.NVMLError, AttributeError):  # the card or the package does not know it
            return None

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handle = ask("nvmlDeviceGetHandleByUUID", uuid)
        if handle is None:
            return None
        milliwatts = ask("nvmlDeviceGetPowerUsage", handle)
        limit_mw = ask("nvmlDeviceGetEnforcedPowerLimit", handle)
        busy = ask("nvmlDeviceGetUtilizationRates", handle)
        bits = ask("nvmlDeviceGetCurrentClocksEventReasons", handle)
        if bits is None:  # a package or driver from before it was renamed
            bits = ask("nvmlDeviceGetCurrentClocksThrottleReasons", handle)
        return GpuState(
            graphics_mhz=ask("nvmlDeviceGetClockInfo", handle, pynvml.NVML_CLOCK_GRAPHICS),
            memory_mhz=ask("nvmlDeviceGetClockInfo", handle, pynvml.NVML_CLOCK_MEM),
            celsius=ask("nvmlDeviceGetTemperature", handle, pynvml.NVML_TEMPERATURE_GPU),
            power_w=None if milliwatts is None else milliwatts / 1e3,
            power_limit_w=None if limit_mw is None else limit_mw / 1e3,
            utilization_percent=None if busy is None else busy.gpu,
            throttle_reasons=None if bits is None else throttle_reasons(bits),
        )
    finally:
        pynvml.nvmlShutdown()
