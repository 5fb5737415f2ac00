"""The ways of links: straight where possible, else one swing, else as the engine led them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from graphvis.picture.curves import pieces, point_at
from graphvis.picture.geometry import Place, Point
from graphvis.picture.layout.placement import Placement, Track
from graphvis.picture.layout.presence import Presence
from graphvis.picture.layout.source import Ports
from graphvis.picture.measure import Measured

_STRAIGHT = 5.0
"""A sideways step that looks like a mistake rather than a bend."""
_CLEAR = 9.0
_SAMPLES = 12
_SWING = 56.0
"""Height of a swing at one end of a long way."""

Way = tuple[Point, ...]


def route(measured: Measured, placement: Placement, ports: Ports, there: Presence) -> Placement:
    """The placement with each link's track from its port to its port."""
    links = measured.scene.links
    tracks = dict(placement.tracks)
    for i, offset in ports.below.items():
        tail, head = placement.boxes[links[i].tail], placement.boxes[links[i].head]
        start, end = (tail.x + offset, tail.bottom), (head.x + ports.above[i], head.top)
        track = tracks[i]
        if end[1] - start[1] < 4:
            continue
        halves = there.links[i]
        others = there.obstacles(placement, halves, but=(links[i].tail, links[i].head))
        others += there.words(placement.tracks, halves, but=i)
        way = next((w for w in _ways(start, end) if _is_clear(w, others)), None)
        tracks[i] = Track(way or _between_ports(track.points, start, end), track.label)
    return msgspec.structs.replace(placement, tracks=tracks)


def _ways(start: Point, end: Point) -> Iterator[Way]:
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


def _swing(start: Point, end: Point) -> Way:
    middle = (start[1] + end[1]) / 2
    return start, (start[0], middle), (end[0], middle), end


def _down(x: float, top: float, bottom: float, whole: bool = False) -> Way:
    """Control points straight down, without the first one unless `whole`."""
    points = tuple((x, top + (bottom - top) * k / 3) for k in range(4))
    return points if whole else points[1:]


def _is_clear(way: Way, others: list[Place]) -> bool:
    points = [point_at(piece, k / _SAMPLES) for piece in pieces(way) for k in range(_SAMPLES + 1)]
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
