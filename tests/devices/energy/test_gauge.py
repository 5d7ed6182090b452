"""The sampler on this machine's own shell, and the parser on what links make of its lines."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.devices.energy.gauge import MARKER, Reading, between, parse_readings, sampler_script

SHELLS = ("sh", "dash", "bash", "mksh")  # Android's is mksh


def _gauge(folder: Path, name: str = "battery", **files: str) -> Path:
    supply = folder / name
    supply.mkdir(parents=True)
    for file, content in files.items():
        (supply / file).write_text(content + "\n")
    return folder


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_reads_a_gauge(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: apt install {shell}")
    folder = _gauge(tmp_path, current_now="-412000", voltage_now="3891000", status="Discharging")
    script = sampler_script(3, 0.01, str(folder))
    ended = subprocess.run([shell, "-c", script], capture_output=True, timeout=20, check=True)
    readings = parse_readings(ended.stdout)
    assert len(readings) == 3
    assert {(r.current, r.voltage, r.status) for r in readings} == {
        (-412000, 3891000, "Discharging")
    }


def test_the_script_finds_other_supplies(tmp_path: Path) -> None:
    folder = _gauge(tmp_path, name="bms", current_now="300", voltage_now="4000", status="Full")
    script = sampler_script(1, 0.01, str(folder))
    ended = subprocess.run(["sh", "-c", script], capture_output=True, timeout=20, check=True)
    assert [r.status for r in parse_readings(ended.stdout)] == ["Full"]


@pytest.mark.parametrize("files", [{}, {"voltage_now": "4000", "status": "Full"}])
def test_no_gauge_is_said_by_the_exit_code(files: dict[str, str], tmp_path: Path) -> None:
    script = sampler_script(2, 0.01, str(_gauge(tmp_path, **files)))
    ended = subprocess.run(["sh", "-c", script], capture_output=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, b"", b"")


LINE = f"{MARKER} 5012.31 -412000 3891000 Discharging"
GARBLED = {
    "cut": LINE[:-30],
    "without a current": f"{MARKER} 5012.31  3891000 Discharging",
    "two in one": LINE + LINE,
    "a foreign word": f"{MARKER} 5012.31 nan 3891000 Discharging",
    "huge": f"{MARKER} 5012.31 {'9' * 40} 3891000 Discharging",
}


@pytest.mark.parametrize("line", GARBLED.values(), ids=GARBLED)
def test_garbled_lines_are_left_out(line: str) -> None:
    later = LINE.replace("5012.31", "5013.31")
    output = f"{line}\r\n{later}\r\n".encode()
    assert parse_readings(output) == (Reading(5013.31, -412000, 3891000, "Discharging"),)


def test_time_only_goes_forward() -> None:
    output = "\n".join(LINE.replace("5012.31", time) for time in ("10.0", "11.0", "10.5", "12.0"))
    readings = parse_readings(output.encode())
    assert [r.at_s for r in readings] == [10.0, 11.0, 12.0]
    assert [r.at_s for r in between(readings, 10.5, 11.5)] == [11.0]


@given(st.binary(max_size=300))
def test_any_bytes_are_survived(noise: bytes) -> None:
    assert parse_readings(noise + b"\n" + LINE.encode())[-1:] == (
        Reading(5012.31, -412000, 3891000, "Discharging"),
    )
