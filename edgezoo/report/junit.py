"""Changes between two stores as JUnit XML, which CI servers show as a list of tests."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from edgezoo.errors import OutputError
from edgezoo.measurement import Change, CompareResult

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
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
            message = printable(f"{change.verdict}: {change.evidence}")
            ElementTree.SubElement(case, kind, message=message)
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
    classname = printable(f"{change.device}.{change.runner}")
    return {"classname": classname, "name": printable(change.artifact)}


def printable(text: str) -> str:
    """Return ``text`` with a question mark for what XML 1.0 (section 2.2, Char) has no character for."""
    return NOT_IN_XML.sub("?", text)
