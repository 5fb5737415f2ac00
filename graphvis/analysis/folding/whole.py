"""What a partition is made from: the nodes as units, what flows into them, and what must stay in sight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from graphvis.analysis.overwriting import refused
from graphvis.model import Comparison, Graph, Moment, TensorInfo
from graphvis.model.elements import NodeKind

NEUTRAL, REACHED, DEAD = 0, 1, 2
"""Classes of units. A gradient reaches the second, not the third: these never mix; a constant mixes with both."""

NONE = -1
"""In place of an input: a slot that holds None."""


_T = TypeVar("_T")


class Whole:
    """The nodes of a graph as units: a leaf with its ``AccumulateGrad``, a function with the tensors named after it.

    A unit bears the number of its leaf or function.

    Attributes:
        kinds: the kind of each node.
        names: the name of each node.
        tensors: the state of leaves and tensors.
        modules: the recorded module of each node, where it is known.
        traced: whether a recording knows the modules.
        calls: the forward call of each function node, where it is known.
        units: the unit of each node.
        inputs: for each unit what flows into it, slot by slot, then what the value lane brings; :data:`NONE` for a
            slot that holds None.
        classes: the class of each unit, a bit.
        cuts: (unit, unit) for each edge that is cut.
        held: units that must stand alone.
        roots: the units that the walk began from.
    """

    def __init__(
        self,
        kinds: Sequence[NodeKind],
        names: Sequence[str],
        tensors: Mapping[int, TensorInfo],
        modules: dict[int, str],
        calls: dict[int, int],
    ) -> None:
        self.kinds = kinds
        self.names = names
        self.tensors = tensors
        self.modules = modules
        self.traced = bool(modules or calls)
        self.calls = calls
        self.units = list(range(len(kinds)))
        self.inputs: list[list[int]] = [[] for _ in kinds]
        self.classes = [NEUTRAL] * len(kinds)
        self.cuts: list[tuple[int, int]] = []
        self.held: set[int] = set()
        self.roots: list[int] = []
        self._called: dict[int, str] = {}

    def call(self, unit: int, name: str) -> None:
        """Let a function go by a name that says more than its own."""
        self._called[unit] = name

    def spoken(self, unit: int) -> str:
        """What a function goes by."""
        return self._called.get(unit) or self.names[unit]

    def connect(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Take in gradient edges, grouped by source, slots ascending."""
        kinds, names, units, inputs = self.kinds, self.names, self.units, self.inputs
        for source, target in zip(sources, targets, strict=True):
            if target >= 0 and (kinds[source] == "tensor" or names[source] == "AccumulateGrad"):
                units[source] = target
        for source, target in zip(sources, targets, strict=True):
            if units[source] == source:
                inputs[source].append(units[target] if target >= 0 else NONE)

    def carry(self, source: int, target: int, cut: bool) -> None:
        """Take in an edge of the value lane."""
        source, target = self.units[source], self.units[target]
        if source != target:
            self.inputs[target].append(source)
            if cut:
                self.cuts.append((source, target))

    def begin(self, roots: Iterable[int]) -> None:
        """Take in the roots."""
        self.roots = list(dict.fromkeys(self.units[root] for root in roots))

    def order(self) -> list[int]:
        """The units in an order in which a value flows through them, each as late as its consumers allow.

        So alike parts are in the same order inside, whatever stands around them.
        """
        inputs, units = self.inputs, self.units
        waiting = [0] * len(units)
        for taken in inputs:
            for one in taken:
                if one >= 0:
                    waiting[one] += 1
        # Roots first, in their own order; then what nothing takes. What lies on a circle of writes has no order.
        ends = [unit for node, unit in enumerate(units) if node == unit and not waiting[unit]]
        found = list(dict.fromkeys([*(root for root in self.roots if not waiting[root]), *ends]))
        for unit in found:  # grows meanwhile
            for one in inputs[unit]:
                if one >= 0:
                    waiting[one] -= 1
                    if not waiting[one]:
                        found.append(one)
        if len(found) < len(units):
            seen = set(found)
            found += [unit for node, unit in enumerate(units) if node == unit and unit not in seen]
        return found[::-1]

    @cached_property
    def consumers(self) -> list[int]:
        """For each unit its only consumer; -1 where it has none, -2 where it has several or is an output.

        To be asked for once all is taken in.
        """
        found = [-1] * len(self.units)
        for unit, inputs in enumerate(self.inputs):
            for one in inputs:
                if one >= 0 and found[one] != unit:
                    found[one] = unit if found[one] == -1 else -2
        for root in self.roots:
            found[root] = -2
        return found


def whole_of_graph(graph: Graph) -> Whole:
    """The units of a graph."""
    whole = Whole(graph.kinds, graph.names, graph.tensors, graph.modules, graph.calls)
    whole.connect(graph.sources, graph.targets)
    for edge in graph.values:
        whole.carry(edge.source, edge.target, edge.cut is not None)
    whole.begin(graph.roots)
    for node, found in enumerate(_classes(graph)):
        whole.classes[whole.units[node]] |= found
    _settle(whole.classes, {REACHED | DEAD: REACHED})
    whole.held.update(whole.units[node] for node, _ in refused(graph))
    return whole


