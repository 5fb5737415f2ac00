"""Which arguments of a custom Function flow into each of its results, as the calls in its forward tell."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphvis.analysis.cutting import is_checkpoint
from graphvis.analysis.diagnosing.flow.memory import Memory
from graphvis.analysis.diagnosing.flow.ways import Result, Ways
from graphvis.model import Call, Trace


class Forwards:
    """Looks into the forwards of Functions.

    Attributes:
        told: the calls of Functions of whose results each is known to come from some of the arguments, and no others.
    """

    def __init__(self, trace: Trace, ways: Ways, memory: Memory, exits: Collection[int]) -> None:
        """For a trace that is being followed; `exits` are the calls by which values left PyTorch."""
        self.told: set[int] = set()
        self._trace, self._ways, self._memory, self._exits = trace, ways, memory, exits
        self._untold: set[int] = set()

    def flowing(self, result: Result, call: Call, places: Sequence[int]) -> Sequence[int]:
        """Those of the `places` among the inputs of a Function's apply from which a value flows into a result.

        All of them where its forward computes something that no call shows.
        """
        found = None if self._trace.unseen else self._look(result, call, places)
        if found is None:
            self._untold.add(result.call)
            self.told.discard(result.call)
            return places
        if result.call not in self._untold:
            self.told.add(result.call)
        if is_checkpoint(call) and (call.inner or all(call.results)):
            # Backward runs its forward again, and comes to the arguments by the same ways as the values.
            arguments = len(call.inputs) - call.forwarded
            found = [at for at in found if at >= arguments or not (call.inner or call.connected[at])]
        return found

    def _look(self, result: Result, call: Call, places: Sequence[int]) -> Sequence[int] | None:
        arguments = len(call.inputs) - call.forwarded
        made = self._handed_over(result.number, call.inputs[arguments:])
        # A checkpoint hands gradients on by calls that are seen, and by no others.
        strict = not is_checkpoint(call)
        start = self._start(result.call, strict)
        if made is None or start is None:
            return None
        nodes = {at: set(self._memory.makers(call.inputs[at])) for at in places if at < arguments}
        whose: dict[int, list[int]] = {}
        for at, edges in nodes.items():
            for edge in edges:
                whose.setdefault(edge.maker, []).append(at)
        met: set[int] = set()
        stack = [edge.maker for edge in self._memory.makers(made)]
        seen = set(stack)
        while stack:
            node = stack.pop()
            if node in whose:
                met.update(whose[node])
            elif self._memory.is_source(node):
                continue  # read by closure
            elif self._ways.calls[node] < start:
                if strict:
                    return None  # a tensor that is no argument, and perhaps one that other libraries made of one
            else:
                makers = {edge.maker for edge in self._ways.edges[node]} - seen
                seen |= makers
                stack.extend(makers)
        return [at for at in places if at in met or call.inputs[at] == made] if met or not strict else None

    def _handed_over(self, number: int, forwarded: Sequence[int]) -> int | None:
        """Which of the results of a forward has become a result of the apply."""
        tensors = self._trace.tensors
        result = tensors[number]
        found = {
            one
            for one in forwarded
            if tensors[one].storage is not None
            and (tensors[one].storage, tensors[one].start, tensors[one].stop)
            == (result.storage, result.start, result.stop)
        }
        return found.pop() if len(found) == 1 else None

    def _start(self, index: int, strict: bool) -> int | None:
        """The first call of the forward that ends before a call; None where `strict`, and values left PyTorch in it."""
        at = index
        while at and self._trace.calls[at - 1].inner:
            at -= 1
            if strict and (at in self._exits or self._trace.calls[at].entries):
                return None
        return at
