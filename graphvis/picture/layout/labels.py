"""Room for the words of cuts: beside the lane where there is some, so that the engine need not make it."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping

import msgspec

from graphvis.picture.geometry import Place, Point
from graphvis.picture.layout.placement import Placement, Track, extent, sample_closely
from graphvis.picture.layout.presence import Presence
from graphvis.picture.measure import Label, Measured, fonts, width
from graphvis.picture.measure.boxes import LABEL_START
from graphvis.picture.scene import frame_name

_LANES = 8.0
"""What a lane takes on each side of the middle of its track."""
_AIR = 3.0
_SAMPLES = 24
_STEP = 6.0
_LEAN = 4.0


def put(measured: Measured, placement: Placement, there: Presence, room: float) -> tuple[Placement, set[int]]:
    """The placement with a place for each label that has none, and the links whose label found none.

    A place that no frame's line runs through comes before others, and among those one that keeps the whole within
    `room`.
    """
    tracks = dict(placement.tracks)
    homeless = set()
    ways = {i: sample_closely(track, _SAMPLES) for i, track in tracks.items()}
    lanes = sorted((y, x, i) for i, way in ways.items() for x, y in way)
    left, right = extent(placement)
    sides = (left, right, max(room, right - left))
    for i, label in measured.labels.items():
        if i not in tracks or tracks[i].label is not None:
            continue
        halves = there.labels[i]
        taken = there.obstacles(placement, halves) + there.words(tracks, halves)
        others = {k for k in ways if k != i and there.links[k] & halves}
        free = [
            place
            for place, scissors in _places(ways[i], label)
            if all(_is_free(each, lanes, others, taken) for each in (place, scissors))
        ]
        if not free:
            homeless.add(i)
            continue
        frames = list(placement.frames.values())
        whole = [place for place in free if not any(straddles(place, frame) for frame in frames)] or free
        found = next((place for place in whole if _keeps(place, sides)), whole[0])
        sides = (min(sides[0], found.left), max(sides[1], found.right), sides[2])
        tracks[i] = Track(tracks[i].points, found)
    return msgspec.structs.replace(placement, tracks=tracks), homeless


def crowd(
    measured: Measured, placement: Placement, there: Presence, homeless: Collection[int], reserved: Mapping[int, Track]
) -> Placement:
    """The placement with a place for each label that found none: where it covers the least of what else is there.

    What the engine made room for, by its `reserved` tracks, comes first: there the way leads around the words.
    """
    tracks = dict(placement.tracks)
    ways = {i: sample_closely(track, _SAMPLES) for i, track in tracks.items()}
    for i in sorted(homeless):
        label, halves = measured.labels[i], there.labels[i]
        taken = there.obstacles(placement, halves) + there.words(tracks, halves, but=i)
        lanes = [way for k, way in ways.items() if k != i and there.links[k] & halves]
        found = [Track(tracks[i].points, place) for place, _ in _places(ways[i], label)]
        found = [reserved[i], *found] if i in reserved else found
        covered = {track: _covered(track.label, lanes, taken) for track in found if track.label is not None}
        if covered:
            best = min(covered, key=covered.__getitem__)
            tracks[i] = msgspec.structs.replace(best, covered=covered[best][0] > 0)
    return msgspec.structs.replace(placement, tracks=tracks)


def _covered(place: Place, lanes: list[list[Point]], taken: list[Place]) -> tuple[int, int]:
    """How much lies in a place, where words and boxes count for any number of lanes; and how many lanes are near it."""
    within = sum(_passes(way, place, _AIR) for way in lanes)
    return within + len(lanes) * sum(_meet(place, other) for other in taken), sum(
        _passes(way, place, _LANES) for way in lanes
    )


def _passes(way: list[Point], place: Place, air: float) -> bool:
    left, right = place.left - air, place.right + air
    return any(left < x < right and place.top < y < place.bottom for x, y in way)


def _keeps(place: Place, sides: tuple[float, float, float]) -> bool:
    left, right, room = sides
    return max(right, place.right) - min(left, place.left) <= room + 0.5


def straddles(place: Place, frame: Place) -> bool:
    """Whether a frame's line runs through a place."""
    inside = (
        frame.left + _AIR <= place.left
        and place.right <= frame.right - _AIR
        and frame.top + _AIR <= place.top
        and place.bottom <= frame.bottom - _AIR
    )
    return not inside and _meet(place, frame)


def hold(measured: Measured, placement: Placement) -> Placement:
    """The placement with frames that hold the words of their own links whole."""
    frames = dict(placement.frames)
    clusters = {box.id: box.cluster for box in measured.scene.boxes}
    for i, track in placement.tracks.items():
        link = measured.scene.links[i]
        path = clusters[link.tail]
        if track.label is not None and path and path == clusters[link.head]:
            for outer in (p for p in frames if p == path or path.startswith(f"{p}.")):
                frames[outer] = _around(frames[outer], track.label)
    return msgspec.structs.replace(placement, frames=frames)


