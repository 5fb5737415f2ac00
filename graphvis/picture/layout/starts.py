"""Where backward starts: right below the output, wherever the engine had put it."""

from __future__ import annotations

from collections import Counter

import msgspec

from graphvis.picture.geometry import Place, Point
from graphvis.picture.layout.labels import straddles
from graphvis.picture.layout.placement import Placement, Track, sample_closely
from graphvis.picture.layout.ports import reach
from graphvis.picture.layout.presence import Presence
from graphvis.picture.measure import Measured

_SHAFT = 32.0
_LANES = 9.0
_AIR = 5.0
_STEP = 3.0


def settle(measured: Measured, placement: Placement, there: Presence) -> Placement:
    """The placement with each start below its output, where there is room."""
    scene = measured.scene
    shared = Counter(link.head for link in scene.links)
    for i, link in enumerate(scene.links):
        if link.kind == "start" and shared[link.head] == 1 and i in placement.tracks:
            placement = _settle(measured, placement, there, i)
    return placement


def _settle(measured: Measured, placement: Placement, there: Presence, i: int) -> Placement:
    link = measured.scene.links[i]
    tail, start = placement.boxes[link.tail], placement.boxes[link.head]
    halves = there.links[i]
    others = there.obstacles(placement, halves, but=(link.tail, link.head))
    lanes = [
        p for k, track in placement.tracks.items() if k != i and there.links[k] & halves for p in sample_closely(track)
    ]
    share = reach(measured, placement, link.tail)
    asides = sorted((sign * _STEP * k for k in range(int(share / _STEP) + 1) for sign in (1, -1)), key=abs)
    for aside in asides:
        x = tail.x + aside
        place = Place(x, tail.bottom + _SHAFT + start.height / 2, start.width, start.height)
        shaft = Place(x, tail.bottom + _SHAFT / 2, 2.0, _SHAFT)
        framed = any(straddles(place, frame) for frame in placement.frames.values())
        if not framed and _is_free(place, others, lanes) and _is_free(shaft, others, lanes):
            way = tuple((x, tail.bottom + _SHAFT * k / 3) for k in range(4))
            return msgspec.structs.replace(
                placement, boxes={**placement.boxes, link.head: place}, tracks={**placement.tracks, i: Track(way)}
            )
    return placement


def _is_free(place: Place, others: list[Place], lanes: list[Point]) -> bool:
    return not any(
        abs(place.x - o.x) < (place.width + o.width) / 2 + _AIR
        and abs(place.y - o.y) < (place.height + o.height) / 2 + _AIR
        for o in others
    ) and not any(
        place.left - _LANES < x < place.right + _LANES and place.top - _AIR < y < place.bottom + _AIR for x, y in lanes
    )
