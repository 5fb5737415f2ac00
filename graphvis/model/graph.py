"""One walk of an autograd graph, as pure data in columns."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from functools import cached_property
from itertools import islice
from operator import gt
from typing import Literal

import msgspec

from graphvis.errors import DocumentError
from graphvis.model.cut import Cut
from graphvis.model.drawable import Drawable
from graphvis.model.elements import Edges, Node, NodeKind, Nodes
from graphvis.model.location import Location
from graphvis.model.tensor import Saved, TensorInfo

FoldKind = Literal["module", "blocks", "run", "parameters", "part"]
_NO_DERIVATIVE = "NotImplemented"  # what PyTorch calls a node that only raises
GhostReason = Literal["freed", "no_grad", "inference_mode", "constant"]


class ValueEdge(msgspec.Struct, frozen=True):
    """Where a value went, as a trace saw it: the value lane.

    Attributes:
        source: index of the node that the value comes from.
        target: index of the node that takes it.
        cut: index into :attr:`Graph.cuts` where the gradient does not come back along it.
        call: index of the call in the trace that carried it.
        slot: the target's slot that it fills and that holds None, where that is known.
    """

    source: int
    target: int
    cut: int | None = None
    call: int | None = None
    slot: int | None = None


class Fold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a folded node stands for.

    Attributes:
        kind: ``module``: the nodes of one module; ``blocks``: of several modules that are alike; ``run``: functions
            in a row, each with one consumer; ``parameters``: leaves of one module; ``part``: anything else.
        modules: dotted paths of the modules in it, in forward order.
        times: how many alike modules are drawn as this one; 1 without repetition.
        functions: how many function nodes it holds, ``AccumulateGrad`` aside.
        parameters: how many leaves it holds.
        numel: how many numbers these hold.
        lost: how many of its leaves get no gradient although they require it.
        operations: the names of the functions in it, each once, in forward order, at most eight.
    """

    kind: FoldKind
    modules: tuple[str, ...] = ()
    times: int = 1
    functions: int = 0
    parameters: int = 0
    numel: int = 0
    lost: int = 0
    operations: tuple[str, ...] = ()


