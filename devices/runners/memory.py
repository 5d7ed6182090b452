"""The peak memory of the process that asks.

``getrusage`` alone would lie: Linux carries ``ru_maxrss`` over fork and exec, so that a child of a
process that holds torch starts with torch's peak. ``VmHWM`` belongs to the new memory map.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_memory_mib(status: Path = STATUS) -> float:
    """Return the largest resident set so far in MiB, shared pages of libraries included."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / (1 << 20)
