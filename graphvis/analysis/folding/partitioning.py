"""A partition of the nodes into what a person can read."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from graphvis.analysis.folding.alike import Alike
from graphvis.analysis.folding.applying import Folding, Part
from graphvis.analysis.folding.boxes import Boxes
from graphvis.analysis.folding.breadth import is_wide
from graphvis.analysis.folding.calls import number_calls
from graphvis.analysis.folding.choosing import PAGE, Way, clearest, ways
from graphvis.analysis.folding.exemplars import Exemplars
from graphvis.analysis.folding.labels import label
from graphvis.analysis.folding.loose import Loose
from graphvis.analysis.folding.opening import Opening, forced
from graphvis.analysis.folding.selecting import keep, select
from graphvis.analysis.folding.squeezing import squeeze, tidy
from graphvis.analysis.folding.steps import number_steps
from graphvis.analysis.folding.tree import Modules, dissolve
from graphvis.analysis.folding.whole import Whole
from graphvis.analysis.folding.words import title

FEW = 30
"""Nodes up to which everything is shown, whatever it is; above that modules are boxes, where modules are known."""


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


def partition(whole: Whole, wishes: Wishes, measure: Callable[[Folding | None], float] | None = None) -> Folding | None:
    """A partition of which people can take in the groups, as far as findings allow it.

    Args:
        whole: the units.
        wishes: how somebody wants it.
        measure: tells how wide a picture of a partition is, in SVG units, or of the whole as it is; None to guess.
            It is called a few times.

    Returns:
        The partition, where it was measured the very same; None where there is so little that nothing need be folded.

    Raises:
        SelectionError: if nothing fits `expand` or `focus`.
    """
    order = whole.order()
    depth, focus, most = wishes.depth, wishes.focus, wishes.most
    asked = depth is not None or focus is not None or bool(wishes.expand)
    labels = label(whole, order)
    few = len(order) <= min(FEW, most) or (len(order) <= most and not any(labels))
    if few and not asked and not (is_wide(whole, order) if measure is None else measure(None) > PAGE):
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
    exemplars = Exemplars(whole, modules, alike)
    loose = Loose(whole, modules)
    kept = keep(whole, selection.units) if focus else None

    def opened() -> Opening:
        return Opening(whole, modules, alike, loose, must)

    if depth is not None:
        opening = opened()
        opening.deepen(lambda module: modules.level(module) < depth)
        return _freeze(whole, modules, exemplars, _tidied(whole, modules, exemplars, opening), kept)

    def choose(least: int, framed: bool) -> Boxes:
        def boxes(opening: Opening) -> Boxes:
            return _tidied(whole, modules, exemplars, opening, framed=framed)

        return _chosen(opened(), boxes, least, most)

    made: dict[Way, Folding] = {}

    def folding(way: Way) -> Folding:
        if way not in made:
            made[way] = _freeze(whole, modules, exemplars, way.boxes, kept)
        return made[way]

    measured = None if measure is None else lambda way: measure(folding(way))
    return folding(clearest(ways(choose, wishes.least, len(set(exemplars.of))), len(whole.units), measured))


def _chosen(opening: Opening, tidied: Callable[[Opening], Boxes], least: int, most: int) -> Boxes:
    opening.choose(least, most)
    boxes = tidied(opening)
    shown = 0
    while boxes.count < least and opening.boxes > shown:  # tidying takes away some of what was opened
        shown = opening.boxes
        opening.choose(shown + least - boxes.count, most)
        boxes = tidied(opening)
    squeeze(boxes, most)
    return boxes


def _tidied(whole: Whole, modules: Modules, exemplars: Exemplars, opening: Opening, *, framed: bool = True) -> Boxes:
    boxes = Boxes(whole, modules, exemplars, opening, framed=framed)
    tidy(boxes)
    return boxes


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
