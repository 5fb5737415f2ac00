"""A walk and a recording of the same run become one graph with both lanes.

The walk knows where gradients go; the recording knows where values went. What only the recording
knows becomes value edges, cuts and ghost nodes.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from graphvis.analysis.attributing import calls_of_nodes
from graphvis.analysis.cutting import classify
from graphvis.model import Call, Cut, Graph, Trace, ValueEdge
from graphvis.model.cut import CutKind
from graphvis.model.graph import GhostReason
from graphvis.model.trace import Entry

_PASSED_THROUGH = frozenset({"detach", "detach_", "data", "item", "numpy", "copy", "rewrap", "grad"})
"""Kinds of cut that are an edge in the picture: the value does not change, so no box stands for them."""


def join(graph: Graph, trace: Trace) -> Graph:
    """Add the value lane to a walk.

    Args:
        graph: a walk made while `trace` was recorded: its tensors bear their numbers in the trace.
        trace: the recording up to the moment of the walk.

    Returns:
        The graph with value edges, cuts, ghosts, and the line and module of each node.
    """
    return _Join(graph, trace).run()


class _Join:
    def __init__(self, graph: Graph, trace: Trace) -> None:
        self.graph = graph
        self.trace = trace
        self.calls = calls_of_nodes(graph, trace)
        self.made: dict[int, list[int]] = {}
        for node, call in self.calls.items():
            self.made.setdefault(call, []).append(node)
        for nodes in self.made.values():
            nodes.sort(key=graph.sequence_nrs.__getitem__)
        self.boxes = {
            info.trace_number: index for index, info in graph.tensors.items() if info.trace_number is not None
        }
        self.entries = _first_entries(trace)
        self.applies = _applies(trace)
        self.bodies = {apply: inner for inner, apply in sorted(self.applies.items()) if trace.calls[inner].outputs}
        self.apply_cuts: dict[int, int | None] = {}
        self.origins: dict[int, tuple[tuple[int, int | None], ...]] = {}
        self.values: dict[tuple[int, int], ValueEdge] = {}
        self.cuts: list[Cut] = []
        self.ghosts: list[tuple[str, int, GhostReason]] = []
        self.locations = dict(graph.locations)
        self.modules = dict(graph.modules)

    def run(self) -> Graph:
        wanted = self._wanted()
        for index, call in enumerate(self.trace.calls):
            if index in wanted:
                self._take(index, call)
        size = len(self.graph.kinds)
        ghosts = range(size, size + len(self.ghosts))
        calls = {**self.calls, **{size + i: call for i, (_, call, _) in enumerate(self.ghosts)}}
        for node, made_by in calls.items():
            self._place(node, self.trace.calls[made_by])
        values, cuts = _that_stand(self.values.values(), self.cuts)
        return msgspec.structs.replace(
            self.graph,
            kinds=(*self.graph.kinds, *("function" for _ in ghosts)),
            names=(*self.graph.names, *(name for name, _, _ in self.ghosts)),
            sequence_nrs=(*self.graph.sequence_nrs, *(-1 for _ in ghosts)),
            values=values,
            cuts=cuts,
            ghosts={size + i: reason for i, (_, _, reason) in enumerate(self.ghosts)},
            calls=calls,
            locations=self.locations,
            modules=self.modules,
        )

    def _wanted(self) -> set[int]:
        """The calls whose value goes into something that is drawn."""
        needed = set(self.boxes)
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
        for output in call.outputs:
            if output in self.boxes and output not in call.inputs:
                self._place(self.boxes[output], call)
        if index in self.applies:
            self._body(index, call)
            return
        kind = classify(self.trace, index)
        inplace = bool(call.outputs) and set(call.outputs) <= set(call.inputs)
        if kind == "detach_":
            self._cut_in_place(index, call)
        elif index in self.made:
            self._recorded(index, call)
        elif index in self.bodies:
            last = self.trace.calls[self.bodies[index]]
            for output in call.outputs:
                self._arrive(output, self._from(last.outputs), index)
        elif inplace:
            self._written(index, call, kind)
        elif kind in _PASSED_THROUGH or (kind is None and _is_alias(call)):
            cut = self._cut(index, call, kind) if kind else None
            origins = [(node, old if cut is None else cut) for node, old in self._from(call.inputs)]
            for output in call.outputs:
                self._arrive(output, [*origins, *self._returned(index)], index)
        elif call.inputs or index in self.entries:
            self._ghost(index, call, self._cut(index, call, kind) if kind else None)

    def _body(self, index: int, call: Call) -> None:
        """A call inside a Function's forward: drawn where no node stands for the Function, and cut as a whole."""
        apply = self.applies[index]
        if apply in self.made:
            return
        if apply not in self.apply_cuts:
            kind = classify(self.trace, apply)
            self.apply_cuts[apply] = self._cut(apply, self.trace.calls[apply], kind) if kind else None
        self._ghost(index, call, self.apply_cuts[apply])

    def _from(self, tensors: Iterable[int]) -> list[tuple[int, int | None]]:
        """The boxes that the values of these tensors come from, with the cut passed on the way."""
        found: dict[tuple[int, int | None], None] = {}
        for tensor in tensors:
            for origin in self.origins.get(tensor) or ([(self.boxes[tensor], None)] if tensor in self.boxes else []):
                found[origin] = None
        return list(found)

    def _returned(self, index: int) -> list[tuple[int, int | None]]:
        """The boxes that values come from which had left PyTorch and come back with this call."""
        found = []
        for entry in self.entries.get(index, ()):
            exit_call = self.trace.calls[entry.exit]
            kind = classify(self.trace, entry.exit)
            cut = self._cut(entry.exit, exit_call, kind, certain=entry.certain) if kind else None
            found += [(node, old if cut is None else cut) for node, old in self._from(exit_call.inputs)]
        return found

    def _arrive(self, tensor: int, origins: list[tuple[int, int | None]], call: int) -> None:
        """The value of `tensor` comes from `origins`; from now on it comes from its own box, if it has one."""
        box = self.boxes.get(tensor)
        if box is None:
            self.origins[tensor] = tuple(origins)
            return
        if not len(self.graph.slots_of(box)):
            for node, cut in origins:
                self._edge(node, box, cut, call)
        self.origins[tensor] = ((box, None),)

    def _edge(self, source: int, target: int, cut: int | None, call: int, slot: int | None = None) -> None:
        if source != target:
            self.values[source, target] = ValueEdge(source, target, cut, call, slot)

    def _cut(self, index: int, call: Call, kind: CutKind, *, certain: bool = True) -> int:
        trace = self.trace
        named = next((trace.tensors[i].name for i, on in zip(call.inputs, call.connected, strict=False) if on), None)
        self.cuts.append(
            Cut(
                kind=kind,
                location=trace.locations[call.location],
                caller=None if call.caller is None else trace.locations[call.caller],
                tensor=named or "",
                module=trace.modules[call.module],
                call=index,
                certain=certain,
            )
        )
        return len(self.cuts) - 1

    def _recorded(self, index: int, call: Call) -> None:
        """A call that autograd recorded: its gradient edges say it all, but for inputs without one."""
        nodes = self.made[index]
        entry = next((node for node in nodes if self._empty_slots(node)), nodes[0])
        empty = iter(self._empty_slots(entry))
        for tensor, connected in zip(call.inputs, call.connected, strict=False):
            box = self.boxes.get(tensor)
            if not connected:
                slot = next(empty, None)
                for node, cut in self._from([tensor]):
                    # What an in-place call took was the old value, and the tensor's own box shows the new one.
                    if tensor not in call.outputs or node != box:
                        self._edge(node, entry, cut, index, slot)
            elif (
                box is not None
                and tensor not in call.outputs
                and self.graph.kinds[box] == "tensor"
                and not len(self.graph.slots_of(box))
            ):
                self._edge(box, entry, None, index)
        for node, cut in self._returned(index):
            self._edge(node, entry, cut, index, next(empty, None))
        for output in call.outputs:
            self._arrive(output, [(nodes[-1], None)], index)

    def _empty_slots(self, node: int) -> list[int]:
        graph = self.graph
        return [graph.slots[edge] for edge in graph.slots_of(node) if graph.targets[edge] < 0]

    def _cut_in_place(self, index: int, call: Call) -> None:
        for output in call.outputs:
            box = self.boxes.get(output)
            cut = self._cut(index, call, "detach_")
            if box is None:
                self.origins[output] = tuple((node, cut) for node, _ in self._from([output]))
                continue
            for key, edge in list(self.values.items()):
                if edge.target == box:
                    self.values[key] = msgspec.structs.replace(edge, cut=cut)

    def _written(self, index: int, call: Call, kind: CutKind | None) -> None:
        """An in-place call without a node: what it writes comes from its other inputs."""
        written = set(call.outputs)
        cut = self._cut(index, call, kind) if kind else None
        taken = self._from(tensor for tensor in call.inputs if tensor not in written)
        origins = [(node, old if cut is None else cut) for node, old in taken] + self._returned(index)
        for output in call.outputs:
            if output in self.boxes:
                for node, passed in origins:
                    self._edge(node, self.boxes[output], passed, index)
            else:
                self.origins[output] = (*self.origins.get(output, ()), *origins)

    def _ghost(self, index: int, call: Call, cut: int | None) -> None:
        node = len(self.graph.kinds) + len(self.ghosts)
        self.ghosts.append((_short(call.function), index, _reason(call)))
        for tensor, connected in zip(call.inputs, call.connected, strict=False):
            for origin, passed in self._from([tensor]):
                self._edge(origin, node, cut if connected and cut is not None else passed, index)
        for origin, passed in self._returned(index):
            self._edge(origin, node, passed, index)
        for output in call.outputs:
            self._arrive(output, [(node, None)], index)


