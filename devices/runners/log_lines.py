"""Bytes that a program on a phone printed, as lines that can be matched; nothing is trusted.

Output may be cut anywhere, hold any bytes, lines of any length and any number of them. A line
counts only with its newline: the end of a cut line reads like a shorter number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# The largest genuine log, a profile of a thousand operators, is under 1 MiB.
LARGEST_LOG_BYTES = 4 << 20
# Of a larger one only the beginning is read, for the errors it may name; it gives no number.
BEGINNING_BYTES = 256 << 10
# Longer lines are no statement of the tool (profiles have about 200 characters).
LONGEST_LINE = 2000

NUMBER = r"-?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,3})?"

# logcat's two usual formats, then TFLite's own severity.
_PREFIX = re.compile(
    r"(?:\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,6} +\d{1,7} +\d{1,7} )?"
    r"(?:[VDIWEF] [\w.-]{1,40} *: |[VDIWEF]/[\w.-]{1,40} *\( *\d{1,7}\): )?"
    r"(?:(?P<severity>INFO|VERBOSE|DEBUG|WARN|WARNING|ERROR|FATAL): )?"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line without prefixes; ``severity`` is TFLite's word, empty where it printed none."""

    text: str
    severity: str = ""


def lines(data: bytes) -> Iterator[Line]:
    """Yield the complete lines, of too large a log only the first; overlong ones are shortened."""
    start = 0
    limit = BEGINNING_BYTES if too_large(data) else len(data)
    while (end := data.find(b"\n", start, limit)) >= 0:
        if end > start:
            yield _line(data[start : min(end, start + LONGEST_LINE)])
        else:
            yield Line("")
        start = end + 1


def too_large(data: bytes) -> bool:
    """Return whether ``lines`` leaves something out."""
    return len(data) > LARGEST_LOG_BYTES


def _line(raw: bytes) -> Line:
    text = raw.decode(errors="replace").rstrip("\r\n")
    prefix = _PREFIX.match(text)
    if prefix is None:  # cannot be: every part is optional
        return Line(text)
    return Line(text[prefix.end() :], prefix["severity"] or "")
