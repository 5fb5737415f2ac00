"""Room for the words of cuts: beside the lane where there is some, so that the engine need not make it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from graphvis.picture.curves import pieces, point_at
from graphvis.picture.geometry import Place, Point
from graphvis.picture.layout.placement import Placement, Track
from graphvis.picture.measure import Label, Measured

_LANES = 8.0
"""What a lane takes on each side of the middle of its track."""
_AIR = 3.0
_SAMPLES = 24


def put(measured: Measured, placement: Placement) -> tuple[Placement, set[int]]:
    """The placement with a place for each label, and the links whose label found none."""
    tracks = dict(placement.tracks)
    homeless = set()
    ways = {i: _points(track) for i, track in tracks.items()}
    for i, label in measured.labels.items():
        if i not in tracks or tracks[i].label is not None:
            continue
        taken = [*placement.boxes.values(), *(t.label for t in tracks.values() if t.label is not None)]
        found = next((p for p in _places(ways[i], label) if _is_free(p, i, ways, taken)), None)
        if found is None:
            homeless.add(i)
        else:
            tracks[i] = Track(tracks[i].points, found)
    return msgspec.structs.replace(placement, tracks=tracks), homeless


def _points(track: Track) -> list[Point]:
    return [point_at(piece, k / _SAMPLES) for piece in pieces(track.points) for k in range(_SAMPLES + 1)]


def _places(way: list[Point], label: Label) -> Iterator[Place]:
    """Places at the right, from the middle of the way outwards, then at the left."""
    top, bottom = way[0][1] + label.height / 2 + _AIR, way[-1][1] - label.height / 2 - _AIR
    middle = (top + bottom) / 2
    steps = range(int(max(0.0, bottom - top) / 2 / 6) + 1)
    heights = [middle + sign * 6 * k for k in steps for sign in ((1, -1) if k else (1,))]
    for side in (1, -1):
        for y in heights:
            # The way may lean: the words begin where it is farthest on their side.
            beside = [x for x, py in way if abs(py - y) <= label.height / 2]
            if beside:
                edge = max(beside) if side > 0 else min(beside) - _LANES
                yield Place(edge + side * label.width / 2, y, label.width, label.height)


def _is_free(place: Place, own: int, ways: dict[int, list[Point]], taken: list[Place]) -> bool:
    if any(
        place.left - _AIR < t.right and place.right + _AIR > t.left and place.top - _AIR < t.bottom and place.bottom + _AIR > t.top
        for t in taken
    ):
        return False
    return not any(
        place.left - _LANES < x < place.right + _LANES and place.top < y < place.bottom
        for i, way in ways.items()
        if i != own
        for x, y in way
    )
