"""Folding: which nodes are drawn as one box."""

from __future__ import annotations

from typing import TypeVar, cast

import msgspec

from graphvis.analysis.folding.alike import Alike
from graphvis.analysis.folding.applying import Folding, apply
from graphvis.analysis.folding.labels import label
from graphvis.analysis.folding.loose import Loose
from graphvis.analysis.folding.opening import Opening
from graphvis.analysis.folding.partition import partition_by
from graphvis.analysis.folding.tree import Modules
from graphvis.analysis.folding.whole import Whole, whole_of
from graphvis.model import Diagnosis, Drawable, Graph

_D = TypeVar("_D", bound=Drawable)


def fold(
    drawable: _D,
    *,
    depth: int | None = None,
    most: int = 60,
    least: int = 20,
) -> _D:
    """The same finding as a picture that a person can read."""
    if isinstance(drawable, Diagnosis) and drawable.graph is not None:
        graph = drawable.graph
        whole = whole_of(graph)
        whole.held.update(whole.units[conflict.index] for conflict in drawable.conflicts if conflict.index is not None)
        folding = partition(whole, depth=depth, most=most, least=least)
        return drawable if folding is None else msgspec.structs.replace(drawable, graph=apply(graph, folding))
    if isinstance(drawable, Graph):
        folding = partition(whole_of(drawable), depth=depth, most=most, least=least)
        return drawable if folding is None else cast(_D, apply(drawable, folding))
    return drawable


def partition(whole: Whole, *, depth: int | None = None, most: int = 60, least: int = 20) -> Folding | None:
    """A partition into `least` to `most` groups, where findings allow it; None where nothing need be folded."""
    order = whole.order()
    if len(order) <= most and depth is None:
        return None
    modules = Modules(whole, label(whole, order), order)
    ranks = [0] * len(whole.units)
    for rank, unit in enumerate(order):
        ranks[unit] = rank
    marked: frozenset[int] = frozenset()
    opening = Opening(whole, modules, Alike(whole, modules, ranks, marked), Loose(whole, modules.homes), marked)
    if depth is None:
        opening.choose(least, most)
    else:
        opening.deepen(depth)
    return partition_by(whole, modules, opening)
