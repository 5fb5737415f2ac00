"""Folding: any drawable as one of the same kind that a person can read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar, cast

from msgspec.structs import replace

from graphvis.analysis.comparing import single, unite
from graphvis.analysis.folding.applying import Folding, apply, apply_to_moment, quotient
from graphvis.analysis.folding.partitioning import Wishes, partition
from graphvis.analysis.folding.whole import places_of, whole_of, whole_of_graph
from graphvis.collecting import uncollected
from graphvis.model import Comparison, Conflict, Diagnosis, Drawable, Graph, Moment

_Any = TypeVar("_Any", bound=Drawable)

_LEAST = 22


def fold(
    drawable: _Any,
    *,
    depth: int | None = None,
    expand: Collection[str] = (),
    focus: str | None = None,
    most: int = 60,
    least: int = _LEAST,
) -> _Any:
    """The same drawable with groups of its nodes as one node each.

    What has few nodes comes back as it is. Around cuts, conflicts and parameters that get no gradient it stays open,
    and nothing that a gradient reaches is in one box with something that none reaches.

    Args:
        drawable: a Graph, Moment, Comparison or Diagnosis.
        depth: open every module down to this many levels (a list of modules is none), whatever comes of it.
        expand: patterns of paths of modules that are to be open, e.g. ``h.3`` or ``h.*.attn``.
        focus: the path of a module, or the name of a tensor or function: what has nothing to do with it is left out.
        most: boxes that a reader can take in; more only where findings ask for it.
        least: boxes below which more is shown.

    Raises:
        SelectionError: if nothing fits `expand` or `focus`.
        TypeError: if it is of a kind that cannot be folded.
    """
    wishes = Wishes(depth=depth, expand=tuple(expand), focus=focus, most=most, least=least)
    with uncollected():
        return _fold(drawable, wishes)


def _fold(drawable: _Any, wishes: Wishes) -> _Any:
    if isinstance(drawable, Diagnosis):
        return cast(_Any, _fold_diagnosis(drawable, wishes))
    if not isinstance(drawable, (Graph, Moment, Comparison)):
        raise TypeError(f"a {type(drawable).__name__} cannot be folded")
    folding = partition(whole_of(drawable), wishes)
    if folding is None:
        return drawable
    if isinstance(drawable, Graph):
        return cast(_Any, apply(drawable, folding))
    if isinstance(drawable, Moment):
        return cast(_Any, apply_to_moment(drawable, folding)[0])
    return cast(_Any, _fold_comparison(drawable, folding))


def _fold_diagnosis(diagnosis: Diagnosis, wishes: Wishes) -> Diagnosis:
    graph = diagnosis.graph
    if graph is None:
        return diagnosis
    whole = whole_of_graph(graph)
    whole.held |= {whole.units[one.index] for one in diagnosis.conflicts if one.index is not None}
    folding = partition(whole, wishes)
    if folding is None:
        return diagnosis
    found = quotient(graph, folding)
    conflicts = tuple(_moved(conflict, found.nodes) for conflict in diagnosis.conflicts)
    return replace(diagnosis, graph=found.graph, conflicts=conflicts)


def _moved(conflict: Conflict, nodes: Sequence[int]) -> Conflict:
    if conflict.index is None:
        return conflict
    node = nodes[conflict.index]
    return replace(conflict, index=None if node < 0 else node)


def _fold_comparison(comparison: Comparison, folding: Folding) -> Comparison:
    """Both sides by one partition, and their union anew."""
    before, after = places_of(comparison)
    moment, other = apply_to_moment(comparison.after, folding, after)
    words = {"name": comparison.name, "title": comparison.title, "description": comparison.description}
    if comparison.before is None:
        return single(moment, **words)
    earlier, one = apply_to_moment(comparison.before, folding, before)
    nodes = {group: node for node, group in enumerate(other.groups)}
    matched = {node: nodes[group] for node, group in enumerate(one.groups) if group in nodes}
    return unite(earlier, moment, matched, comparison.matching, **words)
