"""Changes between two stores as JUnit XML, which CI servers show as a list of tests."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from edgezoo.errors import OutputError
from edgezoo.measurement import Change, CompareResult

# What a verdict is to a test runner; the others are passed tests.
ELEMENTS = {
    "regression": "failure",
    "no number": "error",
    "undecided": "skipped",
    "missing": "skipped",
}


def write_junit(path: Path, result: CompareResult) -> None:
    """Write one test case per change; raises ``OutputError`` where the file cannot be written."""
    counts = dict.fromkeys(("failure", "error", "skipped"), 0)
    suite = ElementTree.Element("testsuite", name=f"edgezoo compare, gate {result.gate:.1%}")
    for change in result.changes:
        case = ElementTree.SubElement(suite, "testcase", _names(change))
        kind = ELEMENTS.get(change.verdict)
        if kind:
            counts[kind] += 1
            ElementTree.SubElement(case, kind, message=f"{change.verdict}: {change.evidence}")
    suite.set("tests", str(len(result.changes)))
    for kind, plural in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(plural, str(counts[kind]))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        reason = error.strerror
        message = f"{path} cannot be written ({reason}): free space there or name another file."
        raise OutputError(message) from error


def _names(change: Change) -> dict[str, str]:
    return {"classname": f"{change.device}.{change.runner}", "name": change.artifact}
