"""What each tensor's memory is made of, at the moment that is being looked at.

A tensor's value is that of the call that made it and of the writes to its bytes since, through
whatever tensor they were made. Tensors that autograd knows to share memory, a base and its views, are
one door to it; ``detach``, ``.data`` and NumPy open another, and a write through one door is unknown
to the gradient behind the others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from graphvis.analysis.cutting import overwrites, works_in_place
from graphvis.analysis.diagnosing.flow.assigning import Assigning
from graphvis.analysis.diagnosing.flow.ways import Blame, Edge, Ways
from graphvis.analysis.diagnosing.regions import Region, Runs, is_exact, meet, region_of, runs, within, without
from graphvis.model import Trace
from graphvis.model.cut import CutKind

# A way by which a value came, and the bytes of a tensor that came by it.
Piece = tuple[Edge, Runs]


_MOST_PIECES = 8  # that a source holds of others; beyond that, averages of many steps are joined


class _Wrote(NamedTuple):
    pieces: list[tuple[int, int, Runs]]  # nodes, each also without what stood there where that goes to no other place
    gone: Runs
    exact: bool  # whether no more than that is gone
    through: int
    call: int


class Memory:
    """The memory of a trace's tensors, which are known by their numbers.

    Attributes:
        storages: for each tensor a number that those that share memory have in common.
        of_source: the node of each tensor that was there before.
    """

    def __init__(self, trace: Trace, ways: Ways, sources: Collection[int], leaves: Collection[int]) -> None:
        """For a trace that is being followed.

        Args:
            trace: it.
            ways: where its ways are gathered.
            sources: the tensors whose values are followed.
            leaves: others that optimizers may step, and of whose past therefore no gradient is followed either; but
                one that was made of a value that is followed is like any other tensor.
        """
        self.storages = [
            -1 - number if tensor.storage is None else tensor.storage for number, tensor in enumerate(trace.tensors)
        ]
        self.of_source: dict[int, int] = {}
        self._trace = trace
        self._ways = ways
        self._sources = {*sources, *leaves}
        self._leaves = self._sources.difference(sources)
        self._assigning = Assigning(trace, ways)
        self._sources_at: dict[int, int] = {}
        self._runs: list[Runs | None] = [None] * len(trace.tensors)
        self._writes: dict[int, list[_Wrote]] = {}  # by storage
        self._pieces: dict[int, list[Piece]] = {}
        self._seen: dict[int, int] = {}  # how many writes the pieces account for
        self._doors = list(range(len(trace.tensors)))
        self._opened: dict[int, CutKind] = {}  # by what each door was opened to another

    def runs(self, number: int) -> Runs:
        """The bytes of a tensor."""
        known = self._runs[number]
        if known is None:
            tensor = self._trace.tensors[number]
            if tensor.strides:
                known = runs(region_of(tensor))
            else:
                known = ((tensor.start, tensor.stop),) if tensor.start < tensor.stop else ()
            self._runs[number] = known
        return known

    def is_known(self, number: int) -> bool:
        """Whether it was asked before what a tensor is made of, or a call made it."""
        return number in self._pieces

    def is_source(self, node: int) -> bool:
        """Whether a node is that of a source."""
        return node in self._sources_at

    def is_followed(self, number: int) -> bool:
        """Whether a tensor is a source."""
        return number in self._sources

    def makers(self, number: int) -> list[Edge]:
        """The nodes that the value of a tensor is made of now."""
        return [edge for edge, _ in self.pieces(number)]

    def pieces(self, number: int) -> list[Piece]:
        """What each part of a tensor's memory is made of now.

        A source is its own, whoever wrote to it, and what it was given of other sources besides; and so is what shows
        its memory.
        """
        held = self._pieces.get(number)
        if held is None:
            held = self._pieces[number] = [(Edge(self._source(number), None), self.runs(number))]
            self._seen[number] = 0
        wrote = self._writes.get(self.storages[number])
        if wrote is not None and self._seen[number] < len(wrote):
            new = wrote[self._seen[number] :]
            own = [piece for piece in held if self._is_own(piece, number)]
            if own:
                source = self._sources_at[own[0][0].maker]
                held = [*own, *self._given(number, source, new, [piece for piece in held if piece not in own])]
            else:
                held = self._overwrite(number, new, held)
            self._keep(number, held)
        return held

    def hold(self, number: int, pieces: list[Piece], call: int) -> None:
        """From now on a tensor is made of `pieces`, and of what will be written to it; a source of itself first.

        Args:
            number: the tensor.
            pieces: what the call made it of.
            call: the call.
        """
        if number in self._sources:
            former = self._trace.tensors[number].former
            if (
                former is None
                and number in self._leaves
                and self._assigning.is_made([edge.maker for edge, _ in pieces])
            ):
                self._sources.discard(number)
                self._keep(number, pieces)
                return
            held = [] if former is None else self.pieces(former)[1:]
            nodes = {edge.maker for edge, _ in held}
            given: list[Piece] = []
            for edge, rest in pieces:
                if edge.blame is not None and edge.blame.kind == "grad":
                    continue
                met, node = self._assigning.look(number, edge.maker, nodes)
                given += [(kept, rest) for kept, _ in held if kept.maker in met]
                if node is not None:
                    given.append((self._give(number, [edge._replace(maker=node)], call), rest))
            pieces = [(Edge(self._source(number), None), self.runs(number)), *given]
        self._keep(number, pieces)

    def _give(self, number: int, edges: list[Edge], call: int) -> Edge:
        """A node of its own for what a source holds of others."""
        node = self._ways.add(call, edges)
        self._assigning.know_given(node, number)
        return Edge(node, None)

    def _is_own(self, piece: Piece, number: int) -> bool:
        """Whether a piece of a tensor is the source in whose memory it lies."""
        source = self._sources_at.get(piece[0].maker)
        return source is not None and self.storages[source] == self.storages[number]

    def _given(self, number: int, source: int, wrote: Sequence[_Wrote], held: list[Piece]) -> list[Piece]:
        """What a source, or what shows its memory, holds of others after some writes to it."""
        whole = self.runs(number)
        for write in wrote:
            if not meet(whole, write.gone):
                continue
            call, nodes = self._trace.calls[write.call], {edge.maker for edge, _ in held}
            found = [
                (self._assigning.look(source, given, nodes), part)
                for _, given, lies in write.pieces
                if (part := within(whole, lies))
            ]
            if write.through not in call.inputs or overwrites(call):
                read = [(edge, part) for (met, _), part in found for edge, _ in held if edge.maker in met]
                if write.exact:
                    held = [(edge, rest) for edge, before in held if (rest := without(before, write.gone))]
                held = list(dict.fromkeys([*held, *read]))
            foreign = self._doors[write.through] != self._doors[number]
            for (_, node), part in found:
                if node is not None:
                    way = Edge(node, self._through(write) if foreign else None)
                    held = [*held, (self._give(source, [way], write.call), part)]
                if len(held) > _MOST_PIECES and held[-1][1] == held[-2][1]:
                    (one, _), (other, _) = held[-2:]
                    held = [*held[:-2], (self._give(source, [one, other], write.call), part)]
        return held

    def _keep(self, number: int, pieces: list[Piece]) -> None:
        self._pieces[number] = pieces
        self._seen[number] = len(self._writes.get(self.storages[number], ()))

    def write(self, number: int, pieces: list[Piece], region: Region | None, call: int) -> None:
        """Note what a call wrote through a tensor, to all of it or to a region: what each part of that is made of."""
        where = region_of(self._trace.tensors[number]) if region is None else region
        own = self._own(number, call)
        wrote = _Wrote(
            [(edge.maker, self._without(own, edge.maker, call), lies) for edge, lies in pieces],
            runs(where),
            is_exact(where),
            number,
            call,
        )
        self._writes.setdefault(self.storages[number], []).append(wrote)

    def _own(self, number: int, call: int) -> set[int]:
        """The nodes of what stood where a call wrote, if each number that it wrote comes of the one that did."""
        made = self._trace.calls[call]
        if number not in made.inputs or not works_in_place(made):
            return set()
        return {edge.maker for edge, _ in self.pieces(number) if edge.maker not in self._sources_at}

    def _without(self, own: set[int], node: int, call: int) -> int:
        given = [edge for edge in self._ways.edges[node] if edge.maker not in own]
        return node if len(given) == len(self._ways.edges[node]) else self._ways.add(call, given)

    def open(self, number: int, inputs: Sequence[int], kind: CutKind | None) -> None:
        """Note what a call made a tensor of: it comes in by its input's door, or opens another by the cut `kind`."""
        storage = self.storages[number]
        if kind in (None, "no_grad", "inference_mode"):
            for taken in inputs:
                if self.storages[taken] == storage and taken != number:
                    self._doors[number] = self._doors[taken]
                    return
        if kind is not None:
            self._opened[self._doors[number]] = kind

    def _source(self, number: int) -> int:
        node = self.of_source.get(number)
        if node is None:
            node = self.of_source[number] = self._ways.add(-1)
            if number in self._sources:
                self._sources_at[node] = number
                self._assigning.know(node, number)
        return node

    def _overwrite(self, number: int, wrote: Sequence[_Wrote], held: list[Piece]) -> list[Piece]:
        whole = self.runs(number)
        for write in wrote:
            if not meet(whole, write.gone):
                continue
            foreign = self._doors[write.through] != self._doors[number]
            # Autograd knows nothing of a write through another door: the gradient still finds the old way,
            # and so does the value where the write read it.
            wrote_by = self._trace.calls[write.call]
            passes = foreign and write.through in wrote_by.inputs and not overwrites(wrote_by)
            if write.exact and not passes:
                held = [(edge, rest) for edge, before in held if (rest := without(before, write.gone))]
            blame = self._through(write) if foreign else None
            held = [
                *held,
                *((Edge(node, blame), part) for node, _, lies in write.pieces if (part := within(whole, lies))),
            ]
        return held

    def _through(self, write: _Wrote) -> Blame | None:
        """The cut at a write through another door to the same memory, where its value had a gradient."""
        call = self._trace.calls[write.call]
        connected = any(
            number == write.through and result for number, result in zip(call.outputs, call.results, strict=False)
        )
        if not connected:
            return None
        return Blame(self._opened.get(self._doors[write.through], "data"), write.call, write.through)
