"""How a source came by what it holds: by an update, by loading, or by an assignment of what others computed.

A source's past is not followed: optimizer steps, averages and loading would link all of a training run to all of it.
An assignment is no such step: a graph computed, with a gradient and from other parameters, what the source then holds.
A hypernetwork's ``net.weight.data = w`` is a cut like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from graphvis.analysis.cutting import overwrites, short
from graphvis.analysis.diagnosing.flow.ways import Edge, Ways
from graphvis.model import Trace

_STEPS = 4  # an update shows what it updates in the last few calls
# What these hand on is the value that they took: who assigns it loads it.
_COPYING = frozenset(
    "clone contiguous to type type_as float double half bfloat16 cpu cuda reshape flatten view cat concat concatenate "
    "stack tensor new_tensor as_tensor asarray __deepcopy__ copy_ __setitem__".split()
)

Way = Literal["update", "loading", "assignment"]


class Assigning:
    """Tells assignments from updates and loading."""

    def __init__(self, trace: Trace, ways: Ways) -> None:
        """For a trace whose calls are being followed."""
        self._trace = trace
        self._ways = ways
        self._of_node: dict[int, int] = {}
        self._firsts: dict[int, int] = {}

    def know(self, node: int, number: int) -> None:
        """Take note of the node of a source."""
        self._of_node[node] = self._first(number)

    def way_of_write(self, number: int, through: int, call: int, node: int | None) -> Way:
        """How a source came by what was written to it.

        Args:
            number: the source.
            through: the tensor that was written through.
            call: the call that wrote.
            node: what it wrote.
        """
        wrote = self._trace.calls[call]
        if through in wrote.inputs and not overwrites(wrote):
            return "update"
        return "loading" if node is None else self.way(number, self._ways.edges[node])

    def way(self, number: int, edges: Sequence[Edge]) -> Way:
        """How a source came by what it holds, which came by `edges`."""
        itself = self._first(number)
        computed = live = False
        seen: set[int] = set()
        nodes = self._makers(edges)
        for _ in range(_STEPS):
            for node in nodes:
                call = self._ways.calls[node]
                if call >= 0 and short(self._trace.calls[call]) not in _COPYING:
                    computed, live = True, live or any(self._trace.calls[call].results)
            if any(self._of_node.get(node) == itself for node in nodes):
                return "update" if computed else "loading"  # else what it held once is put back
            seen |= nodes
            nodes = self._makers(edge for node in nodes for edge in self._ways.edges[node]) - seen
        return "assignment" if live else "loading"

    def _makers(self, edges: Iterable[Edge]) -> set[int]:
        """What is looked at next; never what a gradient comes from, which is what optimizers step by."""
        makers = {edge.maker for edge in edges if edge.certain and (edge.blame is None or edge.blame.kind != "grad")}
        calls, trace = self._ways.calls, self._trace.calls
        return {maker for maker in makers if calls[maker] < 0 or short(trace[calls[maker]]) != "grad"}

    def _first(self, number: int) -> int:
        """The number that a tensor had before its memory was exchanged for the first time."""
        chain = [number]
        while number not in self._firsts and (former := self._trace.tensors[number].former) is not None:
            chain.append(number := former)
        first = self._firsts.get(number, number)
        self._firsts.update(dict.fromkeys(chain, first))
        return first
