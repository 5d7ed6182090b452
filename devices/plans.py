"""Plans as files, so that a measurement is taken the same way again, here or by somebody else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from edgezoo import artifacts
from edgezoo.decode import from_json
from edgezoo.errors import ArtifactError
from edgezoo.plan import Gate, Plan


def save_plan(path: Path, plan: Plan) -> None:
    """Write a plan as JSON, whole or not at all; raises ``OutputError``."""
    artifacts.write_json(path, plan)


def read_plan(path: Path) -> Plan:
    """Return the plan in a file; what the file leaves out takes its default.

    Raises ``ArtifactError`` for a file that cannot be read or is no plan. A name that plans do not
    have is an error too: misspelt, it would leave a default where somebody set a value.
    """
    try:
        content = json.loads(path.read_bytes())
        _refuse_unknown(content)
        return from_json(Plan, content)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}): check the path.") from error
    except ValueError as error:
        message = f"{path} is no plan ({error}): write one with edgezoo bench --save-plan."
        raise ArtifactError(message) from error


def _refuse_unknown(content: Any) -> None:  # Any: parsed JSON
    for noun, part in ((Plan, content), (Gate, content.get("gate"))) if _is_object(content) else ():
        names = [field.name for field in fields(noun)]
        unknown = [name for name in part if name not in names] if _is_object(part) else []
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is not one of {', '.join(names)}")


def _is_object(value: object) -> bool:
    return isinstance(value, Mapping)
