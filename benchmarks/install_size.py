"""How much an installation adds beside torch, in MB on disk.

    python -m benchmarks.install_size VENV

Counts every distribution in VENV but torch, what torch itself requires, pip and setuptools.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path


def main() -> None:
    (site,) = Path(sys.argv[1]).glob("lib/python3*/site-packages")
    found = {name_of(d.metadata["Name"]): d for d in metadata.distributions(path=[str(site)])}
    apart = required("torch", found) | {"pip", "setuptools"}
    sizes = {name: size_mb(d) for name, d in found.items() if name not in apart}
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"{size:8.1f}  {name}")
    print(f"{sum(sizes.values()):8.1f}  together, beside torch and what it requires")


def name_of(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(name: str, found: dict[str, metadata.Distribution]) -> set[str]:
    """Return a distribution and all that it requires here, extras left out."""
    done: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in done or current not in found:
            continue
        done.add(current)
        for requirement in found[current].requires or ():
            if "extra ==" not in requirement:
                waiting.append(name_of(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]))
    return done


def size_mb(distribution: metadata.Distribution) -> float:
    paths = {Path(str(file.locate())) for file in distribution.files or ()}
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
