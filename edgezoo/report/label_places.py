"""Where names can stand in a scatter plot without lying on each other or on a mark.

Points come in the order of their importance: a name that finds no free place is left out, and the
point still tells it on hover. Everything is in pixels of the plot's own area, y downwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CHARACTER_PX = 7.2  # of the 12 px font; wide system fonts need as much
LINE_PX = 14.0
MARK_PX = 6.0  # half a mark

# Plotly's names, tried in this order: a front rises to the right, so above left is the free side.
PLACES = (
    *("top left", "top right", "bottom right", "bottom left"),
    *("top center", "bottom center", "middle right", "middle left"),
)


Line = tuple[float, float, float, float]  # left, top, right, bottom; flat or upright


@dataclass(frozen=True, slots=True)
class Spot:
    """A mark at ``x``, ``y`` and the name it would like; an empty one only takes room."""

    x: float
    y: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)


def place_labels(
    spots: Sequence[Spot], width: float, height: float, lines: Sequence[Line] = ()
) -> tuple[str | None, ...]:
    """Plotly's ``textposition`` for each spot, ``None`` where its name finds no place.

    A place across one of ``lines`` is taken only where there is no other.
    """
    taken = [_mark(spot) for spot in spots]
    strokes = [_Box(x0 - 1, y0 - 1, x1 + 1, y1 + 1) for x0, y0, x1, y1 in lines]
    area = _Box(4.0, -8.0, width + 8.0, height)  # a name may reach into the margin
    found: list[str | None] = []
    for own, spot in zip(taken[:], spots, strict=True):
        free = [p for p in PLACES if spot.text and _fits(_box(spot, p), area, taken, own)]
        clear = [p for p in free if not any(_box(spot, p).meets(stroke) for stroke in strokes)]
        place = next(iter(clear or free), None)
        if place is not None:
            taken.append(_box(spot, place))
        found.append(place)
    return tuple(found)


def _mark(spot: Spot) -> _Box:
    return _Box(spot.x - MARK_PX, spot.y - MARK_PX, spot.x + MARK_PX, spot.y + MARK_PX)


def _fits(box: _Box, area: _Box, taken: Sequence[_Box], own: _Box) -> bool:
    inside = area.left <= box.left and box.right <= area.right
    inside = inside and area.top <= box.top and box.bottom <= area.bottom
    return inside and not any(box.meets(other) for other in taken if other is not own)


def _box(spot: Spot, place: str) -> _Box:
    vertical, horizontal = place.split()
    width = CHARACTER_PX * len(spot.text)
    left = {
        "left": spot.x - width - MARK_PX / 2,
        "center": spot.x - width / 2,
        "right": spot.x + MARK_PX / 2,
    }[horizontal]
    top = {
        "top": spot.y - LINE_PX - MARK_PX,
        "middle": spot.y - LINE_PX / 2,
        "bottom": spot.y + MARK_PX,
    }[vertical]
    return _Box(left, top, left + width, top + LINE_PX)
