"""The folder of what is kept between runs: downloaded weights and runners, the built C runner."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return ``EDGEZOO_CACHE``, else edgezoo's part of the user's cache folder; it may not exist yet."""
    if asked := os.environ.get("EDGEZOO_CACHE"):
        return Path(asked)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "edgezoo"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "edgezoo"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgezoo"
