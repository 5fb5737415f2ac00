"""Where links touch their boxes, so that as many as can run straight down do."""

from __future__ import annotations

from collections import Counter, defaultdict

import msgspec

from graphvis.picture.layout.placement import Placement
from graphvis.picture.layout.presence import Presence
from graphvis.picture.layout.source import Ports, touching
from graphvis.picture.measure import Measured

_LEAST_APART = 26.0
_CLEAR = 8.0


class _Scope(msgspec.Struct, frozen=True):
    """What choosing looks at.

    Attributes:
        measured: the scene and its sizes.
        placement: where boxes stand, and where the engine led the links.
        there: who is there with whom.
        leaving: how many links leave each box.
        entering: how many enter it.
    """

    measured: Measured
    placement: Placement
    there: Presence
    leaving: Counter[str]
    entering: Counter[str]


def choose(measured: Measured, placement: Placement, there: Presence) -> Ports:
    """Ports from where boxes stand and where the engine led the links."""
    links = measured.scene.links
    indices = [i for i in touching(links) if i in placement.tracks]
    leaving, entering = (there.count(measured.scene, end, indices) for end in ("tail", "head"))
    scope = _Scope(measured, placement, there, leaving, entering)
    wanted = {i: _wanted(scope, i) for i in indices}
    below: dict[str, list[int]] = defaultdict(list)
    above: dict[str, list[int]] = defaultdict(list)
    for i in wanted:
        below[links[i].tail].append(i)
        above[links[i].head].append(i)
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    for box, same in below.items():
        starts |= _spread(scope, box, [(wanted[i][0], i) for i in same])
    for box, same in above.items():
        ends |= _spread(scope, box, [(wanted[i][1], i) for i in same])
    return Ports(starts, ends)


def _wanted(scope: _Scope, i: int) -> tuple[float, float]:
    """The x at which a link would like to leave its tail and enter its head."""
    link = scope.measured.scene.links[i]
    tail, head = scope.placement.boxes[link.tail], scope.placement.boxes[link.head]
    reaches = [reach(scope.measured, scope.placement, box) for box in (link.tail, link.head)]
    low = max(tail.x - reaches[0], head.x - reaches[1])
    high = min(tail.x + reaches[0], head.x + reaches[1])
    if low <= high:
        x = min(max(_preferred(scope, i, reaches), low), high)
        if _is_clear(scope, i, x):
            return x, x
    points = scope.placement.tracks[i].points
    return _toward(tail.x, head.x, points[3][0]), _toward(head.x, tail.x, points[-4][0])


def _toward(here: float, there: float, engine: float) -> float:
    """The x to head for: the other box, unless the engine found that the way begins on the other side."""
    return there if (engine - here) * (there - here) >= 0 else engine


def _preferred(scope: _Scope, i: int, reaches: list[float]) -> float:
    """The middle of the box that has but one link there, or can be touched less far from it."""
    link = scope.measured.scene.links[i]
    tail, head = scope.placement.boxes[link.tail], scope.placement.boxes[link.head]
    leaving, entering = scope.leaving[link.tail], scope.entering[link.head]
    if leaving > 1 and entering == 1:
        return head.x
    if leaving == 1 and entering > 1:
        return tail.x
    return tail.x if reaches[0] <= reaches[1] else head.x


def reach(measured: Measured, placement: Placement, box: str) -> float:
    """How far from its middle a box may be touched."""
    share = {"ellipse": 0.3, "rectangle": 0.43, "rounded": 0.44, "bare": 0.0}[measured.sizes[box].shape]
    return share * placement.boxes[box].width


def _is_clear(scope: _Scope, i: int, x: float) -> bool:
    """Whether nothing stands in the way straight down from tail to head."""
    link, placement = scope.measured.scene.links[i], scope.placement
    top, bottom = placement.boxes[link.tail].bottom, placement.boxes[link.head].top
    return not any(
        place.left - _CLEAR < x < place.right + _CLEAR and place.top < bottom and place.bottom > top
        for place in scope.there.obstacles(placement, scope.there.links[i], but=(link.tail, link.head))
    )


def _spread(scope: _Scope, box: str, links: list[tuple[float, int]]) -> dict[int, float]:
    """Offsets from the box's middle near the wanted x; links of one half in order and not too close."""
    place, halves = scope.placement.boxes[box], scope.there.links
    most_aside = reach(scope.measured, scope.placement, box)
    ordered = sorted(links)
    most = max(sum(half in halves[i] for _, i in ordered) for half in range(len(scope.measured.scene.halves)))
    if most <= 1:
        return {i: x - place.x if abs(x - place.x) < most_aside + 0.01 else 0.0 for x, i in ordered}
    apart = min(_LEAST_APART, 2 * most_aside / (most - 1))
    offsets = [max(-most_aside, min(most_aside, x - place.x)) for x, _ in ordered]
    count = len(ordered)
    for k in range(count):
        before = [offsets[j] + apart for j in range(k) if halves[ordered[j][1]] & halves[ordered[k][1]]]
        offsets[k] = max([offsets[k], *before])
    for k in range(count - 1, -1, -1):
        after = [offsets[j] - apart for j in range(k + 1, count) if halves[ordered[j][1]] & halves[ordered[k][1]]]
        offsets[k] = min([offsets[k], most_aside, *after])
    return {i: offset for (_, i), offset in zip(ordered, offsets, strict=True)}
