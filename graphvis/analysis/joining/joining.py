"""Joining call by call."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from graphvis.analysis.attributing import calls_of_nodes
from graphvis.analysis.cutting import classify, short
from graphvis.analysis.joining.lane import Lane, Origin
from graphvis.analysis.joining.reading import applies, first_entries
from graphvis.model import Call, Graph, Trace
from graphvis.model.cut import CutKind

_PASSED_THROUGH = frozenset({"detach", "detach_", "data", "item", "numpy", "copy", "rewrap", "grad"})
"""Kinds of cut that are an edge in the picture: the value does not change, so no box stands for them."""
_ALIASES = frozenset("detach data alias clone item numpy from_numpy tensor as_tensor Parameter".split())
"""Functions that hand their input's value on unchanged, with or without a gradient."""


def join(graph: Graph, trace: Trace, calls: Mapping[int, int] | None = None) -> Graph:
    """Add the value lane to a walk.

    Args:
        graph: a walk made while `trace` was recorded: its tensors bear their numbers in the trace.
        trace: the recording up to the moment of the walk.
        calls: which call made each node, where somebody has asked already.

    Returns:
        The graph with value edges, cuts, ghosts, and the line and module of each node.
    """
    return _Join(graph, trace, calls_of_nodes(graph, trace) if calls is None else calls).run()