def _that_stand(values: Iterable[ValueEdge], cuts: list[Cut]) -> tuple[tuple[ValueEdge, ...], tuple[Cut, ...]]:
    """The value edges, and the cuts that stand on one of them: a call that cut nothing drawn is no cut here."""
    kept: dict[int, int] = {}
    edges = []
    for edge in values:
        place = None if edge.cut is None else kept.setdefault(edge.cut, len(kept))
        edges.append(msgspec.structs.replace(edge, cut=place))
    return tuple(edges), tuple(cuts[cut] for cut in kept)


def _first_entries(trace: Trace) -> dict[int, tuple[Entry, ...]]:
    """The values that come back with each call, but for those that its inputs may have brought already.

    An uncertain entry is told from the source alone, and there every line that a value reaches looks like a return.
    """
    brought: dict[int, frozenset[int]] = {}
    found = {}
    for index, call in enumerate(trace.calls):
        before = frozenset().union(*(brought.get(tensor, ()) for tensor in call.inputs)) if brought else frozenset()
        entries = tuple(entry for entry in call.entries if entry.certain or entry.exit not in before)
        if entries:
            found[index] = entries
        if exits := before.union(entry.exit for entry in entries):
            brought.update(dict.fromkeys(call.outputs, exits))
    return found


def _applies(trace: Trace) -> dict[int, int]:
    """For each call inside a Function's forward the call of that Function's apply."""
    found: dict[int, int] = {}
    apply = -1
    for index in range(len(trace.calls) - 1, -1, -1):
        if not trace.calls[index].inner:
            apply = index
        elif apply >= 0:
            found.setdefault(index, apply)
    return found


def _reason(call: Call) -> GhostReason:
    if call.results and all(call.results):
        return "freed"
    if call.inference:
        return "inference_mode"
    return "constant" if call.grad_mode or not any(call.connected) else "no_grad"


def _is_alias(call: Call) -> bool:
    """A call that hands its input's value on unchanged, with or without a gradient."""
    return _short(call.function) in (
        "detach",
        "data",
        "requires_grad_",
        "alias",
        "clone",
        "item",
        "numpy",
        "from_numpy",
        "tensor",
        "as_tensor",
        "Parameter",
    )


def _short(function: str) -> str:
    """``mul`` for ``Tensor.__mul__``; ``Round`` for ``Function.apply (Round)``."""
    if function.endswith(")") and "(" in function:
        return function[function.rindex("(") + 1 : -1]
    parts = [part for part in function.split(".") if part not in ("__get__", "__call__")]
    return parts[-1].strip("_")
