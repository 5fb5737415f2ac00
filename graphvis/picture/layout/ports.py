"""Where links touch their boxes, so that as many as can run straight down do."""

from __future__ import annotations

from collections import Counter, defaultdict

import msgspec

from graphvis.picture.geometry import Place
from graphvis.picture.layout.placement import Placement
from graphvis.picture.layout.source import Ports, touching
from graphvis.picture.measure import Measured

_LEAST_APART = 26.0
_CLEAR = 8.0


class _Ends(msgspec.Struct, frozen=True):
    """How many links leave and enter each box."""

    leaving: Counter[str]
    entering: Counter[str]


def choose(measured: Measured, placement: Placement) -> Ports:
    """Ports from where boxes stand and where the engine led the links."""
    links = measured.scene.links
    ends = _Ends(Counter(links[i].tail for i in touching(links)), Counter(links[i].head for i in touching(links)))
    wanted = {i: _wanted(measured, placement, i, ends) for i in touching(links) if i in placement.tracks}
    below: dict[str, list[int]] = defaultdict(list)
    above: dict[str, list[int]] = defaultdict(list)
    for i in wanted:
        below[links[i].tail].append(i)
        above[links[i].head].append(i)
    leaving: dict[int, float] = {}
    entering: dict[int, float] = {}
    for box, indices in below.items():
        leaving |= _spread(measured, placement, box, [(wanted[i][0], i) for i in indices])
    for box, indices in above.items():
        entering |= _spread(measured, placement, box, [(wanted[i][1], i) for i in indices])
    return Ports(leaving, entering)


def _wanted(measured: Measured, placement: Placement, i: int, ends: _Ends) -> tuple[float, float]:
    """The x at which a link would like to leave its tail and enter its head."""
    link = measured.scene.links[i]
    tail, head = placement.boxes[link.tail], placement.boxes[link.head]
    reaches = _reach(measured, placement, link.tail), _reach(measured, placement, link.head)
    low = max(tail.x - reaches[0], head.x - reaches[1])
    high = min(tail.x + reaches[0], head.x + reaches[1])
    if low <= high:
        x = min(max(_preferred(ends, link.tail, link.head, tail, head), low), high)
        if _is_clear(placement, link.tail, link.head, x):
            return x, x
    points = placement.tracks[i].points
    return points[3][0], points[-4][0]


def _preferred(ends: _Ends, tail_id: str, head_id: str, tail: Place, head: Place) -> float:
    """The middle of the box that has but one link there, else halfway."""
    leaving, entering = ends.leaving[tail_id], ends.entering[head_id]
    if leaving > 1 and entering == 1:
        return head.x
    if leaving == 1 and entering > 1:
        return tail.x
    return (tail.x + head.x) / 2


def _reach(measured: Measured, placement: Placement, box: str) -> float:
    """How far from its middle a box may be touched."""
    share = {"ellipse": 0.3, "rectangle": 0.42, "rounded": 0.4, "bare": 0.0}[measured.sizes[box].shape]
    return share * placement.boxes[box].width


def _is_clear(placement: Placement, tail: str, head: str, x: float) -> bool:
    """Whether nothing stands in the way straight down from tail to head."""
    top, bottom = placement.boxes[tail].bottom, placement.boxes[head].top
    return not any(
        place.left - _CLEAR < x < place.right + _CLEAR and place.top < bottom and place.bottom > top
        for box, place in placement.boxes.items()
        if box not in (tail, head)
    )


def _spread(measured: Measured, placement: Placement, box: str, links: list[tuple[float, int]]) -> dict[int, float]:
    """Offsets from the box's middle near the wanted x, in order and not too close."""
    place, reach = placement.boxes[box], _reach(measured, placement, box)
    if len(links) == 1:
        x, i = links[0]
        return {i: x - place.x if abs(x - place.x) <= reach else 0.0}
    apart = min(_LEAST_APART, 2 * reach / (len(links) - 1))
    ordered = sorted(links)
    offsets = [max(-reach, min(reach, x - place.x)) for x, _ in ordered]
    for k in range(1, len(offsets)):
        offsets[k] = max(offsets[k], offsets[k - 1] + apart)
    offsets[-1] = min(offsets[-1], reach)
    for k in range(len(offsets) - 2, -1, -1):
        offsets[k] = min(offsets[k], offsets[k + 1] - apart)
    return {i: offset for (_, i), offset in zip(ordered, offsets, strict=True)}
