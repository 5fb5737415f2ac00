"""Saved tensors that were overwritten before backward needs them: who saved, who wrote, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from graphvis.analysis.cutting import is_checkpoint, short
from graphvis.analysis.diagnosing.overwritten import Overwritten
from graphvis.analysis.diagnosing.regions import Region, region_of
from graphvis.analysis.diagnosing.unshown import kept_unshown, read_again
from graphvis.analysis.diagnosing.writes import Writes
from graphvis.model import Call, Conflict, Graph, Location, Saved, Trace
from graphvis.model.diagnosis import Effect

_OF_RESULTS = ("result", "output", "out", "result0", "result1")
_STATISTICS = ("running_mean", "running_var")
_DETACHED = "detached"
# Which argument a node saved, by the names that derivatives.yaml gives them; one more where a sum comes first.
_PLACES = {
    "self": 0, "input": 0, "mat1": 0, "batch1": 0, "tensor1": 1,
    "mat2": 1, "batch2": 1, "other": 1, "weight": 1, "vec": 1, "vec2": 1, "tensor2": 2,
}  # fmt: skip
_SUM_FIRST = frozenset({"addmm", "baddbmm", "addbmm", "addmv"})
# Memory: a storage in the trace's numbers, and bytes in it.
_Place = tuple[int, Region]


def find_overwritten(
    graph: Graph, trace: Trace | None, calls: Mapping[int, int], stop: int | None = None
) -> tuple[Overwritten, ...]:
    """Every saved tensor that was overwritten since it was saved, in the order of the graph's nodes.

    Without a trace only what PyTorch itself refuses is known, and no line.

    Args:
        graph: a walk with the saved tensors' states.
        trace: the run that built it.
        calls: which call made each node.
        stop: look at the calls before this one only; None for all.
    """
    return tuple(_refused(graph) if trace is None else _Search(graph, trace, calls, stop).run())


def _refused(graph: Graph) -> Iterator[Overwritten]:
    """What PyTorch refuses, as the walk alone knows it."""
    for node in sorted(graph.reached):
        for one in graph.saved.get(node, ()):
            if one.state == "overwritten" or str(one.state) == _DETACHED:
                yield Overwritten(conflict=_conflict(graph, node, one, "raises"))


def _conflict(graph: Graph, node: int, saved: Saved, effect: Effect) -> Conflict:
    return Conflict(
        effect=effect,
        certain=effect == "raises",
        node=graph.names[node],
        saved=saved.name,
        expected_version=saved.saved_version,
        version=saved.version,
        index=node,
    )


class _Search:
    def __init__(self, graph: Graph, trace: Trace, calls: Mapping[int, int], stop: int | None) -> None:
        self.graph = graph
        self.trace = trace
        self.calls = calls
        self.writes = Writes(trace, stop)
        self._again: dict[int, tuple[int, Saved]] = {}  # by the beginning of a checkpoint, what it needs first
        self._refusing: set[int] = set()  # the beginnings of those that a conflict is told of

    def run(self) -> Iterator[Overwritten]:
        for node in sorted(self.graph.reached):
            if self.graph.kinds[node] != "function":
                continue
            saved = self.graph.saved.get(node, ())
            for one in saved:
                found = self._of_saved(node, one)
                if found is not None:
                    yield found
            yield from self._of_reentrant(node)
            hidden = None if saved else self._of_hidden(node)
            if hidden is not None:
                yield hidden
        yield from self._of_given()

    def _of_saved(self, node: int, saved: Saved) -> Overwritten | None:
        call = self.calls.get(node)
        if str(saved.state) == _DETACHED:
            return self._raises(node, saved, call, self._detached(call))
        if saved.state == "overwritten":
            return self._raises(node, saved, call, self._counted(call, saved))
        if saved.state == "unknown" and call in self.writes.checkpointed and call is not None:
            self._again.setdefault(self.writes.checkpointed[call], (node, saved))
            return self._of_checkpoint(node, saved, call)
        if saved.state == "unknown" and saved.memory is not None:
            return self._of_own_class(node, saved, call)
        if (
            saved.state == "intact"
            and call is not None
            and not self._is_left_alone(saved)
            and not self._is_idle(saved, call)
        ):
            if (found := self._exchanged(node, saved, call)) is not None:
                return found
            for place in self._places(call, saved):
                if (found := self._uncounted(node, saved, call, place)) is not None:
                    return found
            return self._outside(node, saved, call)
        return None

    def _of_own_class(self, node: int, saved: Saved, call: int | None) -> Overwritten | None:
        """The conflict of a tensor that was not asked for, because that runs code of its class."""
        if saved.memory is not None and saved.memory[0] < 0:  # a result lies in the box as a copy
            if not saved.name.startswith(_OF_RESULTS):
                return None
            saved = msgspec.structs.replace(saved, memory=None)
        wrote = self._counted(call, saved)
        if wrote is not None:
            return self._raises(node, saved, call, wrote)
        places = () if call is None or saved.memory is None else self._places(call, saved)
        found = (self._uncounted(node, saved, call, place) for place in places if call is not None)
        return next((one for one in found if one is not None), None)

    def _is_left_alone(self, saved: Saved) -> bool:
        """Whether nothing can have become of what was saved: no memory was exchanged, and nobody wrote to its own."""
        writes = self.writes
        if saved.memory is None or writes.exchanges or writes.changes:
            return False
        return saved.memory[0] not in writes.by_storage and not writes.patterned

    def _is_idle(self, saved: Saved, call: int) -> bool:
        """Whether backward does not use what was saved: statistics that the call updated itself, as training does."""
        if saved.name not in _STATISTICS or saved.memory is None:
            return False
        return any(write.storage == saved.memory[0] for write in self.trace.calls[call].writes)

    def _raises(self, node: int, saved: Saved, call: int | None, wrote: int | None) -> Overwritten:
        return Overwritten(conflict=self._told(_conflict(self.graph, node, saved, "raises"), call, wrote), call=call)

    def _uncounted(self, node: int, saved: Saved, call: int, place: _Place) -> Overwritten | None:
        """The conflict of what was saved at `place`, if anything was written there since."""
        writes = tuple(dict.fromkeys(self.writes.after(call, *place)))
        if not writes:
            return None
        conflict = self._told(_conflict(self.graph, node, saved, "wrong gradient"), call, writes[0])
        readers = self._readers(node, call if saved.state == "unknown" else None)
        return Overwritten(
            conflict=conflict, call=call, readers=readers, storage=place[0], region=place[1], writes=writes
        )

    def _exchanged(self, node: int, saved: Saved, call: int) -> Overwritten | None:
        """The conflict of a saved input that was given other memory since: ``w.data = other``."""
        if saved.memory is None:
            return None
        storage = saved.memory[0]
        for number in self.trace.calls[call].inputs:
            if self.trace.tensors[number].storage == storage:
                return None
            if (path := self.writes.exchanged(call, number, storage)) is not None:
                return self._moved(node, saved, call, *path)
        return None

    def _moved(self, node: int, saved: Saved, call: int, now: int, writes: tuple[int, ...]) -> Overwritten:
        """The conflict of a tensor that is `now` in other memory, and which `writes` took from what it was."""
        conflict = self._told(_conflict(self.graph, node, saved, "wrong gradient"), call, writes[0])
        place = self._place(now)
        if place is None:
            return Overwritten(conflict=conflict, call=call)
        readers = self._readers(node, call if saved.state == "unknown" else None)
        return Overwritten(
            conflict=conflict, call=call, readers=readers, storage=place[0], region=place[1], writes=writes
        )

    def _outside(self, node: int, saved: Saved, call: int) -> Overwritten | None:
        """The conflict of what was saved in memory that another library shares, if it has written there."""
        for number in self._candidates(self.trace.calls[call], saved):
            if (change := self.writes.changed(call, number)) is not None:
                conflict = self._told(_conflict(self.graph, node, saved, "wrong gradient"), call, change.shared)
                return Overwritten(conflict=conflict, call=call, readers=self._readers(node, None), change=change)
        return None

    def _readers(self, node: int, call: int | None) -> tuple[int, ...]:
        """See :attr:`Overwritten.readers`; `call` is one in a checkpoint."""
        numbers, checkpointed = self.graph.sequence_nrs, self.writes.checkpointed
        around = None if call is None else checkpointed.get(call)
        if around is None:
            return (numbers[node],)
        return tuple(numbers[other] for other, made in self.calls.items() if checkpointed.get(made) == around)

    def _told(self, conflict: Conflict, call: int | None, wrote: int | None) -> Conflict:
        """A conflict with its lines."""
        return msgspec.structs.replace(
            conflict,
            saved_at=self._location(call),
            modified_at=self._location(wrote),
            saved_by=self._location(call, caller=True),
            modified_by=self._location(wrote, caller=True),
            function="" if wrote is None else self.trace.calls[wrote].function,
        )

    def _location(self, call: int | None, caller: bool = False) -> Location | None:
        if call is None:
            return None
        place = self.trace.calls[call].caller if caller else self.trace.calls[call].location
        return None if place is None else self.trace.locations[place]

    def _candidates(self, call: Call, saved: Saved) -> list[int]:
        """The tensors of a call that may be the saved one: by its memory, else by its place and shape."""
        tensors = self.trace.tensors
        both = list(dict.fromkeys([*call.outputs, *call.inputs]))
        if saved.memory is not None:
            storage, *bytes_ = saved.memory
            same = [n for n in both if tensors[n].storage == storage]
            return [n for n in same if [tensors[n].start, tensors[n].stop] == bytes_] or same
        side = call.outputs if saved.name.startswith(_OF_RESULTS) else call.inputs
        fit = [n for n in side if tensors[n].dtype == saved.dtype and tensors[n].shape == saved.shape]
        return fit or [n for n in both if tensors[n].dtype == saved.dtype and tensors[n].shape == saved.shape]

    def _places(self, call: int, saved: Saved) -> list[_Place]:
        """Where what a call saved may lie."""
        numbers = self._candidates(self.trace.calls[call], saved)
        if numbers or saved.memory is None:
            return [place for number in numbers for place in self._all_of(number)]
        memory, start, stop = saved.memory
        return [(memory, Region(start, stop))]

    def _place(self, number: int) -> _Place | None:
        tensor = self.trace.tensors[number]
        return None if tensor.storage is None else (tensor.storage, region_of(tensor))

    def _all_of(self, number: int) -> Iterator[_Place]:
        """Where a tensor lies, and of one that is sparse its indices as well."""
        if (place := self._place(number)) is not None:
            yield place
        for storage, start, stop in self.trace.tensors[number].indices:
            yield storage, Region(start, stop)

    def _counted(self, call: int | None, saved: Saved) -> int | None:
        """The first call after `call` that wrote to what it saved and was counted for it."""
        if call is None:
            return None
        made = self.trace.calls[call]
        numbers = self._candidates(made, saved)
        if not numbers and saved.memory is not None:
            memory, start, stop = saved.memory
            # Given other memory since, it lies in none that the call knew.
            numbers = [number for number in made.inputs if self.writes.exchanged(call, number, memory) is not None]
            if not numbers:
                return next(self.writes.after(call, memory, Region(start, stop)), None)
        wrote = (self.writes.counted(call, number) for number in numbers)
        return next((index for index in wrote if index is not None), None)

    def _detached(self, call: int | None) -> int | None:
        if call is None:
            return None
        known = self.trace.calls[call]
        return self.writes.detached(call, (*known.inputs, *known.outputs))

    def _of_checkpoint(self, node: int, saved: Saved, call: int) -> Overwritten | None:
        """The conflict of a node in a checkpoint, which backward runs again on what was overwritten meanwhile."""
        made = self.trace.calls[call]
        argument = _PLACES.get(saved.name)
        if argument is not None and short(made) in _SUM_FIRST:
            argument += 1
        if argument is None or argument >= len(made.inputs):
            return None
        number = made.inputs[argument]
        if self.writes.remade.get(number) == self.writes.checkpointed[call]:
            return None
        severed = self.writes.detached(call, (number,))
        if severed is not None:
            return self._raises(node, saved, call, severed)
        if number in self.writes.given.get(self.writes.checkpointed[call], ()):
            if self.writes.checkpointed[call] in self.writes.packed:
                return None
            found = self._at(node, saved, call, number)
            self._refusing.update([self.writes.checkpointed[call]] if found is not None else [])
            return found
        return self._read_again(node, saved, call, number)  # of what it only reads the checkpoint keeps no version

    def _of_given(self) -> Iterator[Overwritten]:
        """The conflicts of what checkpoints keep, where no node shows them: whatever is needed, all is run again."""
        for start, (node, saved) in self._again.items():
            if start not in self.writes.packed and start not in self._refusing:
                given = [one for one in self.writes.given.get(start, ()) if self.writes.remade.get(one) != start]
                found = (self._at(node, saved, start, number) for number in sorted(given))
                yield from [one for one in found if one is not None and one.conflict.effect == "raises"][:1]

    def _read_again(self, node: int, saved: Saved, call: int, number: int) -> Overwritten | None:
        """The conflict of a tensor that a checkpoint reads and does not keep; no counter is compared."""
        if (path := self.writes.exchanged(call, number)) is not None:
            return self._moved(node, saved, call, *path)
        place = self._place(number)
        return None if place is None else self._uncounted(node, saved, call, place)

    def _of_reentrant(self, node: int) -> Iterator[Overwritten]:
        """The conflicts of a reentrant checkpoint: it keeps what it was given, and reads all else again."""
        call = self.calls.get(node)
        if call is None or not is_checkpoint(self.trace.calls[call]):
            return
        for number, reader in read_again(self.trace, call).items():
            found = self._read_again(node, Saved(name=""), call, number)
            if found is not None:
                at = self._location(reader), self._location(reader, caller=True)
                conflict = msgspec.structs.replace(found.conflict, saved_at=at[0], saved_by=at[1])
                yield msgspec.structs.replace(found, conflict=conflict)

    def _of_hidden(self, node: int) -> Overwritten | None:
        """The conflict of a node that does not show what it saves."""
        call = self.calls.get(node)
        if call is None or call in self.writes.packed:
            return None
        name, kept = kept_unshown(self.graph.names[node], self.trace.calls[call])
        found = (self._at(node, Saved(name=name), call, number) for number in kept)
        return next((one for one in found if one is not None), None)

    def _at(self, node: int, saved: Saved, call: int, number: int) -> Overwritten | None:
        """The conflict of a tensor that is known to be saved though it is not shown; counted writes come first."""
        place = self._place(number)
        if place is None:
            return None
        wrote = next(self.writes.after(call, place[0], None, number), None)
        return self._uncounted(node, saved, call, place) if wrote is None else self._raises(node, saved, call, wrote)
