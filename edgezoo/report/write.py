"""The report's three files, each written whole: a temporary file, then a rename."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from edgezoo.errors import OutputError
from edgezoo.report.data import ReportData
from edgezoo.report.json_page import json_page
from edgezoo.report.markdown import markdown_page
from edgezoo.report.page import html_page
from edgezoo.types import ReportFiles

HTML_NAME = "report.html"
MARKDOWN_NAME = "report.md"
JSON_NAME = "report.json"


def write_report(data: ReportData, out: Path) -> ReportFiles:
    """Write ``report.html``, ``.md`` and ``.json`` into the folder ``out``, made if absent.

    Raises ``OutputError`` where that is impossible; files of an earlier report then stay whole.
    """
    texts = html_page(data), markdown_page(data), json_page(data)
    files = ReportFiles(out / HTML_NAME, out / MARKDOWN_NAME, out / JSON_NAME)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, text in zip((files.html, files.markdown, files.json), texts, strict=True):
            write_whole(path, text)
    except OSError as error:
        raise OutputError(
            f"The report cannot be written into {out} ({error.strerror}); "
            "choose a folder that can be written and has 10 MB free."
        ) from error
    return files


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` under another name first, then rename; raises ``OSError``.

    File names may hold bytes that are not UTF-8: they are written as escapes.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as f:
            f.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
