"""What is asked, on this machine with Android's commands put in front of its path."""

from pathlib import Path

import pytest

from edgezoo.devices.survey import read_conditions
from edgezoo.devices.transports.local import LocalTransport
from tests.devices.phone_texts import POWER_8, POWER_13

OLDEST = "  mWakefulness=Awake\n  Display Power: state=ON\n"


@pytest.mark.parametrize(
    ("power", "low_power_mode", "asked"),
    [(POWER_8, True, False), (POWER_13, False, False), (OLDEST, True, True)],
    ids=["its field", "its state machine", "the setting"],
)
def test_the_setting_is_asked_for_where_the_service_does_not_tell(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    power: str,
    low_power_mode: bool,
    asked: bool,
) -> None:
    """It costs half a second on a phone, at every process."""
    commands, mark = tmp_path / "bin", tmp_path / "asked"
    commands.mkdir()
    (tmp_path / "power").write_text(power)
    scripts = {
        "dumpsys": f'[ "$1" != power ] || cat {tmp_path}/power',
        "settings": f"touch {mark}; echo 1",
    }
    for name, script in scripts.items():
        (commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(commands), prepend=":")
    state = read_conditions(LocalTransport(str(tmp_path / "edgezoo")))
    assert state.low_power_mode is low_power_mode
    assert mark.exists() is asked
