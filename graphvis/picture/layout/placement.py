"""Where everything is, y downwards, in SVG units from the top left of one half's graph."""

from __future__ import annotations

import msgspec

from graphvis.picture.curves import point_at
from graphvis.picture.geometry import Place, Point


class Track(msgspec.Struct, frozen=True):
    """The way of a link, from tail to head.

    Attributes:
        points: of cubic Bézier pieces: 1 + 3 n.
        label: the room for its label; None where it has none.
    """

    points: tuple[Point, ...]
    label: Place | None = None


class Placement(msgspec.Struct, frozen=True):
    """One layout, which all halves share.

    Attributes:
        width: of the graph, without margin.
        height: likewise.
        boxes: by box id.
        tracks: by index into the scene's links; absent where a link joins a box with itself or none.
        frames: by cluster.
    """

    width: float
    height: float
    boxes: dict[str, Place]
    tracks: dict[int, Track]
    frames: dict[str, Place]


def fit(placement: Placement) -> Placement:
    """The placement moved and sized so that it holds all that is in it, and no more, from side to side."""
    xs = [side for place in _places(placement) for side in (place.left, place.right)]
    xs += [x for track in placement.tracks.values() for x, _ in _bounds(track)]
    if not xs:
        return placement
    left = min(xs)

    def shift(place: Place) -> Place:
        return Place(place.x - left, place.y, place.width, place.height)

    return Placement(
        max(xs) - left,
        placement.height,
        {box: shift(place) for box, place in placement.boxes.items()},
        {
            i: Track(tuple((x - left, y) for x, y in track.points), track.label and shift(track.label))
            for i, track in placement.tracks.items()
        },
        {path: shift(place) for path, place in placement.frames.items()},
    )


def _places(placement: Placement) -> list[Place]:
    labels = [track.label for track in placement.tracks.values() if track.label is not None]
    return [*placement.boxes.values(), *placement.frames.values(), *labels]


def _bounds(track: Track) -> list[Point]:
    """Points of the track itself: its control points may lie far outside."""
    points = track.points
    at = [(points[i], points[i + 1], points[i + 2], points[i + 3]) for i in range(0, len(points) - 3, 3)]
    return [point_at(piece, k / 8) for piece in at for k in range(9)]
