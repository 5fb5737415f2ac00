"""What a partition is made from: the nodes as units, what flows into them, and what must stay in sight."""

from __future__ import annotations

from collections.abc import Sequence

from graphvis.analysis.overwriting import refused
from graphvis.model import Graph, TensorInfo
from graphvis.model.graph import NodeKind

NEUTRAL, REACHED, DEAD = 0, 1, 2
"""Classes of units. A gradient reaches the second, not the third: these never mix; a constant mixes with both."""

NONE = -1
"""In place of an input: a slot that holds None."""


class Whole:
    """The nodes of a graph as units: a leaf with its ``AccumulateGrad``, a function with the tensors named after it.

    A unit bears the number of its leaf or function.

    Attributes:
        kinds: the kind of each node.
        names: the name of each node.
        tensors: the state of leaves and tensors.
        modules: the recorded module of each node, where it is known.
        traced: whether a recording knows the modules.
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
        tensors: dict[int, TensorInfo],
        modules: dict[int, str],
        traced: bool,
        roots: Sequence[int],
    ) -> None:
        self.kinds = kinds
        self.names = names
        self.tensors = tensors
        self.modules = modules
        self.traced = traced
        self.units = list(range(len(kinds)))
        self.inputs: list[list[int]] = [[] for _ in kinds]
        self.classes = [NEUTRAL] * len(kinds)
        self.cuts: list[tuple[int, int]] = []
        self.held: set[int] = set()
        self.roots = roots

    def connect(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Take in gradient edges, grouped by source, slots ascending."""
        kinds, names, units, inputs = self.kinds, self.names, self.units, self.inputs
        for source, target in zip(sources, targets, strict=True):
            if target >= 0 and (kinds[source] == "tensor" or names[source] == "AccumulateGrad"):
                units[source] = target
        for source, target in zip(sources, targets, strict=True):
            if units[source] == source:
                inputs[source].append(units[target] if target >= 0 else NONE)
        self.roots = [units[root] for root in self.roots]

    def carry(self, source: int, target: int, cut: bool) -> None:
        """Take in an edge of the value lane."""
        source, target = self.units[source], self.units[target]
        if source != target:
            self.inputs[target].append(source)
            if cut:
                self.cuts.append((source, target))

    def order(self) -> list[int]:
        """The units in an order in which a value flows through them; deterministic and the same for alike parts."""
        inputs, units = self.inputs, self.units
        seen = bytearray(len(units))
        found: list[int] = []
        for start in [*self.roots, *(unit for node, unit in enumerate(units) if node == unit)]:
            if seen[start]:
                continue
            seen[start] = 1
            stack = [(start, iter(inputs[start]))]
            while stack:
                unit, rest = stack[-1]
                for one in rest:
                    if one >= 0 and not seen[one]:
                        seen[one] = 1
                        stack.append((one, iter(inputs[one])))
                        break
                else:
                    found.append(unit)
                    stack.pop()
        return found


def whole_of(graph: Graph) -> Whole:
    """The units of a graph."""
    whole = Whole(
        graph.kinds, graph.names, graph.tensors, graph.modules, bool(graph.modules or graph.calls), graph.roots
    )
    whole.connect(graph.sources, graph.targets)
    for edge in graph.values:
        whole.carry(edge.source, edge.target, edge.cut is not None)
    reached, ghosts = graph.reached, graph.ghosts
    classes = whole.classes
    for node, unit in enumerate(whole.units):
        if node in reached:
            classes[unit] = REACHED
        elif node == unit and not classes[unit]:
            classes[unit] = _class_of(graph, ghosts.get(node), node)
    whole.held.update(whole.units[node] for node, _ in refused(graph))
    return whole


def _class_of(graph: Graph, ghost: str | None, node: int) -> int:
    if graph.kinds[node] == "function":
        return NEUTRAL if ghost == "constant" else DEAD
    return DEAD if graph.kinds[node] == "leaf" else NEUTRAL
