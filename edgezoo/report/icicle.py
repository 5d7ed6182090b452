"""The flame-like picture of a profile: module paths from above, widths as shares of the time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edgezoo.measurement import Profile
from edgezoo.report.numbers import milliseconds, percent
from edgezoo.report.plot_layout import Figure, Plot, base_layout, safe
from edgezoo.report.profile import UNJOINED, path_of

DEEPEST = 5
THINNEST = 0.004  # of the whole; thinner neighbours are drawn as one
ROW_PX = 56
WHOLE = "all operations"


@dataclass(slots=True)
class _Branch:
    """A module or an operation: its own time and its parts, in order of execution."""

    name: str
    ms: float = 0.0
    macs: int = 0
    parts: dict[str, _Branch] = field(default_factory=dict)

    def add(self, path: Sequence[str], ms: float, macs: int) -> None:
        self.ms += ms
        self.macs += macs
        if path:
            self.parts.setdefault(path[0], _Branch(path[0])).add(path[1:], ms, macs)

    @property
    def whole_ms(self) -> float:
        """At least the sum of the parts, which rounding may put a little above ``ms``."""
        return max(self.ms, math.fsum(part.whole_ms for part in self.parts.values()))


@dataclass(frozen=True, slots=True)
class _Tile:
    identifier: str
    parent: str
    label: str
    ms: float
    macs: int
    colour: str
    text_colour: str = "var(--ink)"


def icicle_plot(profile: Profile) -> Plot | None:
    """Return the picture, or ``None`` where no time was seen."""
    root = _Branch(WHOLE)
    for op in profile.ops:
        path = path_of(op)
        if len(path) > DEEPEST:
            path = (*path[: DEEPEST - 1], ".".join(path[DEEPEST - 1 :]))
        root.add(path, op.ms, op.macs or 0)
    if not root.ms > 0:
        return None
    tiles = list(_tiles(root, "", root.whole_ms))
    figure: Figure = {"data": [_trace(tiles, root.whole_ms)], "layout": _layout()}
    depth = 1 + max(tile.identifier.count("/") for tile in tiles)
    return Plot(figure, ROW_PX * depth + 16, _sentence(root))


def _tiles(branch: _Branch, parent: str, whole_ms: float) -> Iterator[_Tile]:
    """Yield ``branch`` and what is below it; what is too thin to see becomes one tile."""
    names = [branch.name]
    while len(branch.parts) == 1:  # a chain is one tile
        (branch,) = branch.parts.values()
        names.append(branch.name)
    label = ".".join(names[1:] if names[0] == WHOLE and len(names) > 1 else names)
    identifier = f"{parent}/{label.replace('/', '|')}" if parent else "0"
    colours = _colours(branch, identifier)
    yield _Tile(identifier, parent, label, branch.whole_ms, branch.macs, *colours)
    thin = [p for p in branch.parts.values() if p.whole_ms < THINNEST * whole_ms]
    if len(thin) < 2:
        thin = []
    for part in branch.parts.values():
        if part not in thin:
            yield from _tiles(part, identifier, whole_ms)
    if thin and (ms := math.fsum(part.whole_ms for part in thin)) > 0:
        macs = sum(part.macs for part in thin)
        rest = f"{identifier}/thin"
        yield _Tile(rest, identifier, f"{len(thin)} more", ms, macs, "var(--faint)")


def _colours(branch: _Branch, identifier: str) -> tuple[str, str]:
    if branch.name == UNJOINED or f"/{UNJOINED}" in identifier:
        return "var(--faint)", "var(--ink)"
    if branch.parts:
        return "var(--bar)", "var(--ink)"
    return ("var(--series-1)" if branch.macs else "var(--series-2)"), "var(--card)"


def _trace(tiles: Sequence[_Tile], whole_ms: float) -> Figure:
    return {
        "type": "icicle",
        "ids": [tile.identifier for tile in tiles],
        "parents": [tile.parent for tile in tiles],
        "labels": [safe(tile.label) for tile in tiles],
        "values": [tile.ms for tile in tiles],
        "branchvalues": "total",
        "sort": False,
        "text": [percent(tile.ms / whole_ms) for tile in tiles],
        "textinfo": "label+text",
        "textposition": "middle center",
        "hovertext": [safe(_hover(tile, whole_ms)) for tile in tiles],
        "hoverinfo": "text",
        "tiling": {"orientation": "v", "pad": 1},
        "pathbar": {"visible": False},
        "leaf": {"opacity": 1},
        "textfont": {"size": 12, "color": [tile.text_colour for tile in tiles]},
        "marker": {
            "colors": [tile.colour for tile in tiles],
            "line": {"width": 1, "color": "var(--card)"},
        },
    }


def _hover(tile: _Tile, whole_ms: float) -> str:
    parts = [tile.label, milliseconds(tile.ms), percent(tile.ms / whole_ms)]
    if tile.macs:
        parts.append(f"{tile.macs:,} MACs")
    return ", ".join(parts)


def _layout() -> Figure:
    layout = base_layout("")
    del layout["xaxis"]
    layout["margin"] = {"l": 0, "r": 0, "t": 8, "b": 8}
    layout["uniformtext"] = {"minsize": 10, "mode": "hide"}
    return layout


def _sentence(root: _Branch) -> str:
    largest = sorted(root.parts.values(), key=lambda part: -part.whole_ms)
    while len(largest) == 1 and largest[0].parts:
        largest = sorted(largest[0].parts.values(), key=lambda part: -part.whole_ms)
    told = (f"{part.name} {percent(part.whole_ms / root.whole_ms)}" for part in largest[:6])
    return f"Shares of the time by module, largest first: {', '.join(told)}."
