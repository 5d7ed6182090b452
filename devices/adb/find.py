"""Where the adb binary is. Google's own is driven; no library replaces it.

The Python clients lose the reasons of failures, and one that talks to the phone itself cannot share
USB with a running server. The wheel ``adbutils`` is used only for the binary it carries.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from edgezoo.devices.failures import DeviceError, Failure
from edgezoo.devices.transports.process import run_process

VARIABLE = "EDGEZOO_ADB"
VERSION_S = 20.0


@dataclass(frozen=True, slots=True)
class Adb:
    """An adb binary; ``found_by`` says where it was looked for, ``release`` is its own version.

    ``protocol`` is the number that client and server must share: 41 in adb 1.0.41, that is in every
    release since 2018.
    """

    path: Path
    found_by: str
    release: str
    protocol: int


def find_adb(given: str | Path | None = None, environment: Mapping[str, str] = os.environ) -> Adb:
    """Return the adb of ``--adb``, else of the first place that has one; see ``places``.

    A path that was named and is no adb is an error, never passed over.

    Raises:
        DeviceError: of class ``tool_missing`` or ``tool_broken``.
    """
    for found_by, path in places(given, environment):
        return _examined(path, found_by)
    looked = f"--adb, {VARIABLE}, ANDROID_HOME, PATH and the package adbutils"
    raise DeviceError(Failure("tool_missing", f"no adb binary is found by {looked}"))


def places(given: str | Path | None, environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Yield what may be adb, best first; the first two are as the user says, existing or not."""
    if given is not None:
        yield "--adb", Path(given)
    if environment.get(VARIABLE):
        yield VARIABLE, Path(environment[VARIABLE])
    for variable in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        path = Path(environment.get(variable, ""), "platform-tools", "adb")
        if environment.get(variable) and path.is_file():
            yield variable, path
    on_path = shutil.which("adb", path=environment.get("PATH", ""))
    if on_path:
        yield "PATH", Path(on_path)
    wheel = find_spec("adbutils")  # looks for it, does not import it
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        path = Path(folder, "binaries", "adb")
        if path.is_file():
            yield "adbutils", path


def _examined(path: Path, found_by: str) -> Adb:
    try:
        ended = run_process([str(path), "version"], VERSION_S)
    except FileNotFoundError as error:
        message = f"{path}, named by {found_by}, does not exist"
        raise DeviceError(Failure("tool_missing", message)) from error
    except OSError as error:
        message = f"{path}, named by {found_by}, cannot be run: {error.strerror}"
        raise DeviceError(Failure("tool_broken", message)) from error
    told = re.search(rb"Android Debug Bridge version 1\.0\.(\d+)", ended.stdout)
    release = re.search(rb"(?m)^(?:Version|Revision) (\S+)", ended.stdout)
    if ended.returncode != 0 or told is None:
        shown = (ended.stderr or ended.stdout)[:200].decode(errors="replace").strip()
        message = f"{path}, named by {found_by}, is no working adb ({shown or ended.returncode})"
        raise DeviceError(Failure("tool_broken", message))
    name = release[1].decode(errors="replace") if release else f"1.0.{int(told[1])}"
    return Adb(path, found_by, name, int(told[1]))