class Graph(Drawable, frozen=True, kw_only=True, tag="graphvis/graph/1", weakref=True, dict=True):
    """One walk of ``grad_fn`` and ``next_functions`` from some outputs.

    Nodes are numbered in visit order, so that the same program gives the same numbers in every
    process; node ``i`` is written ``n<i>`` in pictures. A function node is a ``torch.autograd.graph.Node``
    (``AccumulateGrad`` included), a leaf is the tensor that an ``AccumulateGrad`` writes to, a
    tensor node is an output or a named intermediate.

    A graph may hold a million nodes, therefore it holds columns; :attr:`nodes` and :attr:`edges`
    make :class:`Node` and :class:`Edge` objects when asked for.

    Attributes:
        torch: the version of PyTorch that built it.
        kinds: the kind of each node.
        names: the name of each node: ``SigmoidBackward0``, or the tensor's name.
        sources: for each gradient edge the node that passes a gradient on: a consumer of the
            value, further down in forward order. Edges are grouped by source, slots ascending.
        slots: for each gradient edge the index into the source's ``next_functions``.
        targets: for each gradient edge the node that receives the gradient; -1 for a slot that
            holds None: a constant, or where a cut shows from below.
        output_nrs: for each gradient edge which output of the target the gradient is of.
        roots: the nodes the walk began from, one for each output, in order.
        tensors: the state of each leaf and tensor node.
        saved: what function nodes keep for backward; only nodes that keep something.
        values: the value lane; empty without a trace.
        cuts: the cuts on the value lane.
        locations: the line that ran a node's forward call, where a trace knows it.
        modules: dotted path of the module in whose forward it ran, where a trace knows it.
        sequence_nrs: for each node autograd's sequence number, counted from the beginning of the
            recording; -1 for what has none. Empty without a recording.
        ghosts: function nodes that only the trace knows, with the reason why the walk does not: the
            forward call ran, and no backward node of it can be reached (``freed``) or none was
            made (under a mode, or because no input had a gradient). They have no gradient edges
            and bear the call's name.
        calls: for function nodes the index of the forward call in the trace.
        folds: what a node stands for, where it stands for more than itself. Such a node is a function whose name
            is what it is called in a picture. Empty for a walk.
        clusters: dotted path of the open module whose frame a node stands in, in a folded graph.
    """

    torch: str = ""
    kinds: tuple[NodeKind, ...] = ()
    names: tuple[str, ...] = ()
    sources: tuple[int, ...] = ()
    slots: tuple[int, ...] = ()
    targets: tuple[int, ...] = ()
    output_nrs: tuple[int, ...] = ()
    roots: tuple[int, ...] = ()
    tensors: Mapping[int, TensorInfo] = {}
    saved: dict[int, tuple[Saved, ...]] = {}
    values: tuple[ValueEdge, ...] = ()
    cuts: tuple[Cut, ...] = ()
    locations: dict[int, Location] = {}
    modules: dict[int, str] = {}
    sequence_nrs: tuple[int, ...] = ()
    ghosts: dict[int, GhostReason] = {}
    calls: dict[int, int] = {}
    folds: dict[int, Fold] = {}
    clusters: dict[int, str] = {}

    @property
    def nodes(self) -> Nodes:
        """The nodes in visit order, made when asked for."""
        return Nodes(self)

    @property
    def edges(self) -> Edges:
        """The edges, gradient lane first, made when asked for."""
        return Edges(self)

    @cached_property
    def edge_starts(self) -> tuple[int, ...]:
        """For each node the index of its first gradient edge, and one more for the end."""
        starts = [0] * (len(self.kinds) + 1)
        for source in self.sources:
            starts[source + 1] += 1
        for i in range(len(self.kinds)):
            starts[i + 1] += starts[i]
        return tuple(starts)

    def slots_of(self, node: int) -> range:
        """The indices of the gradient edges that leave `node`, slots ascending."""
        return range(self.edge_starts[node], self.edge_starts[node + 1])

    @cached_property
    def reached(self) -> frozenset[int]:
        """The nodes that a gradient reaches from the roots: none behind one where PyTorch has no derivative."""
        ends = {i for i, name in enumerate(self.names) if name == _NO_DERIVATIVE and self.kinds[i] == "function"}
        return frozenset(self.behind(self.roots, ends))

    def is_reached(self, node: int) -> bool:
        """Whether a gradient reaches a node; an intermediate tensor by any of those that were computed from it."""
        if node in self.reached or self.kinds[node] != "tensor":
            return node in self.reached
        return any((self.targets[edge], self.output_nrs[edge]) in self._passed for edge in self.slots_of(node))

    @cached_property
    def _passed(self) -> frozenset[tuple[int, int]]:
        """Which outputs of which nodes a gradient reaches."""
        columns = zip(self.sources, self.targets, self.output_nrs, strict=True)
        return frozenset((target, output) for source, target, output in columns if source in self.reached)

    def behind(self, nodes: Iterable[int], ends: Container[int]) -> set[int]:
        """The nodes to which gradient edges lead from some, and these themselves; none behind one of the ends."""
        stack = list(nodes)
        seen = set(stack)
        while stack:
            node = stack.pop()
            for edge in self.slots_of(node) if node not in ends else ():
                target = self.targets[edge]
                if target >= 0 and target not in seen:
                    seen.add(target)
                    stack.append(target)
        return seen

    def find(self, name: str) -> Node:
        """The first node of that name.

        Raises:
            KeyError: if there is none.
        """
        try:
            return self.nodes[self.names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def check(self) -> None:
        """Raise DocumentError where the columns contradict each other."""
        nodes, edges = len(self.kinds), len(self.sources)
        columns = (self.slots, self.targets, self.output_nrs)
        if len(self.names) != nodes or any(len(column) != edges for column in columns):
            raise DocumentError("the columns of the graph differ in length")
        ends = [*self.roots, *self.tensors, *self.saved, *self.locations, *self.modules]
        ends += [end for edge in self.values for end in (edge.source, edge.target)]
        if any(map(gt, self.sources, islice(self.sources, 1, None))):
            raise DocumentError("the edges of the graph are not grouped by their source")
        if edges and (self.sources[0] < 0 or self.sources[-1] >= nodes):
            raise DocumentError(f"an edge of the graph leaves a node that is not among its {nodes}")
        if edges and (min(self.targets) < -1 or max(self.targets) >= nodes):
            raise DocumentError(f"an edge of the graph leads to a node that is not among its {nodes}")
        if any(end < 0 or end >= nodes for end in ends):
            raise DocumentError(f"the graph refers to a node that is not among its {nodes}")
        if any(edge.cut is not None and not 0 <= edge.cut < len(self.cuts) for edge in self.values):
            raise DocumentError("an edge of the graph refers to a cut that it does not hold")

    def __repr__(self) -> str:
        return f"<graphvis.Graph: {len(self.kinds)} nodes, {len(self.sources)} edges>"
