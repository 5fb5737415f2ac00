"""The value lane while it is being drawn: from which boxes a value comes, and what was cut on the way."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from graphvis.analysis.cutting import spoken
from graphvis.model import Call, Cut, Graph, Trace, ValueEdge
from graphvis.model.cut import CutKind
from graphvis.model.graph import GhostReason

# A box that a value comes from, and the cut passed on the way from there.
Origin = tuple[int, int | None]


class Lane:
    """The lane.

    Attributes:
        boxes: the node that stands for a tensor, by the tensor's number in the trace.
        ghosts: for each node that only the trace knows its name, its call, and the reason; they are numbered on from
            the graph's own.
    """

    def __init__(self, graph: Graph, trace: Trace) -> None:
        self.boxes = {
            info.trace_number: index for index, info in graph.tensors.items() if info.trace_number is not None
        }
        self.ghosts: list[tuple[str, int, GhostReason]] = []
        self._graph = graph
        self._trace = trace
        self._origins: dict[int, tuple[Origin, ...]] = {}
        self._edges: dict[tuple[int, int], ValueEdge] = {}
        self._cuts: list[Cut] = []

    def origins(self, tensors: Iterable[int]) -> list[Origin]:
        """The boxes that the values of these tensors come from."""
        found: dict[Origin, None] = {}
        for tensor in tensors:
            for origin in self._origins.get(tensor) or ([(self.boxes[tensor], None)] if tensor in self.boxes else []):
                found[origin] = None
        return list(found)

    def arrive(self, tensor: int, origins: Iterable[Origin], call: int) -> None:
        """The value of `tensor` comes from `origins`; from now on it comes from its own box, if it has one."""
        box = self.boxes.get(tensor)
        if box is None:
            self._origins[tensor] = tuple(origins)
            return
        if not len(self._graph.slots_of(box)):
            for node, cut in origins:
                self.lead(node, box, cut, call)
        self._origins[tensor] = ((box, None),)

    def add(self, tensor: int, origins: list[Origin], call: int) -> None:
        """The value of `tensor` comes from `origins` too."""
        box = self.boxes.get(tensor)
        if box is None:
            self._origins[tensor] = (*self._origins.get(tensor, ()), *origins)
            return
        for node, cut in origins:
            self.lead(node, box, cut, call)

    def sever(self, tensor: int, cut: int) -> None:
        """The value of `tensor` stays where it is, and whatever led there is cut."""
        box = self.boxes.get(tensor)
        if box is None:
            self._origins[tensor] = tuple((node, cut) for node, _ in self.origins([tensor]))
            return
        for key, edge in list(self._edges.items()):
            if edge.target == box:
                self._edges[key] = msgspec.structs.replace(edge, cut=cut)

    def lead(self, source: int, target: int, cut: int | None, call: int, slot: int | None = None) -> None:
        """Draw one edge."""
        if source != target:
            self._edges[source, target] = ValueEdge(source, target, cut, call, slot)

    def cut(self, index: int, kind: CutKind, *, certain: bool = True) -> int:
        """A cut at a call; its number."""
        trace, call = self._trace, self._trace.calls[index]
        named = next((trace.tensors[i].name for i, on in zip(call.inputs, call.connected, strict=False) if on), None)
        self._cuts.append(
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
        return len(self._cuts) - 1

    def ghost(self, index: int) -> int:
        """A node for a call that the walk does not know; its number."""
        call = self._trace.calls[index]
        self.ghosts.append((spoken(call), index, _reason(call)))
        return len(self._graph.kinds) + len(self.ghosts) - 1

    def drawn(self) -> tuple[tuple[ValueEdge, ...], tuple[Cut, ...]]:
        """The edges, and the cuts that stand on one of them: a call that cut nothing drawn is no cut here."""
        kept: dict[int, int] = {}
        edges = []
        for edge in self._edges.values():
            place = None if edge.cut is None else kept.setdefault(edge.cut, len(kept))
            edges.append(edge if place == edge.cut else msgspec.structs.replace(edge, cut=place))
        return tuple(edges), tuple(self._cuts[cut] for cut in kept)


def _reason(call: Call) -> GhostReason:
    if call.results and all(call.results):
        return "freed"
    if call.inference:
        return "inference_mode"
    return "constant" if call.grad_mode or not any(call.connected) else "no_grad"
