"""What runs beside the graph, not part of its order: dotted lines of shared storage, and a loop's way back.

The engine would bend them far out, or into other boxes, and move boxes for their sake. Here they
are laid last, along the first of a few simple ways that touches nothing, or touches the least.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise, product

import msgspec

from graphvis.picture.curves import point_at
from graphvis.picture.geometry import Place, Point
from graphvis.picture.layout.placement import Placement, Track, extent, sample_closely
from graphvis.picture.layout.presence import Halves, Presence
from graphvis.picture.measure import Measured

_CORNER = 14.0
_OUT = 16.0
_ARCH = 44.0
_LAST = 400.0
"""What a way among the lanes costs: less than one over a box, more than any beside them."""
_SAMPLES = 24
_CLEAR = 4.0

Way = tuple[Point, Point, Point, Point]


class _Lanes:
    """Points of lanes by where they are, so that asking what is near one does not look at all of them."""

    def __init__(self, tracks: Mapping[int, Track]) -> None:
        self._cells: dict[tuple[int, int], list[tuple[float, float, int]]] = {}
        for lane, track in tracks.items():
            self.add(lane, track)

    def add(self, lane: int, track: Track) -> None:
        """Add one lane's points."""
        for x, y in sample_closely(track):
            cell = (math.floor(x / _CLEAR), math.floor(y / _CLEAR))
            self._cells.setdefault(cell, []).append((x, y, lane))

    def remove(self, lane: int, track: Track) -> None:
        """Take one lane's points out again."""
        for x, y in sample_closely(track):
            cell = (math.floor(x / _CLEAR), math.floor(y / _CLEAR))
            self._cells[cell] = [point for point in self._cells[cell] if point[2] != lane]

    def met(self, points: list[Point]) -> set[int]:
        """The lanes that come near one of the points."""
        found: set[int] = set()
        for x, y in points:
            column, row = math.floor(x / _CLEAR), math.floor(y / _CLEAR)
            for cell in product(range(column - 1, column + 2), range(row - 1, row + 2)):
                for u, v, lane in self._cells.get(cell, ()):
                    if abs(x - u) < _CLEAR and abs(y - v) < _CLEAR:
                        found.add(lane)
        return found


def connect(measured: Measured, placement: Placement, there: Presence) -> Placement:
    """The placement with a track for each link of shared storage."""
    return _lay(measured, placement, there, [i for i, link in enumerate(measured.scene.links) if link.dotted])


def lead_back(measured: Measured, placement: Placement, there: Presence) -> Placement:
    """The placement with a track for each link from a loop's end to its beginning, at the side."""
    return _lay(measured, placement, there, [i for i, link in enumerate(measured.scene.links) if link.returns])


def lead_far_back(measured: Measured, placement: Placement, there: Presence, which: Collection[int]) -> Placement:
    """The placement with such links around everything, where there is room for their words."""
    return _lay(measured, placement, there, [i for i in which if measured.scene.links[i].returns], far=True)


def _lay(
    measured: Measured, placement: Placement, there: Presence, which: Sequence[int], far: bool = False
) -> Placement:
    tracks = dict(placement.tracks)
    sides = extent(placement)
    by_halves: dict[Halves, _Lanes] = {}
    for i in which:
        link, halves = measured.scene.links[i], there.links[i]
        if link.tail == link.head and not link.returns:
            continue
        if link.tail not in placement.boxes or link.head not in placement.boxes:
            continue
        if halves not in by_halves:
            by_halves[halves] = _Lanes({k: track for k, track in tracks.items() if there.links[k] & halves})
        if link.tail == link.head:
            track = Track(_around(placement.boxes[link.tail]))
        else:
            near = there.obstacles(placement, halves, but=(link.tail, link.head))
            near += there.words(placement.tracks, halves)
            upper, lower = sorted((placement.boxes[link.tail], placement.boxes[link.head]), key=lambda place: place.y)
            if far:
                words = 2 * max((measured.labels[k].width for k in which if k in measured.labels), default=0.0)
                near += [Place((sides[0] + sides[1]) / 2, (upper.y + lower.y) / 2, sides[1] - sides[0] + words, 1.0)]
            way = _cheapest(upper, lower, near, by_halves[halves], sides)
            track = Track(way[::-1] if link.returns and lower is placement.boxes[link.tail] else way)
        for others, lanes in by_halves.items():
            if others & halves:
                if i in tracks:
                    lanes.remove(i, tracks[i])  # where it was is free again
                lanes.add(i, track)
        tracks[i] = track
    return msgspec.structs.replace(placement, tracks=tracks)


