"""Following a trace call by call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from graphvis.analysis.cutting import cut_by_name, short
from graphvis.analysis.diagnosing.flow.blaming import Blaming
from graphvis.analysis.diagnosing.flow.duals import Duals
from graphvis.analysis.diagnosing.flow.forwards import Forwards
from graphvis.analysis.diagnosing.flow.memory import Memory, Piece
from graphvis.analysis.diagnosing.flow.patterns import Patterns
from graphvis.analysis.diagnosing.flow.results import places_of, rows_of
from graphvis.analysis.diagnosing.flow.spots import Spots, written_by
from graphvis.analysis.diagnosing.flow.ways import Blame, Edge, Result, Ways
from graphvis.analysis.diagnosing.regions import Runs, within
from graphvis.model import Call, Entry, Trace

_MARKING = frozenset({"detach_", "requires_grad_"})  # these change what a tensor is and not what it holds
_UNSEEN = "alias"  # a tensor on known memory that no call was seen to make: what cut it lies somewhere before
_MOST_PARTS = 256  # of one result that are told apart
_SHARING = frozenset({"numpy", "__array__", "__dlpack__", "ndarray"})


class Flow:
    """The value lane of a trace.

    Attributes:
        trace: the recorded run.
        ways: the ways that values took.
        exits: the nodes whose value left PyTorch, by the call at which it did.
    """

    def __init__(
        self,
        trace: Trace,
        sources: Collection[int],
        leaves: Collection[int],
        turned_off: Mapping[int, int],
        stop: int | None = None,
    ) -> None:
        """Build it.

        Args:
            trace: the recorded run.
            sources: numbers of the tensors of whose own past only what others gave to them is followed: the parameters.
            leaves: those of others that optimizers may step.
            turned_off: see :func:`~graphvis.analysis.diagnosing.modes.turned_off`.
            stop: look at the calls before this one only; None for all.
        """
        self.trace = trace
        self.ways = Ways()
        self.exits: dict[int, list[Edge]] = {}
        self._memory = Memory(trace, self.ways, sources, leaves)
        self._blaming = Blaming(trace, turned_off)
        self._duals = Duals(self.ways, self._memory, self._blaming)
        self._patterns = Patterns(trace, self.ways, self._memory, self._blaming)
        self._forwards = Forwards(trace, self.ways, self._memory, self.exits)
        self._backward: Sequence[int] = ()
        self._left: dict[int, list[list[Piece]]] = {}  # for each exit what its inputs were made of then
        for index in range(len(trace.calls) if stop is None else stop):
            self._take(index, trace.calls[index])

    def shares(self, call: int) -> bool:
        """Whether a call handed out the memory of what it took, which others see from then on."""
        return short(self.trace.calls[call]) in _SHARING

    def makers(self, number: int) -> list[Edge]:
        """The nodes that the value of a tensor is made of at the end."""
        return self._memory.makers(number)

    def sources_of(self, numbers: Collection[int]) -> list[int]:
        """The nodes of tensors that were there before, of those that the calls used."""
        return [self._memory.of_source[number] for number in numbers if number in self._memory.of_source]

    def tells(self, call: int) -> bool:
        """Whether it is known of a Function's apply which of its arguments flow into which of its results."""
        return call in self._forwards.told

    # -- one call

    def _take(self, index: int, call: Call) -> None:
        name = short(call)
        if name == "backward":
            self._backward = call.inputs
            return
        if name in _MARKING:
            self._mark(index, call)
            return
        if not call.outputs and not call.writes:
            self._leave(index, call)
            return
        self._duals.take(index, call, name)
        if not call.writes:
            for place, number in enumerate(call.outputs):
                if number not in call.inputs:
                    self._hold(index, call, number, self._made(Result(index, place, number, False), call, name))
            return
        self._take_writes(index, call, name)

    def _take_writes(self, index: int, call: Call, name: str) -> None:
        """Take a call that writes: what goes in is looked at before anything is written."""
        written = {write.tensor: write for write in call.writes}
        targets = (*call.outputs, *(number for number in written if number not in call.outputs))
        results = [
            Result(index, place, number, number in written)
            for place, number in enumerate(targets)
            if number in written or number not in call.inputs
        ]
        made = [self._made(result, call, name) for result in results]
        for result, pieces in zip(results, made, strict=True):
            if not result.written or not self._memory.runs(result.number):  # sparse, and all zero now
                self._hold(index, call, result.number, pieces)
                continue
            region = written_by(written[result.number])
            self._memory.write(result.number, pieces, region, index)
            for edge, _ in pieces:
                self._patterns.write(result.number, edge.maker, region)
            self._patterns.note(index, call, result.number)

    def _hold(self, index: int, call: Call, number: int, pieces: list[Piece]) -> None:
        self._memory.hold(number, pieces, index)
        kind = None if self._blaming.passes(index) else cut_by_name(call) or self._blaming.kind(index)
        self._memory.open(number, call.inputs, self._patterns.opens(call, number) if kind is None else kind)
        self._patterns.note(index, call, number)

    def _made(self, result: Result, call: Call, name: str) -> list[Piece]:
        """What a result is made of: of a view the parts that it shows, else one node."""
        tensors = self.trace.tensors
        if rows := list(rows_of(call, name, result, tensors)):
            return [(self._row(result, call, places), runs) for runs, places in rows]
        places = places_of(call, name, result, tensors)
        if call.forwarded:
            places = self._forwards.flowing(result, call, places)
        places = self._duals.values(name, self._patterns.of_values(call, result.number, places))
        tangent = self._duals.unpacked(result, call, name)
        if tangent is not None:
            return [(Edge(self.ways.add(result.call, tangent), None), self._memory.runs(result.number))]
        shown = None if result.written else self._shown(result, call, name, places)
        return self._computed(result, call, name, places) if shown is None else shown

    def _row(self, result: Result, call: Call, places: Sequence[int]) -> Edge:
        """A node for a part of a result, made of what the inputs at `places` hold."""
        found: dict[Edge, None] = {}
        for at in places:
            blame = self._blaming.of(result, at)
            for edge, _ in self._memory.pieces(call.inputs[at]):
                found[self.ways.behind(edge, blame)] = None
        return Edge(self.ways.add(result.call, list(found)), None)

    def _shown(self, result: Result, call: Call, name: str, places: Sequence[int]) -> list[Piece] | None:
        """What a view shows: each part of it what that part of its base holds, having passed this call.

        None where the result has memory of its own.
        """
        storages = self._memory.storages
        storage = storages[result.number]
        shared = [at for at in places if storages[call.inputs[at]] == storage]
        if not shared and not any(
            storages[number] == storage for entry in call.entries for number in self.trace.calls[entry.exit].inputs
        ):
            return None
        if name == "grad" or call.function.startswith("Function."):
            return None
        whole = self._memory.runs(result.number)
        found: list[Piece] = []
        for at in places:
            blame = self._blaming.of(result, at)
            known = blame is None or name != _UNSEEN
            for edge, rest in self._memory.pieces(call.inputs[at]):
                part = within(rest, whole) if at in shared else whole
                if part or not whole or not rest:
                    found.append((self.ways.behind(edge, blame, known), part))
        for entry in call.entries:
            found += self._entered(entry, storage, whole)
        return found

    def _computed(self, result: Result, call: Call, name: str, places: Sequence[int]) -> list[Piece]:
        """What a result is made of that has memory of its own: for each part of it a node, of what arrived there."""
        pieces, behind = self._memory.pieces, self.ways.behind
        spots = Spots(self.trace, self._memory, call, result, name, places)
        passes = not self._patterns and not call.entries and name != "grad" and self._blaming.passes(result.call)
        found: dict[Runs, dict[Edge, None]] = {}
        for at in places:
            blame = None if passes else self._blaming.of(result, at)
            pattern, alone = self._patterns.taken(result.call, call, name, at, blame)
            if pattern:
                found.setdefault(spots.whole, {}).update(dict.fromkeys(pattern))
            known = blame is None or name != _UNSEEN
            for edge, lies in () if alone else pieces(call.inputs[at]):
                found.setdefault(spots.of(at, lies), {})[behind(edge, blame, known)] = None
        if name == "grad":
            self._gradient(result, call, found.setdefault(spots.whole, {}))
        for entry in call.entries:
            found.setdefault(spots.whole, {}).update((edge, None) for edge, _ in self._entered(entry, None, ()))
        if not found or len(found) > _MOST_PARTS:
            found = {spots.whole: {edge: None for edges in found.values() for edge in edges}}
        return [(Edge(self.ways.add(result.call, list(edges)), None), lies) for lies, edges in found.items()]

    def _gradient(self, result: Result, call: Call, found: dict[Edge, None]) -> None:
        """A ``.grad`` comes from what backward started from, and from what it was before."""
        if self._memory.is_known(result.number):
            found.update(dict.fromkeys(self._memory.makers(result.number)))
        if call.function.startswith("torch.autograd"):
            return
        kept = call.results[result.place] if result.place < len(call.results) else False  # by create_graph
        blame = None if kept else Blame("grad", result.call, call.inputs[0] if call.inputs else None)
        for number in self._backward:
            for edge in self._memory.makers(number):
                found[self.ways.behind(edge, blame)] = None

    def _mark(self, index: int, call: Call) -> None:
        """Take a call that changes what a tensor is: each part of it keeps its way, and passes the call."""
        kind = self._blaming.kind(index)
        if kind is None or not call.inputs:
            return
        number = call.inputs[0]
        blame = Blame(kind, index, number)
        held = [(self.ways.behind(edge, blame), rest) for edge, rest in self._memory.pieces(number)]
        self._memory.hold(number, held, index)

    # -- out of PyTorch, and back

    def _leave(self, index: int, call: Call) -> None:
        if call.inputs:
            self._left[index] = [self._memory.pieces(number) for number in call.inputs]
            self.exits[index] = [edge for pieces in self._left[index] for edge, _ in pieces]

    def _entered(self, entry: Entry, storage: int | None, whole: Runs) -> list[Piece]:
        """What came back from a value that left, and in which part of the result it lies now."""
        left = self.trace.calls[entry.exit]
        kind = self._blaming.kind(entry.exit)
        then = self._left.get(entry.exit)
        found: list[Piece] = []
        for at, number in enumerate(left.inputs):
            blame = Blame(kind, entry.exit, number) if kind and left.connected[at] else None
            # Memory that is shared shows what is in it now; anything else is what it was when it left. Of what was
            # made of shared memory nobody knows when.
            now = self._memory.pieces(number) if self.shares(entry.exit) else []
            before = then[at] if then is not None and not (now and entry.certain) else []
            for edge, rest in (*before, *(piece for piece in now if piece not in before)):
                part = within(rest, whole) if self._memory.storages[number] == storage else whole
                if part or not whole or not rest:
                    found.append((self.ways.behind(edge, blame, entry.certain), part))
        return found
