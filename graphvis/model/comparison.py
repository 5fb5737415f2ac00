"""Two moments of a program as one union graph."""

from __future__ import annotations

from typing import Literal

import msgspec

from graphvis.errors import DocumentError
from graphvis.model.drawable import Drawable
from graphvis.model.moment import Moment

State = Literal["kept", "severed", "unreachable", "new"]
Matching = Literal["identity", "calls", "structure", "single"]


class Pair(msgspec.Struct, frozen=True):
    """A node of the union: ``n<i>`` is the i-th pair.

    Attributes:
        before: index of the node in the graph before; None where it is new.
        after: index of the node in the graph after; None where it is gone.
        state: ``kept``: the gradient reaches it in both, or in neither; ``severed``: a leaf or
            tensor that is still there and whose gradient no longer comes; ``unreachable``: a
            function that the gradient no longer reaches, or that is gone; ``new``: only after.
    """

    before: int | None
    after: int | None
    state: State


class PairEdge(msgspec.Struct, frozen=True):
    """An edge of the union.

    Attributes:
        lane: ``gradient`` or ``value``.
        before: index into the columns (gradient) or :attr:`Graph.values` (value) before; None
            where it is new.
        after: the same after; None where it is gone.
        state: ``severed``: the edge that was cut: its consumer is still reached, and its slot no
            longer leads there; ``unreachable``: it went with what lies behind a severed one.
    """

    lane: Literal["gradient", "value"]
    before: int | None
    after: int | None
    state: State


class Comparison(Drawable, frozen=True, kw_only=True, tag="graphvis/comparison/1"):
    """Two moments and their matching, as one union graph.

    Attributes:
        name: short, fit for a file and an id, e.g. ``detach_zero``.
        title: the finding, in one line.
        description: what a reader who cannot see the picture should know.
        before: the moment before; None for a picture of one half.
        after: the moment after.
        matching: how nodes were matched: ``identity`` (both moments come from one run), ``calls``
            (by position in the recorded calls of two runs), ``structure`` (two graphs without a
            trace), ``single`` (one half).
        nodes: the union's nodes, in the order of `before`, then what is new.
        edges: the union's edges.
    """

    name: str = "comparison"
    title: str = ""
    description: str = ""
    before: Moment | None = None
    after: Moment
    matching: Matching = "structure"
    nodes: tuple[Pair, ...] = ()
    edges: tuple[PairEdge, ...] = ()

    def check(self) -> None:
        """Raise DocumentError where the matching and the moments contradict each other."""
        for moment in (self.before, self.after):
            if moment is not None:
                moment.graph.check()
        sizes = {
            "before": (len(self.before.graph.kinds), len(self.before.graph.edges)) if self.before else (0, 0),
            "after": (len(self.after.graph.kinds), len(self.after.graph.edges)),
        }
        for side, (nodes, edges) in sizes.items():
            if any(not 0 <= i < nodes for p in self.nodes if (i := getattr(p, side)) is not None):
                raise DocumentError(f"the comparison refers to a node that its graph {side} does not hold")
            if any(not 0 <= i < edges for e in self.edges if (i := getattr(e, side)) is not None):
                raise DocumentError(f"the comparison refers to an edge that its graph {side} does not hold")

    def __repr__(self) -> str:
        return f"<graphvis.Comparison {self.name}: {len(self.nodes)} nodes, matched by {self.matching}>"