class _Join:
    def __init__(self, graph: Graph, trace: Trace, calls: Mapping[int, int]) -> None:
        self.graph = graph
        self.trace = trace
        self.lane = Lane(graph, trace)
        self.calls = calls
        self.made: dict[int, list[int]] = {}
        for node, call in self.calls.items():
            self.made.setdefault(call, []).append(node)
        for nodes in self.made.values():
            nodes.sort(key=graph.sequence_nrs.__getitem__)
        self.empty: dict[int, list[int]] = {}  # the slots of each node that hold None
        for edge, target in enumerate(graph.targets):
            if target < 0:
                self.empty.setdefault(graph.sources[edge], []).append(graph.slots[edge])
        self.entries = first_entries(trace)
        self.applies = applies(trace)
        self.bodies = {apply: inner for inner, apply in sorted(self.applies.items()) if trace.calls[inner].outputs}
        self.apply_cuts: dict[int, int | None] = {}
        self.locations = dict(graph.locations)
        self.modules = dict(graph.modules)

    def run(self) -> Graph:
        wanted = self._wanted()
        for index, call in enumerate(self.trace.calls):
            if index in wanted:
                for output in call.outputs:
                    if output in self.lane.boxes and output not in call.inputs:
                        self._place(self.lane.boxes[output], call)
                self._take(index, call)
        size, ghosts = len(self.graph.kinds), self.lane.ghosts
        calls = {**self.calls, **{size + i: call for i, (_, call, _) in enumerate(ghosts)}}
        for node, made_by in calls.items():
            self._place(node, self.trace.calls[made_by])
        values, cuts = self.lane.drawn()
        return msgspec.structs.replace(
            self.graph,
            kinds=(*self.graph.kinds, *("function" for _ in ghosts)),
            names=(*self.graph.names, *(name for name, _, _ in ghosts)),
            sequence_nrs=(*self.graph.sequence_nrs, *(-1 for _ in ghosts)),
            values=values,
            cuts=cuts,
            ghosts={size + i: reason for i, (_, _, reason) in enumerate(ghosts)},
            calls=calls,
            locations=self.locations,
            modules=self.modules,
        )

    def _wanted(self) -> set[int]:
        """The calls whose value goes into something that is drawn."""
        needed = set(self.lane.boxes)
        wanted = set()
        for index in range(len(self.trace.calls) - 1, -1, -1):
            call = self.trace.calls[index]
            if index in self.made or not needed.isdisjoint(call.outputs):
                wanted.add(index)
                needed.update(call.inputs)
                for entry in self.entries.get(index, ()):
                    needed.update(self.trace.calls[entry.exit].inputs)
                if index in self.bodies and index not in self.made:
                    needed.update(self.trace.calls[self.bodies[index]].outputs)
        return wanted

    def _place(self, node: int, call: Call) -> None:
        self.locations.setdefault(node, self.trace.locations[call.location])
        if module := self.trace.modules[call.module]:
            self.modules.setdefault(node, module)

    def _take(self, index: int, call: Call) -> None:
        if index in self.applies:
            self._body(index)
            return
        kind = classify(self.trace, index)
        if kind == "detach_":
            for output in call.outputs:
                self.lane.sever(output, self.lane.cut(index, kind))
        elif index in self.made:
            self._recorded(index, call)
        elif index in self.bodies:
            last = self.trace.calls[self.bodies[index]]
            for output in call.outputs:
                self.lane.arrive(output, self.lane.origins(last.outputs), index)
        elif call.outputs and set(call.outputs) <= set(call.inputs):
            self._written(index, call, kind)
        elif kind in _PASSED_THROUGH or (kind is None and short(call) in _ALIASES):
            origins = self._behind(self.lane.origins(call.inputs), index, kind) + self._returned(index)
            for output in call.outputs:
                self.lane.arrive(output, origins, index)
        elif call.inputs or index in self.entries:
            self._ghost(index, self.lane.cut(index, kind) if kind else None)

    def _behind(self, origins: list[Origin], index: int, kind: CutKind | None, *, certain: bool = True) -> list[Origin]:
        """Where values come from behind a call that cuts them, if `kind` says so."""
        if kind is None:
            return origins
        cut = self.lane.cut(index, kind, certain=certain)
        return [(node, cut) for node, _ in origins]

    def _returned(self, index: int) -> list[Origin]:
        """The boxes that values come from which had left PyTorch and come back with this call."""
        found: list[Origin] = []
        for entry in self.entries.get(index, ()):
            left = self.lane.origins(self.trace.calls[entry.exit].inputs)
            found += self._behind(left, entry.exit, classify(self.trace, entry.exit), certain=entry.certain)
        return found

    def _body(self, index: int) -> None:
        """A call inside a Function's forward: drawn where no node stands for the Function, and cut as a whole."""
        apply = self.applies[index]
        if apply in self.made:
            return
        if apply not in self.apply_cuts:
            kind = classify(self.trace, apply)
            self.apply_cuts[apply] = self.lane.cut(apply, kind) if kind else None
        self._ghost(index, self.apply_cuts[apply])

    def _recorded(self, index: int, call: Call) -> None:
        """A call that autograd recorded: its gradient edges say it all, but for inputs without one."""
        nodes, boxes = self.made[index], self.lane.boxes
        entry = next((node for node in nodes if node in self.empty), nodes[0])
        empty = iter(self.empty.get(entry, ()))
        for tensor, connected in zip(call.inputs, call.connected, strict=False):
            box = boxes.get(tensor)
            if not connected:
                slot = next(empty, None)
                for node, cut in self.lane.origins([tensor]):
                    # What an in-place call took was the old value, and the tensor's own box shows the new one.
                    if tensor not in call.outputs or node != box:
                        self.lane.lead(node, entry, cut, index, slot)
            elif box is not None and tensor not in call.outputs and self._stands_alone(box):
                self.lane.lead(box, entry, None, index)
        for node, cut in self._returned(index):
            self.lane.lead(node, entry, cut, index, next(empty, None))
        for output in call.outputs:
            self.lane.arrive(output, [(nodes[-1], None)], index)

    def _stands_alone(self, box: int) -> bool:
        """Whether a box is that of a tensor, and no gradient edge leads on from it."""
        return self.graph.kinds[box] == "tensor" and not len(self.graph.slots_of(box))

    def _written(self, index: int, call: Call, kind: CutKind | None) -> None:
        """An in-place call without a node: what it writes comes from its other inputs."""
        taken = self.lane.origins(tensor for tensor in call.inputs if tensor not in call.outputs)
        origins = self._behind(taken, index, kind) + self._returned(index)
        for output in call.outputs:
            self.lane.add(output, origins, index)

    def _ghost(self, index: int, cut: int | None) -> None:
        """A call that the walk does not know: a node of its own, and its inputs and results lead through it."""
        call, node = self.trace.calls[index], self.lane.ghost(index)
        for tensor, connected in zip(call.inputs, call.connected, strict=False):
            for origin, passed in self.lane.origins([tensor]):
                self.lane.lead(origin, node, cut if connected and cut is not None else passed, index)
        for origin, passed in self._returned(index):
            self.lane.lead(origin, node, passed, index)
        for output in call.outputs:
            self.lane.arrive(output, [(node, None)], index)
