"""The ways that values took: nodes, and for each the nodes that it was made of.

A node is one result of one call (or one tensor that a call wrote to, or a tensor that was there
before). Its makers are the nodes whose values it was computed from; an edge costs 1 where the
gradient stops. Makers always come earlier, so one pass from the last node to the first finds for
every node the paths with the fewest cuts.
"""

from __future__ import annotations

from typing import NamedTuple

from graphvis.model.cut import CutKind


class Blame(NamedTuple):
    """Why the gradient does not come back along an edge.

    Attributes:
        kind: the kind of cut.
        call: the call that is to blame.
        tensor: number of the tensor whose gradient stops; None where there is no single one.
    """

    kind: CutKind
    call: int
    tensor: int | None


class Edge(NamedTuple):
    """One way a value came.

    Attributes:
        maker: the node that it came from.
        blame: why the gradient does not go back along it; None where it does.
        certain: whether it is known that the value took this way.
    """

    maker: int
    blame: Blame | None
    certain: bool = True


class Result(NamedTuple):
    """One result of a call.

    Attributes:
        call: index of the call.
        place: its place among what the call made, then what it wrote to.
        number: the tensor's number.
        written: whether the call wrote to it, instead of making it.
    """

    call: int
    place: int
    number: int
    written: bool


class Ways:
    """All nodes.

    Attributes:
        edges: for each node the ways its value came.
        calls: for each node the call that made it; -1 for what was there before.
        inferred: whether one of the edges is not certain.
    """

    def __init__(self) -> None:
        self.edges: list[list[Edge]] = []
        self.calls: list[int] = []
        self.inferred = False

    def add(self, call: int, edges: list[Edge] | None = None) -> int:
        """A new node; its number."""
        self.edges.append([] if edges is None else edges)
        self.calls.append(call)
        return len(self.calls) - 1

    def behind(self, edge: Edge, blame: Blame | None, certain: bool = True) -> Edge:
        """`edge` as it is met behind a call: cut there by `blame`, if that is given, and perhaps inferred."""
        if blame is None and certain:
            return edge
        self.inferred |= not certain
        if edge.blame is not None and blame is not None:
            # Two cuts in a row: the value passed a write through another door, and then this call.
            return Edge(self.add(blame.call, [edge]), blame, certain)
        return Edge(edge.maker, blame or edge.blame, certain and edge.certain)
