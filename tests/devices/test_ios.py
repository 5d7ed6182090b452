"""What can be said of iPhones where there is no Mac."""

import platform
import shutil
from pathlib import Path

import pytest

from edgezoo.devices.ios import measure_ios, require_ios
from edgezoo.errors import UsageError
from edgezoo.plan import Plan


@pytest.mark.parametrize("system", ["Linux", "Windows"])
def test_elsewhere_it_refuses_in_one_sentence(system: str) -> None:
    with pytest.raises(
        UsageError, match=f"macOS with Xcode, and this is {system}; .* edgezoo import"
    ):
        require_ios(system)


@pytest.mark.skipif(platform.system() == "Darwin", reason="this is a Mac")
def test_nothing_is_measured_here(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    with pytest.raises(UsageError, match="macOS"):
        measure_ios(tmp_path / "net.mlpackage", Plan(), results, "TEAM")
    assert not results.exists()


@pytest.mark.skipif(shutil.which("xcrun") is not None, reason="Xcode is installed")
def test_a_mac_without_xcode() -> None:
    with pytest.raises(UsageError, match="xcrun was not found"):
        require_ios("Darwin")