def _cheapest(upper: Place, lower: Place, near: list[Place], lanes: _Lanes, sides: tuple[float, float]) -> Way:
    """Of the ways between two boxes the one that suits best."""
    ways = [(0.0, way) for way in _beside(upper, lower, near)] + [(_LAST, way) for way in _between(upper, lower)]
    # The first of equals, so that the right side comes before the left.
    return min(ways, key=lambda pair: pair[0] + round(_cost(pair[1], near, lanes, sides)))[1]


def _around(place: Place) -> Way:
    """From a box to itself, at its right side: from one round to the next."""
    aside, high = place.right + 3 * _OUT, 0.3 * place.height
    start, end = (place.right, place.y + high), (place.right, place.y - high)
    return start, (aside, place.y + 2 * high), (aside, place.y - 2 * high), end


def _cost(way: Way, near: list[Place], lanes: _Lanes, sides: tuple[float, float]) -> float:
    """How ill a way suits: over boxes and words above all, then over lanes, then what it adds to the width."""
    points = [point_at(way, k / _SAMPLES) for k in range(_SAMPLES + 1)]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    hits = sum(
        _touches(points, place)
        for place in near
        if abs(place.y - (top + bottom) / 2) < (place.height + bottom - top) / 2 + 2 * _CLEAR
        and abs(place.x - (left + right) / 2) < (place.width + right - left) / 2 + 2 * _CLEAR
    )
    crossings = len(lanes.met(points))
    wider = max(0.0, sides[0] - left) + max(0.0, right - sides[1])
    long = sum(math.dist(p, q) for p, q in pairwise(points))
    above = max(0.0, -top)  # where the words over the graph are
    return 1000 * hits + 40 * above + 120 * crossings + 2 * wider + 0.25 * long


def _beside(upper: Place, lower: Place, others: list[Place]) -> Iterator[Way]:
    """Ways of few bends."""
    if abs(upper.y - lower.y) < (upper.height + lower.height) / 2:
        left, right = sorted((upper, lower), key=lambda place: place.x)
        y = (max(left.top, right.top) + min(left.bottom, right.bottom)) / 2
        yield _line((left.right, y), (right.left, y))
        for height, far in ((min(upper.top, lower.top), -1), (max(upper.bottom, lower.bottom), 1)):
            ends = [(place.x, place.top if far < 0 else place.bottom) for place in (left, right)]
            yield ends[0], (ends[0][0], height + far * _ARCH), (ends[1][0], height + far * _ARCH), ends[1]
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
        between = [place for place in others if place.top < lower.y and place.bottom > upper.y]
        edges = [place.right if side > 0 else -place.left for place in (upper, lower, *between)]
        yield _bracket((here, upper.y), (there, lower.y), side, max(edges) + _OUT)
        yield _bracket((here, upper.y), (there, lower.y), side, max(edges) + 2 * _OUT)


def _between(upper: Place, lower: Place) -> Iterator[Way]:
    """Ways from the lower side of one to the upper side of the other, among the lanes."""
    middle = (upper.bottom + lower.top) / 2
    if upper.bottom < lower.top:
        for start, end in product(_along(upper), _along(lower)):
            yield (start, upper.bottom), (start, middle), (end, middle), (end, lower.top)


def _along(place: Place) -> tuple[float, float]:
    """Where a line may touch the upper or lower side, away from the lanes in the middle."""
    return place.x - 0.38 * place.width, place.x + 0.38 * place.width


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


def _touches(points: list[Point], place: Place) -> bool:
    return any(
        place.left - _CLEAR < x < place.right + _CLEAR and place.top - _CLEAR < y < place.bottom + _CLEAR
        for x, y in points
    )
