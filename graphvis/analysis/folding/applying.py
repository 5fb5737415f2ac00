"""The quotient of a graph by a partition of its nodes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from graphvis.analysis.folding.words import operations
from graphvis.model import Fold, Graph, Moment, ValueEdge
from graphvis.model.elements import NodeKind
from graphvis.model.graph import FoldKind, GhostReason

Station = tuple[tuple[int, int], ...]


class Repeats:
    """Tells which edges are drawn elsewhere already.

    Args:
        seats: see :class:`Folding`.
    """

    def __init__(self, seats: Sequence[Station]) -> None:
        self._seats = seats
        self._known: dict[int, bool] = {}

    def between(self, one: int, other: int) -> bool:
        """Whether an edge leads from one of several alike modules to the next, or is drawn in their first already."""
        if not one or not other:
            return False
        pair = one * len(self._seats) + other
        found = self._known.get(pair)
        if found is None:
            found = self._known[pair] = self._compare(one, other)
        return found

    def _compare(self, one: int, other: int) -> bool:
        mine, its = self._seats[one], self._seats[other]
        for level in range(min(len(mine), len(its))):
            row, place = mine[level]
            if its[level][0] != row:
                return False
            if place or its[level][1]:
                return True
        return False


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A group that is drawn as one box though it is more than one thing.

    Attributes:
        name: what the box is called.
        kind: see :class:`~graphvis.model.graph.Fold`.
        modules: see there.
        times: see there.
    """

    name: str
    kind: FoldKind
    modules: tuple[str, ...] = ()
    times: int = 1


class Folding(msgspec.Struct, frozen=True, kw_only=True):
    """A partition of the nodes of a graph, or of the union of two.

    Attributes:
        groups: for each node the number of its group; groups count from 0 in the order of their first nodes.
        parts: the groups that stand for more than one node; every other has one node and stays as it is.
        clusters: for each group the frame that it stands in, where it stands in one.
        stations: for each node which seats it has: an index into `seats`.
        seats: ``(row, place)`` for each opened row of alike modules that a node lies in, outer ones first.
        dropped: groups that are left out of the picture.
    """

    groups: tuple[int, ...]
    parts: dict[int, Part]
    clusters: dict[int, str]
    stations: tuple[int, ...]
    seats: tuple[Station, ...] = ((),)
    dropped: frozenset[int] = frozenset()


def apply(graph: Graph, folding: Folding, places: Sequence[int] | None = None) -> Graph:
    """The graph with one node for each group.

    Args:
        graph: what to fold.
        folding: a partition of its nodes, or of those of a union that it is a side of.
        places: for each node of the graph its number in the union; None where the graph is the whole.

    Returns:
        A graph with the groups as nodes, in the order of their first nodes. Gradient edges between two groups are one,
        value edges too, but for those with different cuts.
    """
    return quotient(graph, folding, places).graph


class Quotient(msgspec.Struct, frozen=True):
    """A folded graph and where its nodes and edges come from.

    Attributes:
        graph: the folded graph.
        groups: for each of its nodes the group that it stands for.
        nodes: for each node of the whole graph the node that it went into; -1 where that was dropped.
        edges: for each gradient edge of the whole graph the edge that it went into, where it did.
    """

    graph: Graph
    groups: tuple[int, ...]
    nodes: tuple[int, ...]
    edges: dict[int, int]


def quotient(graph: Graph, folding: Folding, places: Sequence[int] | None = None) -> Quotient:
    """Like :func:`apply`, with where everything went."""
    return _Folder(graph, folding, range(len(graph.kinds)) if places is None else places).run()


def apply_to_moment(moment: Moment, folding: Folding, places: Sequence[int] | None = None) -> tuple[Moment, Quotient]:
    """A moment with its graph folded, and what backward passed told of the folded edges."""
    found = quotient(moment.graph, folding, places)
    outcome = moment.outcome
    if outcome is not None and outcome.passed is not None:
        passed = sorted({found.edges[edge] for edge in outcome.passed if edge in found.edges})
        outcome = msgspec.structs.replace(outcome, passed=tuple(passed))
    return msgspec.structs.replace(moment, graph=found.graph, outcome=outcome), found


