"""JSON files that edgezoo wrote, read with distrust: every damage is named with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from edgezoo.decode import from_json
from edgezoo.errors import ArtifactError

Noun = TypeVar("Noun")


def read_text(path: Path) -> str:
    """The text of a file; raises ``ArtifactError``."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise damaged(str(path), "it is not UTF-8 text") from error


def parse(text: str, place: str) -> object:
    """``text`` as JSON; ``place`` names it in the error."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise damaged(place, f"no JSON: {error}") from error


def decode(noun: type[Noun], raw: object, place: str) -> Noun:
    """Parsed JSON as a noun; raises ``ArtifactError`` that names ``place``."""
    try:
        return from_json(noun, raw)
    except ValueError as error:
        raise damaged(place, str(error)) from error


def damaged(place: str, reason: str) -> ArtifactError:
    """The error for a file that does not hold what edgezoo writes."""
    return ArtifactError(
        f"{place} is damaged ({reason}); remove it and run the command that wrote it again."
    )
