"""One half of a picture, read off its moment: what is drawn, and how far the gradient came."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from graphvis.model import Graph, Moment
from graphvis.picture.scene import GradientLane


class Side:
    """A moment as one half sees it.

    ``AccumulateGrad`` nodes and outputs without a name are not drawn: the leaf stands for the one,
    the start arrow for the other; nor is what made a leaf out of nothing that is shown. A named tensor
    is drawn between its function and its consumers.

    Args:
        moment: what to draw.
    """

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.graph: Graph = moment.graph
        outcome = moment.outcome
        self.error = outcome.error if outcome else None
        self._passed = None if outcome is None or outcome.passed is None else frozenset(outcome.passed)

    @cached_property
    def traced(self) -> bool:
        """Whether a recording tells where values went; without one only the gradient lane is drawn."""
        return bool(self.graph.calls or self.graph.values)

    @cached_property
    def hidden(self) -> frozenset[int]:
        """Nodes that get no box."""
        own = (node for node in range(len(self.graph.kinds)) if self._has_stand_in(node))
        return frozenset(own) | self._makers_of_leaves()

    def _makers_of_leaves(self) -> frozenset[int]:
        """Calls without a backward node that led to leaves only, from nothing: ``arange(4.).view(2, 2)``."""
        graph = self.graph
        found = {node for node, reason in graph.ghosts.items() if reason == "constant" and node not in graph.folds}
        shown = list(found.difference(edge.source for edge in graph.values))
        beside: dict[int, list[int]] = {}
        for edge in graph.values:
            to_leaf = graph.kinds[edge.target] == "leaf"
            for end, other, fits in ((edge.source, edge.target, to_leaf), (edge.target, edge.source, False)):
                if end not in found:
                    continue
                if other in found:
                    beside.setdefault(other, []).append(end)
                if edge.cut is not None or not (fits or other in found):
                    shown.append(end)
        while shown:
            node = shown.pop()
            if node in found:
                found.remove(node)
                shown += beside.get(node, ())
        return frozenset(found)

    def _has_stand_in(self, node: int) -> bool:
        kind, name = self.graph.kinds[node], self.graph.names[node]
        if kind == "function":
            return name == "AccumulateGrad"
        return kind == "tensor" and not name and self._replaceable(node)

    def _replaceable(self, tensor: int) -> bool:
        """Whether an unnamed output can be left to the start arrow: something stands before it."""
        fed = any(self.graph.targets[edge] >= 0 for edge in self.graph.slots_of(tensor))
        return fed or any(edge.target == tensor for edge in self.graph.values)

    @cached_property
    def _boxes_of_outputs(self) -> dict[tuple[int, int], int]:
        """For each (function, output) the named tensor that stands for it."""
        found: dict[tuple[int, int], int] = {}
        for tensor in self.graph.tensors:
            if tensor in self.hidden or self.graph.kinds[tensor] != "tensor":
                continue
            for edge in self.graph.slots_of(tensor):
                found.setdefault((self.graph.targets[edge], self.graph.output_nrs[edge]), tensor)
        return found

    def stand_in(self, node: int, output_nr: int = 0) -> int:
        """The box that `node`'s output is drawn as."""
        if node in self.hidden and self.graph.kinds[node] == "function":
            for edge in self.graph.slots_of(node):
                return self.graph.targets[edge]
        return self._boxes_of_outputs.get((node, output_nr), node)

    def lanes(self) -> Iterable[tuple[int, int, GradientLane, int]]:
        """Each gradient edge as (tail box, head box, lane, edge), the tail above the head."""
        graph = self.graph
        for edge, (source, target, nr) in enumerate(zip(graph.sources, graph.targets, graph.output_nrs, strict=True)):
            if target < 0 or source in self.hidden:
                continue
            tail = (
                target if graph.kinds[source] == "tensor" and target not in self.hidden else self.stand_in(target, nr)
            )
            if tail != source:
                yield tail, source, ("flow" if self.passes(edge) else "never"), edge

    def passes(self, edge: int) -> bool:
        """Whether backward hands a gradient on along this edge."""
        source = self.graph.sources[edge]
        if self.graph.kinds[source] == "tensor":
            return self.reaches(source)
        return edge in self._passed if self._passed is not None else source in self.graph.reached

    @cached_property
    def _receivers(self) -> frozenset[tuple[int, int]]:
        """Each (function, output) that backward hands a gradient to."""
        graph = self.graph
        functions = (edge for edge in range(len(graph.sources)) if graph.kinds[graph.sources[edge]] != "tensor")
        found = {(graph.targets[edge], graph.output_nrs[edge]) for edge in functions if self.passes(edge)}
        if not self.stillborn:
            for root in graph.roots:
                found.add((root, 0))
                if graph.kinds[root] == "tensor":
                    found |= {(graph.targets[edge], graph.output_nrs[edge]) for edge in graph.slots_of(root)}
        return frozenset(found)

    @cached_property
    def _receiving_nodes(self) -> frozenset[int]:
        through = {
            self.graph.targets[edge]
            for node in self.hidden
            if (node, 0) in self._receivers
            for edge in self.graph.slots_of(node)
        }
        return frozenset({node for node, _ in self._receivers} | through)

    @cached_property
    def stillborn(self) -> bool:
        """Whether backward cannot even begin: the output leads nowhere."""
        return bool(self.error) and "does not require grad" in (self.error or "")

    def reaches(self, node: int) -> bool:
        """Whether backward's gradient reaches this node."""
        graph = self.graph
        if graph.kinds[node] == "tensor":
            edges = graph.slots_of(node)
            return any((graph.targets[edge], graph.output_nrs[edge]) in self._receivers for edge in edges)
        return node in self._receiving_nodes

    def freed(self, node: int) -> bool:
        """Whether backward nodes were made and are gone: the gradient had a way there once."""
        return self.graph.ghosts.get(node) == "freed" or (node in self.graph.folds and not self.reaches(node))

    @cached_property
    def _leading(self) -> frozenset[int]:
        """Nodes from which the gradient has a way on to a leaf; PyTorch computes no other gradients."""
        graph = self.graph
        below: dict[int, list[int]] = {}
        for source, target in zip(graph.sources, graph.targets, strict=True):
            below.setdefault(target, []).append(source)
        stack = [node for node, kind in enumerate(graph.kinds) if kind == "leaf"]
        found = set(stack)
        while stack:
            new = [node for node in below.get(stack.pop(), ()) if node not in found]
            found.update(new)
            stack += new
        return frozenset(found)

    def swallowed(self, node: int) -> tuple[int, ...]:
        """The edges that lead on to a leaf and for which this function, run by backward, gave no gradient."""
        if self._passed is None or self.error is not None or not self.reaches(node):
            return ()
        edges = (edge for edge in self.graph.slots_of(node) if self.graph.targets[edge] in self._leading)
        return tuple(edge for edge in edges if edge not in self._passed)

    def connected(self, tensor: int) -> bool:
        """Whether a gradient edge leads on from this tensor."""
        return self.graph.kinds[tensor] == "leaf" or len(self.graph.slots_of(tensor)) > 0

    @cached_property
    def behind_cut(self) -> frozenset[int]:
        """Nodes whose value came through a cut and that have no gradient of their own."""
        onward: dict[int, list[int]] = {}
        stack = []
        for edge in self.graph.values:
            onward.setdefault(edge.source, []).append(edge.target)
            if edge.cut is not None:
                stack.append(edge.target)
        found: set[int] = set()
        while stack:
            node = stack.pop()
            function = self.graph.kinds[node] == "function" and node not in self.graph.ghosts
            if node in found or function or (self.graph.kinds[node] == "tensor" and self.connected(node)):
                continue
            found.add(node)
            stack.extend(onward.get(node, ()))
        return frozenset(found)

    @cached_property
    def stubs(self) -> dict[int, frozenset[int]]:
        """For each function that has some, its slots that hold None because of a cut."""
        found: dict[int, set[int]] = {}
        for edge in self.graph.values:
            if edge.slot is not None and (edge.cut is not None or edge.source in self.behind_cut):
                found.setdefault(edge.target, set()).add(edge.slot)
        return {node: frozenset(slots) for node, slots in found.items()}


def standing(side: Side, root: int) -> int:
    """The box that an output is drawn as."""
    if root not in side.hidden:
        return root
    graph = side.graph
    for edge in graph.slots_of(root):
        return side.stand_in(graph.targets[edge], graph.output_nrs[edge])
    return next(side.stand_in(value.source) for value in graph.values if value.target == root)
