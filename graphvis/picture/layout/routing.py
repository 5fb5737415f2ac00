"""The ways of links: straight where possible, else one swing, else as the engine led them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

import msgspec

from graphvis.picture.geometry import Place, Point
from graphvis.picture.layout.placement import Placement, Track, sample, sample_closely
from graphvis.picture.layout.presence import Presence
from graphvis.picture.layout.source import Ports
from graphvis.picture.measure import Measured

_STRAIGHT = 5.0
"""A sideways step that looks like a mistake rather than a bend."""
_CLEAR = 9.0
_SAMPLES = 12
_SWING = 56.0
"""Height of a swing at one end of a long way."""
_STOREY = 32.0
_RUNG = 6.0
"""How far apart in height two ways that lead down are compared."""

Way = tuple[Point, ...]


def route(measured: Measured, placement: Placement, ports: Ports, there: Presence) -> Placement:
    """The placement with each link's track from its port to its port."""
    links = measured.scene.links
    tracks = dict(placement.tracks)
    laid: dict[int, _Box] = {}
    for i, offset in ports.below.items():
        tail, head = placement.boxes[links[i].tail], placement.boxes[links[i].head]
        start, end = (tail.x + offset, tail.bottom), (head.x + ports.above[i], head.top)
        track = tracks[i]
        if end[1] - start[1] < 4:
            continue
        halves = there.links[i]
        others = there.obstacles(placement, halves, but=(links[i].tail, links[i].head))
        others += there.words(placement.tracks, halves, but=i)
        clear = [way for way in _ways(start, end, track.points) if _is_clear(way, others)]
        if len(clear) > 1:
            lanes = [laid[k] for k in laid if there.links[k] & halves]
            clear = [min(clear, key=lambda way: _crossings(way, lanes))]
        tracks[i] = Track(clear[0] if clear else _between_ports(track.points, start, end), track.label)
        laid[i] = _Box(sample(tracks[i], _SAMPLES))
    return msgspec.structs.replace(placement, tracks=tracks)


class _Box:
    """Points of a way with the rectangle that holds them, and its pieces by the height at which they are."""

    def __init__(self, points: list[Point]) -> None:
        self.pieces = list(pairwise(points))
        self.left, self.right = min(x for x, _ in points), max(x for x, _ in points)
        self.top, self.bottom = min(y for _, y in points), max(y for _, y in points)

    @cached_property
    def storeys(self) -> dict[int, list[tuple[Point, Point]]]:
        """The pieces that touch each stretch of height."""
        found: dict[int, list[tuple[Point, Point]]] = {}
        for piece in self.pieces:
            for storey in _storeys(piece):
                found.setdefault(storey, []).append(piece)
        return found

    @cached_property
    def rungs(self) -> tuple[int, list[float]] | None:
        """The x at each height that is a multiple of a rung, with the first of these; None where it also leads up."""
        first, found = math.ceil(self.top / _RUNG), list[float]()
        for (x0, y0), (x1, y1) in self.pieces:
            if y1 < y0:
                return None
            while (y := (first + len(found)) * _RUNG) <= y1:
                found.append(x0 + (x1 - x0) * (y - y0) / (y1 - y0) if y1 > y0 else x1)
        return first, found


def _storeys(piece: tuple[Point, Point]) -> range:
    low, high = sorted((piece[0][1], piece[1][1]))
    return range(int(low // _STOREY), int(high // _STOREY) + 1)


def _crossings(way: Way, lanes: list[_Box]) -> int:
    """How many of the lanes a way crosses."""
    own = _Box(sample(Track(way), _SAMPLES))
    near = [
        lane
        for lane in lanes
        if lane.left < own.right and own.left < lane.right and lane.top < own.bottom and own.top < lane.bottom
    ]
    return sum(_cross(own, lane) for lane in near)


def _cross(one: _Box, other: _Box) -> bool:
    if one.rungs is not None and other.rungs is not None:
        (first, own), (second, its) = one.rungs, other.rungs
        start, stop = max(first, second), min(first + len(own), second + len(its))
        if stop - start > 1:
            apart = [x - u for x, u in zip(own[start - first : stop - first], its[start - second :], strict=False)]
            return min(apart) < 0 < max(apart)
    # Pieces at different heights cannot cross, and most are.
    return any(
        _sides(*piece, c, d) and _sides(c, d, *piece)
        for piece in one.pieces
        for storey in _storeys(piece)
        for c, d in other.storeys.get(storey, ())
    )


def _sides(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether `c` and `d` lie on different sides of the line through `a` and `b`."""
    x, y = b[0] - a[0], b[1] - a[1]
    return (x * (c[1] - a[1]) - y * (c[0] - a[0]) > 0) != (x * (d[1] - a[1]) - y * (d[0] - a[0]) > 0)


def _ways(start: Point, end: Point, engine: Way) -> Iterator[Way]:
    """Ways from the most to the least pleasing; `engine` is the one that the engine found."""
    (x0, y0), (x1, y1) = start, end
    if abs(x0 - x1) < _STRAIGHT:
        x = (x0 + x1) / 2
        yield tuple((x, y0 + (y1 - y0) * k / 3) for k in range(4))
        return
    if y1 - y0 <= 2 * _SWING:
        yield _swing(start, end)
        return
    yield (*_swing(start, (x1, y0 + _SWING)), *_down(x1, y0 + _SWING, y1))
    yield (*_down(x0, y0, y1 - _SWING, whole=True), *_swing((x0, y1 - _SWING), end)[1:])
    yield _swing(start, end)
    # Around what is in the way, down the channel that the engine took.
    aside = _middle(engine)
    for high in (_SWING, _SWING / 2):
        first, last = y0 + high, y1 - high
        if first < last:
            yield (*_swing(start, (aside, first)), *_down(aside, first, last), *_swing((aside, last), end)[1:])


def _middle(way: Way) -> float:
    """The x of a way at half its height."""
    middle = (way[0][1] + way[-1][1]) / 2
    return min(sample(Track(way), _SAMPLES), key=lambda point: abs(point[1] - middle))[0]


def _swing(start: Point, end: Point) -> Way:
    middle = (start[1] + end[1]) / 2
    return start, (start[0], middle), (end[0], middle), end


def _down(x: float, top: float, bottom: float, whole: bool = False) -> Way:
    """Control points straight down, without the first one unless `whole`."""
    points = tuple((x, top + (bottom - top) * k / 3) for k in range(4))
    return points if whole else points[1:]


def _is_clear(way: Way, others: list[Place]) -> bool:
    points = sample_closely(Track(way), _SAMPLES)
    left, right = min(x for x, _ in points) - _CLEAR, max(x for x, _ in points) + _CLEAR
    top, bottom = points[0][1], points[-1][1]
    near = [p for p in others if p.left < right and p.right > left and p.top < bottom and p.bottom > top]
    return not any(
        place.left - _CLEAR < x < place.right + _CLEAR and place.top - 2 < y < place.bottom + 2
        for place in near
        for x, y in points
    )


def _between_ports(points: Way, start: Point, end: Point) -> Way:
    """The engine's way, its ends moved to the ports."""
    (x0, _), (x1, y1), *between, (x2, y2), (x3, _) = points
    return start, (x1 + start[0] - x0, y1), *between, (x2 + end[0] - x3, y2), end
