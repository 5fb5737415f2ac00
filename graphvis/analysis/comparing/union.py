"""The union of two moments whose nodes are matched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from graphvis.model import Comparison, Graph, Moment, Pair, PairEdge
from graphvis.model.comparison import Matching, State

_Key = tuple[object, ...]


def single(moment: Moment, *, name: str = "graph", title: str = "", description: str = "") -> Comparison:
    """A comparison of one half: everything in it is kept."""
    graph = moment.graph
    return Comparison(
        name=name,
        title=title,
        description=description,
        after=_settled(moment),
        matching="single",
        nodes=tuple(Pair(None, index, "kept") for index in range(len(graph.kinds))),
        edges=tuple(
            PairEdge("gradient" if index < len(graph.sources) else "value", None, index, "kept")
            for index in range(len(graph.edges))
        ),
    )


def unite(
    before: Moment,
    after: Moment,
    matched: Mapping[int, int],
    matching: Matching,
    *,
    name: str = "comparison",
    title: str = "",
    description: str = "",
) -> Comparison:
    """The union of two moments.

    Args:
        before: the moment before.
        after: the moment after.
        matched: node indices before to node indices after, one to one.
        matching: how they were matched.
        name: fit for a file and an id.
        title: the finding.
        description: the finding for a reader who cannot see the picture.
    """
    one, other = before.graph, after.graph
    new = sorted(set(range(len(other.kinds))) - set(matched.values()))
    nodes = [
        Pair(index, matched.get(index), _state(one, index, other, matched.get(index)))
        for index in range(len(one.kinds))
    ]
    nodes += [Pair(None, index, "new") for index in new]
    return Comparison(
        name=name,
        title=title,
        description=description,
        before=_settled(before),
        after=_settled(after),
        matching=matching,
        nodes=tuple(nodes),
        edges=tuple(_edges(one, other, nodes)),
    )


def _settled(moment: Moment) -> Moment:
    """Without sequence numbers, which served the matching: they say how much ran in this process before."""
    return replace(moment, graph=replace(moment.graph, sequence_nrs=())) if moment.graph.sequence_nrs else moment


def _state(before: Graph, index: int, after: Graph, other: int | None) -> State:
    was = before.is_reached(index)
    if other is not None and (not was or after.is_reached(other)):
        return "kept"
    if other is None and not was:
        return "unreachable"
    return "unreachable" if before.kinds[index] == "function" else "severed"


def _edges(before: Graph, after: Graph, nodes: list[Pair]) -> Iterable[PairEdge]:
    """Every edge of the union, those before first, in their order."""
    place_before = {pair.before: place for place, pair in enumerate(nodes) if pair.before is not None}
    place_after = {pair.after: place for place, pair in enumerate(nodes) if pair.after is not None}
    keys_after = dict(_keys(after, place_after))
    reached_after = {place_after[index] for index in after.reached}
    reached_before = {place_before[index] for index in before.reached}
    for key, index in _keys(before, place_before):
        same = keys_after.pop(key, None)
        lane, source = key[0], key[1]
        state: State = "kept"
        if lane == "gradient" and source in reached_before and source not in reached_after:
            state = "unreachable"
        elif same is None:
            state = "severed" if lane == "gradient" and source in reached_after else "unreachable"
        yield PairEdge("gradient" if lane == "gradient" else "value", index, same, state)
    for key, index in keys_after.items():
        yield PairEdge("gradient" if key[0] == "gradient" else "value", None, index, "new")


def _keys(graph: Graph, place: Mapping[int, int]) -> Iterable[tuple[_Key, int]]:
    """A key for each edge that says the same of an edge on either side, with the edge's index."""
    for index, (source, slot, target, output_nr) in enumerate(
        zip(graph.sources, graph.slots, graph.targets, graph.output_nrs, strict=True)
    ):
        if target >= 0:
            yield ("gradient", place[source], slot, place[target], output_nr), index
        else:
            yield ("gradient", place[source], slot, None), index
    count: dict[_Key, int] = {}
    for index, edge in enumerate(graph.values, start=len(graph.sources)):
        ends: _Key = ("value", place[edge.source], place[edge.target])
        count[ends] = count.get(ends, 0) + 1
        yield (*ends, count[ends]), index
