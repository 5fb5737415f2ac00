"""Folding: any drawable as one of the same kind that a person can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec.structs import replace

from graphvis.analysis.comparing import single, unite
from graphvis.analysis.folding.applying import Folding, apply_to_moment, quotient
from graphvis.analysis.folding.partitioning import Wishes, partition
from graphvis.analysis.folding.whole import Whole, places_of, whole_of, whole_of_graph
from graphvis.collecting import uncollected
from graphvis.model import Comparison, Conflict, Diagnosis, Drawable, Graph, Moment

_Any = TypeVar("_Any", bound=Drawable)


def fold(drawable: _Any, wishes: Wishes | None = None, measure: Callable[[Drawable], float] | None = None) -> _Any:
    """The same drawable with groups of its nodes as one node each.

    What has few nodes comes back as it is. Around cuts, conflicts and parameters that get no gradient it stays open,
    and nothing that a gradient reaches is in one box with something that none reaches.

    Args:
        drawable: a Graph, Moment, Comparison or Diagnosis.
        wishes: how somebody wants it; None to choose all by the size.
        measure: tells how wide a picture of a folded drawable is, in SVG units; None to guess. It is called a few
            times, and what comes back is one that it was called with, where it was called.

    Raises:
        SelectionError: if nothing fits what somebody wants to see.
        TypeError: if it is of a kind that cannot be folded.
    """
    return trace_fold(drawable, wishes, measure).drawable


class Folded(msgspec.Struct, Generic[_Any], frozen=True):
    """What :func:`fold` makes, with where everything went.

    Attributes:
        drawable: the folded drawable.
        nodes: for each graph in it (of a comparison the one before comes first) and for each node of the whole one,
            the node that it went into; -1 where that was left out.
    """

    drawable: _Any
    nodes: tuple[tuple[int, ...], ...]


def trace_fold(
    drawable: _Any, wishes: Wishes | None = None, measure: Callable[[Drawable], float] | None = None
) -> Folded[_Any]:
    """Like :func:`fold`, with where everything went."""
    if not isinstance(drawable, (Graph, Moment, Comparison, Diagnosis)):
        raise TypeError(f"a {type(drawable).__name__} cannot be folded")
    if isinstance(drawable, Diagnosis) and drawable.graph is None:
        return unfolded(drawable)
    made: list[tuple[Folding | None, Folded[Any]]] = []

    def measured(folding: Folding | None) -> float:
        assert measure is not None
        made.append((folding, _applied(drawable, folding)))
        return measure(made[-1][1].drawable)

    with uncollected():
        folding = partition(_whole(drawable), wishes or Wishes(), measured if measure is not None else None)
        folded = next((folded for known, folded in made if known is folding), None)
        return cast("Folded[_Any]", folded or _applied(drawable, folding))


def _whole(drawable: Graph | Moment | Comparison | Diagnosis) -> Whole:
    if not isinstance(drawable, Diagnosis):
        return whole_of(drawable)
    assert drawable.graph is not None
    whole = whole_of_graph(drawable.graph)
    whole.held |= {whole.units[one.index] for one in drawable.conflicts if one.index is not None}
    return whole


def _applied(drawable: Graph | Moment | Comparison | Diagnosis, folding: Folding | None) -> Folded[Any]:
    if folding is None:
        return unfolded(drawable)
    if isinstance(drawable, Comparison):
        return _fold_comparison(drawable, folding)
    if isinstance(drawable, Moment):
        moment, found = apply_to_moment(drawable, folding)
        return Folded(moment, (found.nodes,))
    if isinstance(drawable, Diagnosis):
        return _fold_diagnosis(drawable, folding)
    found = quotient(drawable, folding)
    return Folded(found.graph, (found.nodes,))


def unfolded(drawable: _Any) -> Folded[_Any]:
    """A drawable as it is, in the same clothes."""
    return Folded(drawable, tuple(tuple(range(len(graph.kinds))) for graph in graphs_of(drawable)))


def graphs_of(drawable: Drawable) -> tuple[Graph, ...]:
    """The graphs in a drawable, of a comparison the one before first."""
    if isinstance(drawable, Comparison):
        return tuple(moment.graph for moment in (drawable.before, drawable.after) if moment is not None)
    graph = drawable.graph if isinstance(drawable, (Moment, Diagnosis)) else drawable
    return (graph,) if isinstance(graph, Graph) else ()


def _fold_diagnosis(diagnosis: Diagnosis, folding: Folding) -> Folded[Diagnosis]:
    assert diagnosis.graph is not None
    found = quotient(diagnosis.graph, folding)
    conflicts = tuple(_moved(conflict, found.nodes) for conflict in diagnosis.conflicts)
    return Folded(replace(diagnosis, graph=found.graph, conflicts=conflicts), (found.nodes,))


def _moved(conflict: Conflict, nodes: Sequence[int]) -> Conflict:
    if conflict.index is None:
        return conflict
    node = nodes[conflict.index]
    return replace(conflict, index=None if node < 0 else node)


def _fold_comparison(comparison: Comparison, folding: Folding) -> Folded[Comparison]:
    """Both sides by one partition, and their union anew."""
    before, after = places_of(comparison)
    moment, other = apply_to_moment(comparison.after, folding, after)
    words = {"name": comparison.name, "title": comparison.title, "description": comparison.description}
    if comparison.before is None:
        return Folded(single(moment, **words), (other.nodes,))
    earlier, one = apply_to_moment(comparison.before, folding, before)
    nodes = {group: node for node, group in enumerate(other.groups)}
    matched = {node: nodes[group] for node, group in enumerate(one.groups) if group in nodes}
    return Folded(unite(earlier, moment, matched, comparison.matching, **words), (one.nodes, other.nodes))
