"""Tangents of forward-mode AD: they go along with values, and reach the outputs only where they are unpacked."""

from __future__ import annotations

from collections.abc import Sequence

from graphvis.analysis.diagnosing.flow.blaming import Blaming
from graphvis.analysis.diagnosing.flow.memory import Memory
from graphvis.analysis.diagnosing.flow.ways import Edge, Result, Ways
from graphvis.model import Call

_MAKING, _UNPACKING = "_make_dual", "_unpack_dual"


class Duals:
    """The tangents of the tensors of a trace, at the moment that is being looked at."""

    def __init__(self, ways: Ways, memory: Memory, blaming: Blaming) -> None:
        """For a trace that is being followed."""
        self._ways, self._memory, self._blaming = ways, memory, blaming
        self._of: dict[int, int] = {}  # by tensor the node of its tangent

    def take(self, index: int, call: Call, name: str) -> None:
        """Note of what a call, before it is followed, makes tangents: of what goes in, and of the tangents of that."""
        if name == _MAKING:
            found = [(at, False) for at in range(1, len(call.inputs))]
        elif self._of and name != _UNPACKING:
            found = [(at, own) for at in range(len(call.inputs)) for own in (False, True)]
            if self._of.keys().isdisjoint(call.inputs):
                return
        else:
            return
        for place, number in enumerate(call.outputs):
            result = Result(index, place, number, False)
            edges: dict[Edge, None] = {}
            for at, own in found:
                blame = self._blaming.of(result, at)
                for edge in self._tangent(call.inputs[at]) if own else self._memory.makers(call.inputs[at]):
                    edges[self._ways.behind(edge, blame)] = None
            self._of[number] = self._ways.add(index, list(edges))

    def unpacked(self, result: Result, call: Call, name: str) -> list[Edge] | None:
        """The tangent that a call hands out as one of its results; None for any other result."""
        if name != _UNPACKING or not result.place:
            return None
        return self._tangent(call.inputs[0])

    def values(self, name: str, places: Sequence[int]) -> Sequence[int]:
        """Those of the places among a call's inputs that give a value to what it makes, and no tangent alone."""
        return [at for at in places if not at] if name == _MAKING else places

    def _tangent(self, number: int) -> list[Edge]:
        return [Edge(self._of[number], None)] if number in self._of else []
