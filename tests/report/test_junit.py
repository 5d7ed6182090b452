from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgezoo.errors import OutputError
from edgezoo.measurement import Change, ChangeVerdict, CompareResult
from edgezoo.report.junit import write_junit

VERDICTS: tuple[ChangeVerdict, ...] = (
    "regression",
    "improvement",
    "same",
    "undecided",
    "missing",
    "no number",
)
RESULT = CompareResult(
    0.05, tuple(Change(f"<{v}>.tflite", "Pixel & co", "litert", v, f"why {v}") for v in VERDICTS)
)


def test_only_proven_regressions_are_failures(tmp_path: Path) -> None:
    write_junit(tmp_path / "new" / "changes.xml", RESULT)
    suite = ElementTree.parse(tmp_path / "new" / "changes.xml").getroot()
    assert dict(suite.attrib) | {"name": ""} == {
        "name": "",
        "tests": "6",
        "failures": "1",
        "errors": "1",
        "skipped": "2",
    }
    kinds = {case.attrib["name"]: [child.tag for child in case] for case in suite}
    assert kinds == {
        "<regression>.tflite": ["failure"],
        "<improvement>.tflite": [],
        "<same>.tflite": [],
        "<undecided>.tflite": ["skipped"],
        "<missing>.tflite": ["skipped"],
        "<no number>.tflite": ["error"],
    }
    (failure,) = suite.iter("failure")
    assert failure.attrib["message"] == "regression: why regression"


def test_a_name_that_xml_cannot_hold(tmp_path: Path) -> None:
    """An escape character, and a byte that is no UTF-8 as Python keeps it."""
    name = "a\x1b[31m\udcff\U0001f600.tflite"
    change = Change(name, "Pixel\x00", "litert", "regression", f"{name} is slower")
    write_junit(tmp_path / "changes.xml", CompareResult(0.05, (change,)))
    suite = ElementTree.parse(tmp_path / "changes.xml").getroot()
    (case,), (failure,) = suite.iter("testcase"), suite.iter("failure")
    assert case.attrib == {"classname": "Pixel?.litert", "name": "a?[31m?\U0001f600.tflite"}
    assert failure.attrib["message"] == "regression: a?[31m?\U0001f600.tflite is slower"


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_junit(tmp_path / "file" / "changes.xml", RESULT)