def whole_of_comparison(comparison: Comparison) -> Whole:
    """The units of the union of two moments: what became of a node is its class, and what was severed counts as cut."""
    one = comparison.before.graph if comparison.before else Graph()
    other, pairs = comparison.after.graph, comparison.nodes
    kinds = [_of(one.kinds, other.kinds, pair.before, pair.after) for pair in pairs]
    names = [_of(one.names, other.names, pair.before, pair.after) for pair in pairs]
    tensors: dict[int, TensorInfo] = {}
    modules: dict[int, str] = {}
    for place, pair in enumerate(pairs):
        for graph, node in ((one, pair.before), (other, pair.after)):
            if node is not None and node in graph.tensors:
                tensors[place] = graph.tensors[node]
            if node is not None and node in graph.modules:
                modules[place] = graph.modules[node]
    whole = Whole(kinds, names, tensors, modules, {})
    whole.traced = bool(modules or one.calls or other.calls)
    _unite_edges(whole, comparison, one, other)
    before, after = places_of(comparison)
    whole.begin([*(before[root] for root in one.roots), *(after[root] for root in other.roots)])
    found = [NEUTRAL] * len(pairs)
    for graph, places, shift in ((one, before, 0), (other, after, 2)):
        for node, kind in enumerate(_classes(graph)):
            found[whole.units[places[node]]] |= kind << shift
        whole.held.update(whole.units[places[node]] for node, _ in refused(graph))
    mixed = {kind: _fate(kind & 3) | _fate(kind >> 2, gone=bool(kind & REACHED)) << 2 for kind in set(found)}
    _settle(found, mixed)
    bits = {kind: 1 << bit for bit, kind in enumerate(sorted(set(found) - {NEUTRAL}))}
    whole.classes = [bits.get(kind, NEUTRAL) for kind in found]
    return whole


def _unite_edges(whole: Whole, comparison: Comparison, one: Graph, other: Graph) -> None:
    before, after = places_of(comparison)
    sources: list[int] = []
    targets: list[int] = []
    carried: list[tuple[int, int, bool]] = []
    for edge in comparison.edges:
        graph, index, places = (one, edge.before, before) if edge.before is not None else (other, edge.after, after)
        assert index is not None
        if edge.lane == "gradient":
            target = graph.targets[index]
            sources.append(places[graph.sources[index]])
            targets.append(places[target] if target >= 0 else NONE)
            if edge.state == "severed" and target >= 0:
                carried.append((targets[-1], sources[-1], True))
        else:
            value = graph.values[index - len(graph.sources)]
            carried.append((places[value.source], places[value.target], value.cut is not None))
    whole.connect(sources, targets)
    for source, target, cut in carried:
        whole.carry(source, target, cut)


def places_of(comparison: Comparison) -> tuple[list[int], list[int]]:
    """For each node before, and for each node after, its number in the union."""
    sizes = [len(moment.graph.kinds) if moment else 0 for moment in (comparison.before, comparison.after)]
    before, after = [NONE] * sizes[0], [NONE] * sizes[1]
    for place, pair in enumerate(comparison.nodes):
        if pair.before is not None:
            before[pair.before] = place
        if pair.after is not None:
            after[pair.after] = place
    return before, after


def whole_of(drawable: Graph | Moment | Comparison) -> Whole:
    """The units of what is drawn."""
    if isinstance(drawable, Comparison):
        return whole_of_comparison(drawable)
    return whole_of_graph(drawable.graph if isinstance(drawable, Moment) else drawable)


def _classes(graph: Graph) -> list[int]:
    """The class of each node; a value that came through a cut is no constant, whatever made it."""
    reached, ghosts = graph.reached, graph.ghosts
    found = [
        REACHED if node in reached else NEUTRAL if kind == "tensor" or ghosts.get(node) == "constant" else DEAD
        for node, kind in enumerate(graph.kinds)
    ]
    onward: dict[int, list[int]] = {}
    for edge in graph.values:
        onward.setdefault(edge.source, []).append(edge.target)
    stack = [edge.target for edge in graph.values if edge.cut is not None]
    while stack:
        node = stack.pop()
        if found[node] == NEUTRAL:
            found[node] = DEAD
            stack.extend(onward.get(node, ()))
    return found


def _fate(kind: int, gone: bool = False) -> int:
    """What counts where several nodes are one unit; what was reached and is no longer there is as good as lost."""
    if kind & REACHED:
        return REACHED
    return kind or (DEAD if gone else NEUTRAL)


def _settle(classes: list[int], instead: dict[int, int]) -> None:
    for unit, kind in enumerate(classes):
        classes[unit] = instead.get(kind, kind)


def _of(before: Sequence[_T], after: Sequence[_T], one: int | None, other: int | None) -> _T:
    if other is not None:
        return after[other]
    assert one is not None
    return before[one]