class _Folder:
    def __init__(self, graph: Graph, folding: Folding, places: Sequence[int]) -> None:
        self.graph = graph
        self.folding = folding
        groups = folding.groups
        self.members: dict[int, list[int]] = {}
        for node, place in enumerate(places):
            if groups[place] not in folding.dropped:
                self.members.setdefault(groups[place], []).append(node)
        self.order = list(self.members)
        self.numbers = {group: number for number, group in enumerate(self.order)}
        self.of = [self.numbers.get(groups[place], -1) for place in places]
        self.stations = [folding.stations[place] for place in places]
        self.repeats = Repeats(folding.seats)
        self.single = {number for number, group in enumerate(self.order) if group not in folding.parts}

    def run(self) -> Quotient:
        graph = self.graph
        (sources, slots, targets, output_nrs), edges = self._edges()
        alone = {self.members[self.order[number]][0]: number for number in self.single}
        firsts = {number: self.members[group][0] for number, group in enumerate(self.order)}
        kinds: list[NodeKind] = []
        names: list[str] = []
        for number, group in enumerate(self.order):
            part = self.folding.parts.get(group)
            kinds.append(graph.kinds[firsts[number]] if part is None else "function")
            names.append(graph.names[firsts[number]] if part is None else part.name)
        folded = msgspec.structs.replace(
            graph,
            kinds=tuple(kinds),
            names=tuple(names),
            sources=sources,
            slots=slots,
            targets=targets,
            output_nrs=output_nrs,
            roots=tuple(dict.fromkeys(self.of[root] for root in graph.roots if self.of[root] >= 0)),
            tensors={alone[node]: info for node, info in graph.tensors.items() if node in alone},
            saved={alone[node]: saved for node, saved in graph.saved.items() if node in alone},
            values=self._values(),
            locations={i: found for i, node in firsts.items() if (found := graph.locations.get(node))},
            modules={i: module for i, node in firsts.items() if (module := graph.modules.get(node))},
            sequence_nrs=tuple(graph.sequence_nrs[node] for node in firsts.values()) if graph.sequence_nrs else (),
            ghosts=self._ghosts(),
            calls={i: call for i, node in firsts.items() if (call := graph.calls.get(node)) is not None},
            folds={self.numbers[group]: self._fold(group) for group in self.order if group in self.folding.parts},
            clusters={i: path for i, group in enumerate(self.order) if (path := self.folding.clusters.get(group))},
        )
        return Quotient(folded, tuple(self.order), tuple(self.of), edges)

    def _edges(self) -> tuple[tuple[tuple[int, ...], ...], dict[int, int]]:
        """The gradient edges between groups, grouped by source; a node that stands alone keeps all its slots.

        With them, for each edge of the whole graph the one that it went into.
        """
        graph, of, single = self.graph, self.of, self.single
        heads: list[dict[int, list[int]]] = [{} for _ in self.order]
        kept: dict[int, list[int]] = {tail: [] for tail in single}
        stations, between = self.stations, self.repeats.between
        for edge, (source, target) in enumerate(zip(graph.sources, graph.targets, strict=True)):
            tail = of[source]
            head = of[target] if target >= 0 else -1
            if tail == head or tail < 0:
                continue
            if target >= 0 and (head < 0 or between(stations[source], stations[target])):
                continue
            if tail in kept:
                kept[tail].append(edge)
            elif head >= 0:
                heads[tail].setdefault(head, []).append(edge)
        rows: list[tuple[int, int, int, int]] = []
        edges: dict[int, int] = {}
        for tail, found in enumerate(heads):
            for edge in kept.get(tail, ()):
                head = of[graph.targets[edge]] if graph.targets[edge] >= 0 else -1
                edges[edge] = len(rows)
                rows.append((tail, graph.slots[edge], head, graph.output_nrs[edge] if head in single else 0))
            for slot, (head, old) in enumerate(found.items()):
                edges.update(dict.fromkeys(old, len(rows)))
                rows.append((tail, slot, head, 0))
        return tuple(tuple(row[column] for row in rows) for column in range(4)), edges

    def _values(self) -> tuple[ValueEdge, ...]:
        found: dict[tuple[int, int, int | None], ValueEdge] = {}
        for edge in self.graph.values:
            source, target = self.of[edge.source], self.of[edge.target]
            inside = source == target and edge.cut is None
            if source < 0 or target < 0 or inside or (edge.cut is None and self._is_repeated(edge.source, edge.target)):
                continue
            slot = edge.slot if target in self.single else None
            found.setdefault((source, target, edge.cut), ValueEdge(source, target, edge.cut, edge.call, slot))
        return tuple(found.values())

    def _is_repeated(self, one: int, other: int) -> bool:
        return self.repeats.between(self.stations[one], self.stations[other])

    def _ghosts(self) -> dict[int, GhostReason]:
        ghosts, found = self.graph.ghosts, {}
        for number, group in enumerate(self.order):
            reasons: list[GhostReason] = [ghosts[node] for node in self.members[group] if node in ghosts]
            if len(reasons) == len(self.members[group]):
                found[number] = "freed" if "freed" in reasons else reasons[0]
        return found

    def _fold(self, group: int) -> Fold:
        graph, part, members = self.graph, self.folding.parts[group], self.members[group]
        leaves = [node for node in members if graph.kinds[node] == "leaf"]
        functions = [
            node for node in members if graph.kinds[node] == "function" and graph.names[node] != "AccumulateGrad"
        ]
        return Fold(
            kind=part.kind,
            modules=part.modules,
            times=part.times,
            functions=len(functions),
            parameters=len(leaves),
            numel=sum(_numel(graph.tensors[node].shape) for node in leaves if node in graph.tensors),
            lost=sum(node not in graph.reached for node in leaves),
            operations=operations(graph.names[node] for node in reversed(functions)),
        )


def _numel(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
