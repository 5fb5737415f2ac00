"""A partition of the nodes into what a person can read."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import msgspec

from graphvis.analysis.folding.alike import Alike
from graphvis.analysis.folding.applying import Folding, Part
from graphvis.analysis.folding.boxes import Boxes
from graphvis.analysis.folding.breadth import burden, is_wide
from graphvis.analysis.folding.calls import number_calls
from graphvis.analysis.folding.exemplars import Exemplars
from graphvis.analysis.folding.labels import label
from graphvis.analysis.folding.loose import Loose
from graphvis.analysis.folding.opening import Opening, forced
from graphvis.analysis.folding.selecting import keep, select
from graphvis.analysis.folding.squeezing import join_peers, squeeze, tidy
from graphvis.analysis.folding.steps import number_steps
from graphvis.analysis.folding.tree import Modules, dissolve
from graphvis.analysis.folding.whole import Whole
from graphvis.analysis.folding.words import title

FEW = 30
"""Nodes up to which everything is shown, whatever it is; above that modules are boxes, where modules are known."""

_ENOUGH = 20
"""Boxes that are never too many."""
_MOST_LINKS = 80
"""Links that an eye can follow, among as many boxes as a picture has."""
_BURDEN = 960.0
"""Width, and what stands for links, that the eye takes in at once."""
_STRETCH = 1.5
"""How bad it is to be twice too wide, where it is 1 to tell nothing: a third too wide is as bad as half the boxes."""
_TRIES = (
    (1.0, False, 0.0), (0.7, False, 0.0), (1.0, True, 0.0), (0.6, True, 0.0), (0.35, True, 0.0),
    (0.35, True, 0.6), (0.35, True, 0.35),
)  # fmt: skip
"""One after the other: the share of the wanted boxes that is opened, whether peers are joined, the share that stays."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody wants it folded.

    Attributes:
        depth: open every module down to this many levels, lists not counted, whatever comes of it; None to choose.
        expand: patterns of paths of modules that are to be open.
        focus: a module or a node that matters: groups that have nothing to do with it are dropped.
        most: groups that a reader can take in.
        least: groups below which more is shown.
    """

    depth: int | None = None
    expand: tuple[str, ...] = ()
    focus: str | None = None
    most: int = 60
    least: int = 22


def partition(whole: Whole, wishes: Wishes) -> Folding | None:
    """A partition of which people can take in the groups, as far as findings allow it.

    Returns:
        The partition; None where there is so little that nothing need be folded.

    Raises:
        SelectionError: if nothing fits `expand` or `focus`.
    """
    order = whole.order()
    depth, focus, most = wishes.depth, wishes.focus, wishes.most
    asked = depth is not None or focus is not None or bool(wishes.expand)
    if len(order) <= min(FEW, most) and not asked and not is_wide(whole, order):
        return None
    labels = label(whole, order)
    if len(order) <= most and not asked and not any(labels):
        return None
    dissolve(whole, labels)
    number_steps(whole, order, labels)
    number_calls(whole, order, labels)
    modules = Modules(whole, labels, order)
    selection = select(whole, modules, wishes.expand, focus)
    ranks = [0] * len(whole.units)
    for rank, unit in enumerate(order):
        ranks[unit] = rank
    alike = Alike(whole, modules, ranks, selection.modules)
    must = forced(whole, modules, selection.modules)
    loose = Loose(whole, modules)
    exemplars = Exemplars(whole, modules, alike)
    if depth is not None:
        opening = Opening(whole, modules, alike, loose, must)
        opening.deepen(lambda module: modules.level(module) < depth)
        boxes = _tidied(whole, modules, exemplars, opening)
    else:

        def choose(least: int) -> Boxes:
            return _chosen(whole, modules, exemplars, Opening(whole, modules, alike, loose, must), least, most)

        boxes = _clearest(choose, wishes.least)
    return _freeze(whole, modules, exemplars, boxes, keep(whole, selection.units) if focus else None)


def _clearest(choose: Callable[[int], Boxes], least: int) -> Boxes:
    """The first choice that is neither too wide nor tells too little; where none is, the one that is least so."""
    lightest, best = math.inf, None
    for share, joined, squeezed in _TRIES:
        boxes = choose(round(least * share))
        if joined:
            join_peers(boxes)
        if squeezed:
            squeeze(boxes, round(least * squeezed))
        excess = max(0.0, burden(boxes) / _BURDEN - 1)
        fault = _STRETCH * excess + max(0.0, 1 - boxes.count / _ENOUGH)
        if fault < lightest:
            lightest, best = fault, boxes
        if not excess:  # those that follow show less
            break
    assert best is not None
    return best


def _chosen(whole: Whole, modules: Modules, exemplars: Exemplars, opening: Opening, least: int, most: int) -> Boxes:
    opening.choose(least, most)
    boxes = _tidied(whole, modules, exemplars, opening)
    shown = 0
    while boxes.count < least and opening.boxes > shown:  # tidying takes away some of what was opened
        shown = opening.boxes
        opening.choose(shown + least - boxes.count, most)
        boxes = _tidied(whole, modules, exemplars, opening)
    squeeze(boxes, most)
    _thin(boxes)
    return boxes


def _tidied(whole: Whole, modules: Modules, exemplars: Exemplars, opening: Opening) -> Boxes:
    boxes = Boxes(whole, modules, exemplars, opening)
    tidy(boxes)
    return boxes


def _thin(boxes: Boxes) -> None:
    """Fewer boxes where each has to do with each, as in a network of dense blocks: nobody can follow so many links."""
    count = boxes.count + 1
    while _ENOUGH < boxes.count < count and sum(map(len, boxes.flows()[0])) > _MOST_LINKS:
        count = boxes.count
        squeeze(boxes, max(_ENOUGH, count * 3 // 4))


def _freeze(
    whole: Whole, modules: Modules, exemplars: Exemplars, boxes: Boxes, kept: Collection[int] | None
) -> Folding:
    """Groups in the order of their first nodes; what is one unit stays as it is."""
    counts = [0] * len(boxes.boxes)
    shown = [kept is None] * len(boxes.boxes)
    of, units = [boxes.of[unit] for unit in exemplars.of], whole.units
    for node, unit in enumerate(units):
        if node == unit:
            counts[of[unit]] += 1
    for unit in kept or ():
        shown[of[unit]] = True
    groups: list[int] = []
    parts: dict[int, Part] = {}
    clusters: dict[int, str] = {}
    dropped: set[int] = set()
    numbers = [-1] * len(boxes.boxes)
    count = 0
    for unit in units:
        place = of[unit]
        number = numbers[place]
        if number < 0 or counts[place] == 1:
            number = numbers[place] = count
            count += 1
            box = boxes.boxes[place]
            assert box is not None
            if box.frame:
                clusters[number] = box.frame
            if counts[place] > 1:
                parts[number] = Part(
                    name=title(box.names), kind=box.kind, modules=tuple(dict.fromkeys(box.modules)), times=box.times
                )
            if not shown[place]:
                dropped.add(number)
        groups.append(number)
    return Folding(
        groups=tuple(groups),
        parts=parts,
        clusters=clusters,
        stations=tuple([exemplars.stations[home] for home in map(modules.homes.__getitem__, units)]),
        seats=tuple(exemplars.seats),
        dropped=frozenset(dropped),
    )
