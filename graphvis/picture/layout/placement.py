"""Where everything is, y downwards, in SVG units from the top left of one half's graph."""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec

from graphvis.picture.curves import pieces, point_at
from graphvis.picture.geometry import Place, Point


class Track(msgspec.Struct, frozen=True):
    """The way of a link, from tail to head.

    Attributes:
        points: of cubic Bézier pieces: 1 + 3 n.
        label: the room for its label; None where it has none.
        covered: whether other links or words are in that room, so that the label needs a ground of its own.
    """

    points: tuple[Point, ...]
    label: Place | None = None
    covered: bool = False


class Placement(msgspec.Struct, frozen=True):
    """One layout, which all halves share.

    Attributes:
        width: of the graph, without margin.
        height: likewise.
        boxes: by box id.
        tracks: by index into the scene's links; absent where a link joins a box with itself or none.
        frames: by cluster.
        names: where each frame's name stands, by cluster.
    """

    width: float
    height: float
    boxes: dict[str, Place]
    tracks: dict[int, Track]
    frames: dict[str, Place]
    names: dict[str, Place] = {}


_SCISSORS = 12.0
_APART = 6.0
"""What is between two points of a track at most."""


def fit(placement: Placement) -> Placement:
    """The placement moved sideways and sized so that it holds all that is in it, and no more."""
    left, right = extent(placement)

    def shift(place: Place) -> Place:
        return Place(place.x - left, place.y, place.width, place.height)

    return Placement(
        right - left,
        max(place.bottom for place in _places(placement)),
        {box: shift(place) for box, place in placement.boxes.items()},
        {
            i: Track(tuple((x - left, y) for x, y in track.points), track.label and shift(track.label), track.covered)
            for i, track in placement.tracks.items()
        },
        {path: shift(place) for path, place in placement.frames.items()},
        {path: shift(place) for path, place in placement.names.items()},
    )


def extent(placement: Placement) -> tuple[float, float]:
    """The x of the leftmost and the rightmost thing."""
    xs = [side for place in _places(placement) for side in (place.left, place.right)]
    xs += [x for track in placement.tracks.values() for x, _ in sample(track)]
    # Of a way back up the scissors are at the left.
    back = [t for t in placement.tracks.values() if t.label is not None and t.points[0][1] > t.points[-1][1]]
    xs += [min(x for x, _ in sample(track)) - _SCISSORS for track in back]
    return min(xs, default=0.0), max(xs, default=placement.width)


def _places(placement: Placement) -> list[Place]:
    labels = [track.label for track in placement.tracks.values() if track.label is not None]
    return [*placement.boxes.values(), *placement.frames.values(), *placement.names.values(), *labels]


def sample(track: Track, steps: int = 12) -> list[Point]:
    """Points of a track: its control points may lie far outside of it."""
    return [point_at(piece, k / steps) for piece in pieces(track.points) for k in range(steps + 1)]


def sample_closely(track: Track, least: int = 12) -> list[Point]:
    """Points so close that no word and no box fits between two; at least so many and one of each piece."""
    found: list[Point] = []
    for piece in pieces(track.points):
        long = sum(math.dist(p, q) for p, q in pairwise(piece))  # at least as long as the piece
        steps = max(least, math.ceil(long / _APART))
        found += [point_at(piece, k / steps) for k in range(steps + 1)]
    return found
