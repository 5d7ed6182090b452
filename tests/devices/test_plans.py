"""Plans through a file and back; files that are no plans."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgezoo.decode import from_json
from edgezoo.devices.plans import read_plan, save_plan
from edgezoo.errors import ArtifactError, EdgezooError
from edgezoo.plan import Gate, Plan

some = st.builds(
    Plan,
    threads=st.integers(1, 8),
    min_seconds=st.floats(0, 1e3),
    accelerator=st.sampled_from(["cpu", "gpu", "nnapi"]),
    xnnpack=st.booleans(),
    cores=st.sampled_from(["none", "big", "f0"]),
    gate=st.builds(Gate, battery_celsius=st.none() | st.floats(0, 60)),
    sustained_s=st.floats(0, 1e4),
    reference=st.none(),
)


@given(some)
def test_what_is_saved_is_read(plan: Plan) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder, "plan.json")
        save_plan(path, plan)
        assert read_plan(path) == plan


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"runs": 9, "gate": {"battery_percent": null}}')
    assert read_plan(path) == Plan(runs=9, gate=Gate(battery_percent=None))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no plan"),
        ("[]", "Plan must be an object"),
        ('{"run": 9}', "run is not one of threads, processes"),
        ('{"gate": {"battery": 9}}', "battery is not one of thermal_status"),
        ('{"gate": 5}', "gate must be an object"),
        ('{"accelerator": "tpu"}', "accelerator must be one of cpu"),
        ('{"runs": "9"}', "runs must be int"),
        ('{"min_seconds": NaN}', "min_seconds must be finite"),
    ],
)
def test_no_plan(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(ArtifactError, match=words):
        read_plan(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"none\.json cannot be read"):
        read_plan(tmp_path / "none.json")


def test_a_measurement_holds_such_a_plan(tmp_path: Path) -> None:
    """So a stored number can be taken again."""
    save_plan(tmp_path / "p.json", Plan(seed=3))
    assert from_json(Plan, json.loads((tmp_path / "p.json").read_text())) == Plan(seed=3)
    assert issubclass(ArtifactError, EdgezooError)
