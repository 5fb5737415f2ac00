"""Making a layout narrower: boxes that stick out at one side step in where there is room."""

from __future__ import annotations

import msgspec

from graphvis.picture.geometry import Place
from graphvis.picture.layout.placement import Placement

_APART = 11.0


def squeeze(placement: Placement, room: float) -> Placement | None:
    """The placement within `room`, by moving single boxes sideways; None where that does not do it."""
    if placement.frames:
        return None
    lefts = [place.left for place in placement.boxes.values()]
    starts = sorted({*lefts, *(place.right - room for place in placement.boxes.values())})
    best: tuple[float, dict[str, Place]] | None = None
    for start in starts:
        moved = _into(placement.boxes, start, room)
        if moved is None:
            continue
        cost = sum(abs(moved[box].x - place.x) for box, place in placement.boxes.items())
        if best is None or cost < best[0]:
            best = cost, moved
    return None if best is None else msgspec.structs.replace(placement, boxes=best[1])


def _into(boxes: dict[str, Place], start: float, room: float) -> dict[str, Place] | None:
    """Every box between `start` and `start + room`, none over another; None where that cannot be."""
    moved = {}
    for box, place in boxes.items():
        if place.width > room:
            return None
        x = min(max(place.x, start + place.width / 2), start + room - place.width / 2)
        moved[box] = Place(x, place.y, place.width, place.height)
    names = list(moved)
    for k, one in enumerate(names):
        for other in names[k + 1 :]:
            if (moved[one] != boxes[one] or moved[other] != boxes[other]) and _meet(moved[one], moved[other]):
                return None
    return moved


def _meet(one: Place, other: Place) -> bool:
    return (
        abs(one.x - other.x) < (one.width + other.width) / 2 + _APART
        and abs(one.y - other.y) < (one.height + other.height) / 2 + 4
    )
