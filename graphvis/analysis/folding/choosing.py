"""Which of several ways to fold is the clearest: neither too wide nor a tangle, and it tells something."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator

from graphvis.analysis.folding.boxes import Boxes
from graphvis.analysis.folding.breadth import breadth
from graphvis.analysis.folding.squeezing import join_parameters, join_peers, squeeze

PAGE = 980.0
"""Width in SVG units that the eye takes in at once."""
_ENOUGH = 20
"""Boxes that are never too few."""
_FOLLOWED = 38
"""Links that an eye follows."""
_TANGLE = 14.0
"""What each link more is as bad as, in SVG units of width."""
_STRETCH = 2.5
"""How bad it is to be twice too wide, where it is 1 to tell nothing: a fifth too wide is as bad as half the boxes."""
_TELLING = 0.02
"""How much better a way must promise to be than the best one measured."""
_MEASURED = 5
"""Ways that are laid out at most; of large graphs fewer, as each is folded before."""
_NODES = 100_000
"""Nodes that are folded at most to measure."""
_UNITS = 150_000
"""Units that are gone through at most to find ways."""
_MOST_BOXES, _MOST_LINKS = 120, 160
"""Boxes and links beyond which no layout is tried."""
_UNFRAMED = 0.1
"""How bad it is that no frames tell which module something is in."""
_BAD = 0.3
"""The fault from which on others are tried even if they promise nothing better."""
_TRIES: tuple[tuple[float, Callable[[Boxes], None] | None, float], ...] = (
    (1.0, None, 0.0), (1.0, join_parameters, 0.0), (1.0, join_peers, 0.0), (1.5, join_parameters, 0.0),
    (1.5, join_peers, 0.0), (2.0, join_peers, 0.0), (1.0, join_parameters, 0.85), (1.0, join_peers, 0.85),
    (0.7, None, 0.0), (1.0, join_peers, 0.7), (0.6, join_peers, 0.0), (0.35, join_peers, 0.0),
    (0.35, join_peers, 0.6), (0.35, join_peers, 0.35),
)  # fmt: skip
"""One after the other: the share of the wanted boxes that is opened, which are joined then, the share that stays."""


class Way:
    """One way to fold.

    Attributes:
        boxes: what is drawn.
        guess: how wide that will be, about.
        links: how many there are.
    """

    def __init__(self, boxes: Boxes, framed: bool) -> None:
        self.boxes = boxes
        self._framed = framed
        onward, back = boxes.flows()
        self.guess = breadth(boxes, onward, back)
        self.links = sum(map(len, onward))

    def excess(self, width: float) -> float:
        """By which share of a page it is too much to look at if it is so wide."""
        return max(0.0, (width + _TANGLE * max(0, self.links - _FOLLOWED)) / PAGE - 1)

    def fault(self, width: float) -> float:
        """How bad it is if it is so wide; 0 is good."""
        little = max(0.0, 1 - self.boxes.count / _ENOUGH)
        return _STRETCH * self.excess(width) + little + _UNFRAMED * (not self._framed)


def ways(choose: Callable[[int, bool], Boxes], least: int, units: int) -> Iterator[Way]:
    """Ways to fold, those that show more first.

    Args:
        choose: opens modules for at least so many boxes, with frames around them or without.
        least: boxes that are wanted.
        units: how many units each way goes through: where they are many, few ways are tried, far from each other.
    """
    stride = math.ceil(len(_TRIES) * units / _UNITS)
    known: set[tuple[bool, tuple[int, ...]]] = set()
    for framed in (True, False) if stride == 1 else (True,):
        for share, join, squeezed in (_TRIES[0], *_TRIES[:0:-stride][::-1]):
            boxes = choose(round(least * share), framed)
            if join:
                join(boxes)
            if squeezed:
                squeeze(boxes, round(least * squeezed))
            if (key := (framed, tuple(boxes.of))) not in known:
                known.add(key)
                yield Way(boxes, framed)


def clearest(found: Iterator[Way], nodes: int, measure: Callable[[Way], float] | None) -> Way:
    """The way with the least fault.

    Args:
        found: ways, those that show more first.
        nodes: how many nodes are folded to measure one.
        measure: lays out a way and tells its width; None to take the first that is not too wide by the guess, and
            where there is none the best.
    """
    waiting: list[Way] = []
    for way in found:
        waiting.append(way)
        if not way.excess(way.guess):  # those that follow show less
            break
    best = min(waiting, key=lambda way: way.fault(way.guess))
    if measure is None:
        return best
    lightest, scale = math.inf, 1.0
    ratios: list[float] = []
    for _ in range(max(2, min(_MEASURED, _NODES // max(1, nodes)))):
        waiting = [way for way in waiting if way.boxes.count <= _MOST_BOXES and way.links <= _MOST_LINKS]
        way = min(waiting, key=lambda way: way.fault(way.guess * scale), default=best)
        if not waiting or (lightest < _BAD and way.fault(way.guess * scale) > lightest - _TELLING):
            break
        waiting.remove(way)
        width = measure(way)
        if way.fault(width) < lightest:
            best, lightest = way, way.fault(width)
        if not lightest:
            break
        ratios.append(width / max(1.0, way.guess))
        scale = statistics.geometric_mean(ratios)
        waiting += found
    return best
