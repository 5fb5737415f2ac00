"""The writes of a run by the memory that they touched, and which version counters saw them."""

from __future__ import annotations

from collections.abc import Iterator

from graphvis.analysis.cutting import PACKING, PLACING, cut_by_name, short
from graphvis.analysis.diagnosing.regions import Region, overlap, region_of
from graphvis.model import Call, Change, Trace, Write

# set_ is counted; and so is what gives a sparse tensor other memory, which is the call after the second of these.
_STRIDED, _JAGGED = "strided", "jagged"
_EXCHANGES = frozenset({"Tensor.data.__set__", "memory.exchange"})


class Writes:
    """What a trace tells of the memory that its tensors lie in.

    Attributes:
        by_storage: the writes to each storage with the calls that made them, ascending.
        severed: the calls of ``detach_`` on each tensor that had a history.
        checkpointed: calls that backward will run again, each with the call at which its checkpoint began.
        remade: the tensors that these make, with the same.
        packed: calls under hooks of the program's own: what they save has no version to be compared.
        given: the tensors that a checkpoint keeps, with their versions, by the call at which it began.
        changes: of each tensor in shared memory, what became of its values.
        patterned: whether the indices of a sparse tensor lie where something was written.
        exchanges: for each tensor that was given other memory the call that did it, and its number since.
    """

    def __init__(self, trace: Trace, stop: int | None) -> None:
        """Read the calls before `stop`; all where it is None."""
        self.by_storage: dict[int, list[tuple[int, Write]]] = {}
        self.severed: dict[int, list[int]] = {}
        self.checkpointed: dict[int, int] = {}
        self.remade: dict[int, int] = {}
        self.exchanges: dict[int, tuple[int, int]] = {}
        self.changes: dict[int, list[Change]] = {}
        for change in trace.changes:
            self.changes.setdefault(change.tensor, []).append(change)
        self.given: dict[int, set[int]] = {}
        self._tensors = trace.tensors
        # Counted writes to sparse tensors or their parts, and to what was given other memory, each by its call: they
        # count for what shares the counter, wherever that lies.
        self._elsewhere: list[tuple[int, int]] = []
        self._sparse = {number for number, tensor in enumerate(trace.tensors) if tensor.layout != _STRIDED}
        self._counters = list(range(len(trace.tensors)))  # for each tensor the first that shares its counter
        self.packed: set[int] = set()
        depth = checkpoint = packing = 0
        for index, call in enumerate(trace.calls[:stop]):
            for write in call.writes:
                if write.storage is not None and not self._tensors[write.tensor].wrapped:  # these count for themselves
                    self.by_storage.setdefault(write.storage, []).append((index, write))
                moved = self._tensors[write.tensor].former is not None
                if write.counted and (moved or (self._sparse and self._counters[write.tensor] in self._sparse)):
                    self._elsewhere.append((index, write.tensor))
            if call.function.startswith(PACKING):
                packing += 1 if call.function.endswith("(True)") else -1
            elif packing > 0:
                self.packed.add(index)
            if call.function.startswith("torch.utils.checkpoint "):
                depth += 1 if call.function.endswith("(True)") else -1
                checkpoint = index if depth == 1 else checkpoint
                self.given.setdefault(checkpoint, set()).update(call.inputs)
            elif depth:
                self.checkpointed[index] = checkpoint
                self.remade.update((number, checkpoint) for number in call.outputs if number not in call.inputs)
            if short(call) == "detach_" and call.inputs and call.connected[0]:
                self.severed.setdefault(call.inputs[0], []).append(index)
            if call.function in _EXCHANGES and call.inputs and call.outputs:
                self.exchanges[call.inputs[0]] = (index, call.outputs[0])
                self._counters[call.outputs[0]] = self._counters[call.inputs[0]]  # it is still the same tensor
            self._follow_counters(call)
        self.patterned = any(
            storage in self.by_storage for number in self._sparse for storage, *_ in self._tensors[number].indices
        )

    def _follow_counters(self, call: Call) -> None:
        """Note which of what a call made has the version counter of what it was given."""
        if cut_by_name(call) in ("data", "numpy", "copy"):
            return  # these have a counter of their own
        for output in call.outputs:
            for source in call.inputs:
                if source != output and self._share_counter(call, source, output):
                    self._counters[output] = self._counters[source]
                    break

    def _share_counter(self, call: Call, source: int, output: int) -> bool:
        """Whether an output of a call has the version counter of an input."""
        one, other = self._tensors[source], self._tensors[output]
        if short(call) in PLACING and one.layout != _STRIDED:
            return True
        if other.storage is None or one.storage != other.storage:
            return False
        return one.layout != _STRIDED or other.layout in (_STRIDED, _JAGGED)  # what is made sparse counts for itself

    def after(self, call: int, storage: int, region: Region | None, counter: int | None = None) -> Iterator[int]:
        """The calls after `call` that wrote to a region.

        Args:
            call: the call that saved.
            storage: the memory.
            region: the bytes; None for all of it.
            counter: a tensor: only writes that its version counter saw; None for all.
        """
        for index, write in self.by_storage.get(storage, ()):
            if index <= call:
                continue
            if counter is not None and (not write.counted or self._counters[write.tensor] != self._counters[counter]):
                continue
            if region is None or overlap(region_of(write, write.shape), region):
                yield index

    def counted(self, call: int, number: int) -> int | None:
        """The first call after `call` whose write was counted for a tensor, wherever it lay then."""
        lay = [number]
        while lay[-1] in self.exchanges:
            lay.append(self.exchanges[lay[-1]][1])
        places = [(tensor.storage, region_of(tensor)) for tensor in map(self._tensors.__getitem__, lay)]
        for beside in (False, True):  # a write beside it is counted for it as well
            wrote = [
                next(self.after(call, storage, None if beside else region, number), None)
                for storage, region in places
                if storage is not None
            ]
            if found := [index for index in wrote if index is not None]:
                return min(found)
        return next(
            (
                index
                for index, tensor in self._elsewhere
                if index > call and self._counters[tensor] == self._counters[number]
            ),
            None,
        )

    def exchanged(self, call: int, number: int, storage: int | None = None) -> tuple[int, tuple[int, ...]] | None:
        """What became of a tensor that was given other memory after `call`, where it led to `storage` if that is given.

        Returns:
            Its number there, and the calls that wrote to it wherever it lay or gave it other memory, ascending; None if
            it did not come to lie there so.
        """
        found: list[int] = []
        since, moved = call, False
        while not (moved and storage is not None and self._tensors[number].storage == storage):
            if number not in self.exchanges:
                if not moved or storage is not None:
                    return None
                break
            index, now = self.exchanges[number]
            if index > call:
                found += [*(wrote for wrote in self._to(number, since) if wrote < index), index]
                since, moved = index, True
            number = now
        return number, tuple(dict.fromkeys([*found, *self._to(number, since)]))

    def _to(self, number: int, call: int) -> Iterator[int]:
        """The calls after `call` that wrote where a tensor lies."""
        tensor = self._tensors[number]
        if tensor.storage is not None:
            yield from self.after(call, tensor.storage, region_of(tensor))

    def changed(self, call: int, number: int) -> Change | None:
        """What says that a tensor is no longer what it was when `call` saved it."""
        return next((change for change in self.changes.get(number, ()) if change.after < call <= change.until), None)

    def detached(self, call: int, tensors: tuple[int, ...]) -> int | None:
        """The first call after `call` that took the history of one of some tensors."""
        for number in tensors:
            for index in self.severed.get(number, ()):
                if index > call:
                    return index
        return None