def _around(frame: Place, label: Place) -> Place:
    left, right = min(frame.left, label.left - 2 * _AIR), max(frame.right, label.right + 2 * _AIR)
    return Place((left + right) / 2, frame.y, right - left, frame.height)


def _places(way: list[Point], label: Label) -> Iterator[tuple[Place, Place]]:
    """Places beside the way, each with that of its scissors.

    Where the way runs straight down comes before where it leans, right before left, the middle first.
    """
    ends = sorted((way[0][1], way[-1][1]))
    top, bottom = ends[0] + label.height / 2 + _AIR, ends[1] - label.height / 2 - _AIR
    middle = (top + bottom) / 2
    steps = range(int(max(0.0, bottom - top) / 2 / _STEP) + 1)
    found = []
    for k in (sign * step for step in steps for sign in ((1, -1) if step else (1,))):
        y = middle + _STEP * k
        # The way may lean: the words begin where it is farthest on their side.
        beside = [x for x, py in way if abs(py - y) <= label.height / 2]
        if not beside:
            continue
        lean = max(beside) - min(beside)
        # The gradient's lane, with the scissors, is at the right of one who looks along a way down, and at the left
        # of one that leads back up.
        down = way[0][1] <= way[-1][1]
        left = _LANES if down else 3 * _LANES
        for side, edge in ((1, max(beside)), (-1, min(beside) - left)):
            place = Place(edge + side * label.width / 2, y, label.width, label.height)
            at = min(way, key=lambda point: abs(point[1] - y))[0]
            scissors = Place(at + (LABEL_START / 2 if down else -LABEL_START / 2), y, LABEL_START - 6, 14.0)
            found.append(((lean > _LEAN, -side, round(lean), abs(k)), (place, scissors)))
    # Sorting is stable, so equals stay in order.
    return (places for _, places in sorted(found, key=lambda pair: pair[0]))


def _is_free(place: Place, lanes: list[tuple[float, float, int]], ways: set[int], taken: list[Place]) -> bool:
    if any(_meet(place, other) for other in taken):
        return False
    left, right = place.left - _LANES, place.right + _LANES
    start, stop = bisect_right(lanes, (place.top, math.inf)), bisect_left(lanes, (place.bottom, -math.inf))
    return not any(left < x < right and i in ways for _, x, i in lanes[start:stop])


def _meet(one: Place, other: Place) -> bool:
    return (
        abs(one.x - other.x) < (one.width + other.width) / 2 + _AIR
        and abs(one.y - other.y) < (one.height + other.height) / 2 + _AIR
    )


def name_frames(placement: Placement) -> Placement:
    """The placement with a place for each frame's name: the first along its edges that no link runs through.

    Where there is none the name gets less room.
    """
    if not placement.frames:
        return placement
    points = sorted((y, x) for track in placement.tracks.values() for x, y in sample_closely(track, _SAMPLES))
    taken = [*placement.boxes.values(), *(t.label for t in placement.tracks.values() if t.label is not None)]
    sides = extent(placement)
    names = {}
    for path, frame in placement.frames.items():
        wide = min(width(frame_name(path, placement.frames), fonts.FRAME_NAME), frame.width - 18)
        names[path] = _name_of(frame, wide, points, taken, list(placement.frames.values()), sides)
        taken.append(names[path])
    return msgspec.structs.replace(placement, names=names)


def _name_of(
    frame: Place, wide: float, points: list[Point], taken: list[Place], frames: list[Place], sides: tuple[float, float]
) -> Place:
    """The first free place that no frame's line runs through, else the first free one, else the first of all."""
    first = free = None
    rows: dict[float, list[float]] = {}
    for place in (place for share in (1.0, 0.7, 0.4) for place in _along(frame, wide * share, sides)):
        first = first or place
        if place.y not in rows:  # few rows, many places in each
            among = points[bisect_right(points, (place.top, math.inf)) : bisect_left(points, (place.bottom, -math.inf))]
            rows[place.y] = sorted(x for _, x in among)
        crossed = bisect_left(rows[place.y], place.right + _LANES) > bisect_right(rows[place.y], place.left - _LANES)
        if crossed or any(_meet(place, other) for other in taken):
            continue
        if not any(straddles(place, other) for other in frames):
            return place
        free = free or place
    return free or first or frame


def _along(frame: Place, wide: float, sides: tuple[float, float]) -> Iterator[Place]:
    """Places at the upper side, the lower side, then just outside, from the left; then beside it, within `sides`."""
    first, last = frame.left + 9 + wide / 2, max(frame.left + 9 + wide / 2, frame.right - 9 - wide / 2)
    for y in (frame.top + 12, frame.bottom - 11, frame.top - 10, frame.bottom + 11):
        for step in range(int((last - first) / _STEP) + 1):
            yield Place(first + step * _STEP, y, wide, 12.0)
    for x in (frame.left - wide / 2 - 6, frame.right + wide / 2 + 6):
        if sides[0] <= x - wide / 2 and x + wide / 2 <= sides[1]:
            yield from (Place(x, y, wide, 12.0) for y in (frame.top + 8, frame.bottom - 8, frame.y))
