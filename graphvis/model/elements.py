"""The nodes and edges of a graph as objects: views of its columns, made when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, overload

import msgspec

from graphvis.model.cut import Cut
from graphvis.model.location import Location
from graphvis.model.tensor import Saved, TensorInfo

if TYPE_CHECKING:
    from graphvis.model.graph import Graph

NodeKind = Literal["function", "leaf", "tensor"]
Lane = Literal["gradient", "value"]


class Node:
    """One node of a graph: a view, made when asked for.

    Attributes:
        graph: the graph that holds it.
        index: its number in visit order.
    """

    __slots__ = ("graph", "index")

    def __init__(self, graph: Graph, index: int) -> None:
        self.graph = graph
        self.index = index

    @property
    def id(self) -> str:
        """As pictures write it: ``n3``."""
        return f"n{self.index}"

    @property
    def kind(self) -> NodeKind:
        """``function``, ``leaf`` or ``tensor``."""
        return self.graph.kinds[self.index]

    @property
    def name(self) -> str:
        """``SigmoidBackward0``, or the tensor's name; empty for a tensor that has none."""
        return self.graph.names[self.index]

    @property
    def tensor(self) -> TensorInfo | None:
        """The tensor's state; None for a function."""
        return self.graph.tensors.get(self.index)

    @property
    def saved(self) -> tuple[Saved, ...]:
        """What it keeps for backward."""
        return self.graph.saved.get(self.index, ())

    @property
    def location(self) -> Location | None:
        """The line that ran its forward call, where a trace knows it."""
        return self.graph.locations.get(self.index)

    @property
    def module(self) -> str:
        """Dotted path of the module in whose forward it ran; empty where not known."""
        return self.graph.modules.get(self.index, "")

    @property
    def next(self) -> tuple[Edge, ...]:
        """Its gradient edges, slot by slot, None slots included."""
        return tuple(self.graph.edges[edge] for edge in self.graph.slots_of(self.index))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and other.index == self.index and other.graph == self.graph

    def __hash__(self) -> int:
        return hash((Node, self.index))

    def __repr__(self) -> str:
        return f"<graphvis.Node {self.id}: {self.kind} {self.name}>"


class Edge(msgspec.Struct, frozen=True):
    """One edge of a graph, made when asked for.

    Attributes:
        lane: ``gradient`` for one entry of ``next_functions``; ``value`` for where a value went.
        source: on the gradient lane the node that passes the gradient on; on the value lane the
            node that the value comes from.
        target: where it leads; None for a slot that holds None.
        slot: index into the source's ``next_functions``; None on the value lane.
        output_nr: which output of the target the gradient is of; None on the value lane.
        cut: the cut on it; None where there is none.
    """

    lane: Lane
    source: int
    target: int | None
    slot: int | None = None
    output_nr: int | None = None
    cut: Cut | None = None


class Nodes(Sequence[Node]):
    """The nodes of a graph as a sequence."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __len__(self) -> int:
        return len(self._graph.kinds)

    @overload
    def __getitem__(self, index: int) -> Node: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Node, ...]: ...
    def __getitem__(self, index: int | slice) -> Node | tuple[Node, ...]:
        found = range(len(self))[index]
        if isinstance(found, range):
            return tuple(Node(self._graph, i) for i in found)
        return Node(self._graph, found)

    def __iter__(self) -> Iterator[Node]:
        return (Node(self._graph, i) for i in range(len(self)))


class Edges(Sequence[Edge]):
    """The edges of a graph as a sequence, gradient lane first."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __len__(self) -> int:
        return len(self._graph.sources) + len(self._graph.values)

    @overload
    def __getitem__(self, index: int) -> Edge: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Edge, ...]: ...
    def __getitem__(self, index: int | slice) -> Edge | tuple[Edge, ...]:
        found = range(len(self))[index]
        if isinstance(found, range):
            return tuple(self._make(i) for i in found)
        return self._make(found)

    def _make(self, i: int) -> Edge:
        graph = self._graph
        if i < len(graph.sources):
            target = graph.targets[i]
            return Edge(
                "gradient", graph.sources[i], None if target < 0 else target, graph.slots[i], graph.output_nrs[i]
            )
        value = graph.values[i - len(graph.sources)]
        return Edge("value", value.source, value.target, cut=None if value.cut is None else graph.cuts[value.cut])
