"""The dotted lines of shared storage: beside the graph, not part of its order.

The engine would bend them far out, or into other boxes, and move boxes for their sake. Here they
are laid last, along the first of a few simple ways that touches nothing, or touches the least.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from graphvis.picture.curves import point_at
from graphvis.picture.geometry import Place, Point
from graphvis.picture.layout.placement import Placement, Track
from graphvis.picture.layout.presence import Presence
from graphvis.picture.measure import Measured

_CORNER = 14.0
_OUT = 16.0
_SAMPLES = 24
_CLEAR = 4.0

Way = tuple[Point, Point, Point, Point]


def connect(measured: Measured, placement: Placement, there: Presence) -> Placement:
    """The placement with a track for each link of shared storage."""
    tracks = dict(placement.tracks)
    for i, link in enumerate(measured.scene.links):
        if link.kind == "storage" and link.tail in placement.boxes and link.head in placement.boxes:
            tail, head = placement.boxes[link.tail], placement.boxes[link.head]
            if tail != head:
                others = there.obstacles(placement, there.links[i], but=(link.tail, link.head))
                others += there.words(placement.tracks, there.links[i])
                tracks[i] = Track(_least_touching(placement, tail, head, others))
    return msgspec.structs.replace(placement, tracks=tracks)


def _least_touching(placement: Placement, tail: Place, head: Place, others: list[Place]) -> Way:
    if tail.y > head.y:
        tail, head = head, tail
    best: tuple[float, Way] | None = None
    for way in _ways(tail, head, placement):
        crossings = sum(_touches(way, place) for place in others)
        if best is None or crossings < best[0]:
            best = crossings, way
    assert best is not None
    return best[1]


def _ways(upper: Place, lower: Place, placement: Placement) -> Iterator[Way]:
    """Ways from the most to the least pleasing."""
    if abs(upper.y - lower.y) < (upper.height + lower.height) / 2:
        left, right = sorted((upper, lower), key=lambda place: place.x)
        y = (max(left.top, right.top) + min(left.bottom, right.bottom)) / 2
        yield _line((left.right, y), (right.left, y))
        return
    for side in (1, -1):
        here = upper.right if side > 0 else upper.left
        there = (lower.right if side > 0 else lower.left) - side * _CORNER
        if (there - here) * side > _CORNER:
            yield _quarter((here, upper.y), (there, lower.top))
    for side in (1, -1):
        here, there = (upper.right, lower.right) if side > 0 else (upper.left, lower.left)
        yield _bracket((here, upper.y), (there, lower.y), side, max(here * side, there * side) + _OUT)
    for side in (1, -1):
        here, there = (upper.right, lower.right) if side > 0 else (upper.left, lower.left)
        edge = placement.width if side > 0 else 0.0
        yield _bracket((here, upper.y), (there, lower.y), side, edge * side + _OUT / 2)


def _line(start: Point, end: Point) -> Way:
    step = ((end[0] - start[0]) / 3, (end[1] - start[1]) / 3)
    return start, (start[0] + step[0], start[1] + step[1]), (end[0] - step[0], end[1] - step[1]), end


def _quarter(start: Point, end: Point) -> Way:
    """Out sideways, then down."""
    (x0, y0), (x1, y1) = start, end
    return start, (x0 + 0.62 * (x1 - x0), y0), (x1, y0 + 0.38 * (y1 - y0)), end


def _bracket(start: Point, end: Point, side: int, reach: float) -> Way:
    """Out to about `reach` on one side and back."""
    # A cubic whose two inner points share an x comes three quarters of the way to it.
    base = (start[0] + end[0]) / 2
    x = base + (reach * side - base) * 4 / 3
    return start, (x, start[1]), (x, end[1]), end


def _touches(way: Way, place: Place) -> bool:
    return any(
        place.left - _CLEAR < x < place.right + _CLEAR and place.top - _CLEAR < y < place.bottom + _CLEAR
        for x, y in (point_at(way, k / _SAMPLES) for k in range(_SAMPLES + 1))
    )
