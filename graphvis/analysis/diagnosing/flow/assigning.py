"""What a source holds of other sources: what was assigned, loaded or added to it in the run.

Of a source's past only that is followed. What optimizers step by, a gradient, is no way by which a value comes: every
step would link all of a training run to all of it. But a hypernetwork's ``net.weight.data = w``, an average of another
network's weights, a state that is loaded from it, a learning rate that is learned: these are values of other parameters
that reach the loss, and no gradient comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from graphvis.analysis.diagnosing.flow.ways import Edge, Ways
from graphvis.model import Trace

_NONE, _SEVERAL = -1, -2
_LEAVING = frozenset({"item", "numpy"})


class _Past(NamedTuple):
    whose: int  # the first number of the only source that the value is made of; or _NONE, or _SEVERAL
    node: int | None  # the node, or what stands for it where ways are left out; None where none is left


class Found(NamedTuple):
    """What goes into a source.

    Attributes:
        met: the nodes among those that it held already.
        node: what else there is of other sources; None where there is nothing.
    """

    met: frozenset[int]
    node: int | None


_NOTHING = Found(frozenset(), None)


class Assigning:
    """Tells what a source comes to hold of others."""

    def __init__(self, trace: Trace, ways: Ways) -> None:
        """For a trace whose calls are being followed."""
        self._trace = trace
        self._ways = ways
        self._pasts: dict[int, _Past] = {}
        self._sources: set[int] = set()
        self._unmade: set[int] = set()
        self._given: dict[int, int] = {}
        self._firsts: dict[int, int] = {}

    def know(self, node: int, number: int) -> None:
        """Take note of the node of a source."""
        self._pasts[node] = _Past(self._first(number), node)
        self._sources.add(node)

    def know_given(self, node: int, number: int) -> None:
        """Take note of a node of what a source holds of others."""
        self._given[node] = self._first(number)

    def is_made(self, nodes: Collection[int]) -> bool:
        """Whether one of these values was made of a source, or is a gradient."""
        seen = set(nodes) - self._unmade
        stack = list(seen)
        while stack:
            node = stack.pop()
            if node in self._sources or self._is_gradient(node):
                return True
            fresh = {edge.maker for edge in self._ways.edges[node]} - seen - self._unmade
            seen |= fresh
            stack += fresh
        self._unmade |= seen
        return False

    def look(self, number: int, node: int, held: Collection[int]) -> Found:
        """Find what a value that goes into a source is made of, other sources and what it held of them already.

        Args:
            number: the source.
            node: the value.
            held: what the source holds of others. Of a value that was computed from it, as by a step of an optimizer,
                that much is nothing new.
        """
        itself = self._first(number)
        past = self._follow(node, self._pasts, self._pasts.get)
        if past.node is None or past.whose in (_NONE, itself):
            return _NOTHING
        if not held:
            return Found(frozenset(), past.node)
        met: set[int] = set()
        found: dict[int, _Past] = {}

        def known(maker: int) -> _Past | None:
            if maker in held:
                met.add(maker)
                return _Past(_NONE, None)
            past = self._pasts[maker]
            if past.whose in (_NONE, itself) or self._ways.calls[maker] < 0:
                return past
            # What another source holds is its own, and be it of this one.
            return found.get(maker) if self._given.get(maker, itself) == itself else past

        beside = self._follow(past.node, found, known)
        return Found(frozenset(met), None if beside.whose in (_NONE, itself) else beside.node)

    def _follow(self, node: int, found: dict[int, _Past], known: Callable[[int], _Past | None]) -> _Past:
        """The past of a node without gradients, and without the nodes that are `known` to be left out."""
        stack = [node]
        while stack:
            at = stack[-1]
            if known(at) is None:
                wait = [edge.maker for edge in self._ways.edges[at] if self._known(edge, known) is None]
                if wait and not self._is_gradient(at):
                    stack.extend(wait)
                    continue
                found[at] = self._past(at, known)
            stack.pop()
        past = known(node)
        assert past is not None, "just found"
        return past

    def _past(self, node: int, known: Callable[[int], _Past | None]) -> _Past:
        """The past of a node, those of its makers being known."""
        if self._is_gradient(node):
            return _Past(_NONE, None)
        whose, kept, same = _NONE, [], True
        for edge in self._ways.edges[node]:
            past = self._known(edge, known) if edge.blame is None or edge.blame.kind != "grad" else None
            if past is None or past.node is None:
                same = False
                continue
            if past.whose != _NONE:
                whose = past.whose if whose in (_NONE, past.whose) else _SEVERAL
            same = same and past.node == edge.maker
            kept.append(edge._replace(maker=past.node))
        if same:
            return _Past(whose, node)
        if whose == _NONE:
            return _Past(_NONE, None)
        copy = self._ways.add(self._ways.calls[node], kept)
        past = _Past(whose, copy)
        self._pasts[copy] = past
        return past

    def _known(self, edge: Edge, known: Callable[[int], _Past | None]) -> _Past | None:
        """The past of a maker; of a value that left PyTorch and came back nothing is left out: it was cut off there."""
        left = edge.blame is not None and edge.blame.kind in _LEAVING
        return self._pasts.get(edge.maker) if left else known(edge.maker)

    def _is_gradient(self, node: int) -> bool:
        call = self._ways.calls[node]
        return call >= 0 and self._trace.calls[call].function == "torch.autograd.grad"

    def _first(self, number: int) -> int:
        """The number that a tensor had before its memory was exchanged for the first time."""
        chain = [number]
        while number not in self._firsts and (former := self._trace.tensors[number].former) is not None:
            chain.append(number := former)
        first = self._firsts.get(number, number)
        self._firsts.update(dict.fromkeys(chain, first))
        return first
