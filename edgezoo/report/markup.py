"""HTML that is escaped by construction: every ``str`` is text, only ``Html`` is markup."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

VOID = frozenset({"br", "img", "input", "link", "meta"})


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that may stand on the page as it is."""

    text: str


Child = Html | str
Attribute = str | int | bool | None


def element(tag: str, /, *children: Child, **attributes: Attribute) -> Html:
    """Return ``<tag …>children</tag>``; ``class_`` is ``class``, ``aria_label`` ``aria-label``.

    An attribute of ``True`` has no value, one of ``None`` or ``False`` is left out.
    """
    parts = [tag]
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(attribute)
        elif value is not None and value is not False:
            parts.append(f'{attribute}="{html.escape(str(value))}"')
    opening = f"<{' '.join(parts)}>"
    if tag in VOID:
        return Html(opening)
    return Html(f"{opening}{fragment(*children).text}</{tag}>")


def fragment(*children: Child) -> Html:
    """Children beside each other."""
    return Html("".join(c.text if isinstance(c, Html) else html.escape(c) for c in children))


def headings(names: Sequence[str], numeric: Sequence[str] = ()) -> Html:
    """A table's row of column headings; an empty name is a corner, ``numeric`` ones align right."""
    cells = (
        element("th", name, scope="col", class_="number" if name in numeric else None)
        if name
        else element("td")
        for name in names
    )
    return element("thead", element("tr", *cells))


def breakable(text: str) -> Html:
    """``text`` with the places marked where a long name may go on in the next line."""
    pieces = re.split(r"(?<=[-_./])|(?<=[a-z])(?=[A-Z])", text)
    return Html("<wbr>".join(html.escape(piece) for piece in pieces))


def file_name(text: str) -> Html:
    """A file name that goes on in the next line before its last word: ``net_`` / ``w8a8.onnx``."""
    cut = max(text.rfind("_"), text.rfind("-")) + 1
    parts = (part for part in (text[:cut], text[cut:]) if part)
    return fragment(*(element("span", breakable(part), class_="part") for part in parts))


def script(code: str) -> Html:
    """JavaScript that cannot end its own element early."""
    if "</script" in code.lower() or "<!--" in code:
        raise ValueError("the script would end its own element")
    return Html(f"<script>{code}</script>")


def json_script(identifier: str, value: object) -> Html:
    """Data for a script; ``<`` is written as an escape, so that no text can end the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Html(f'<script type="application/json" id="{html.escape(identifier)}">{text}</script>')
