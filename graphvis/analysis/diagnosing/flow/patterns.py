"""The sparsity patterns of sparse tensors: where their values stand, which is a value of its own.

``torch.sparse_coo_tensor(i, v)`` holds what `i` says and what `v` says. Whoever asks for its indices gets nothing of
`v`, and whoever overwrites its values leaves the pattern as it is. So the ways of the pattern are kept beside the
memory, which is that of the values.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphvis.analysis.cutting import PLACING, flowing, short
from graphvis.analysis.diagnosing.flow.blaming import Blaming
from graphvis.analysis.diagnosing.flow.memory import Memory
from graphvis.analysis.diagnosing.flow.ways import Blame, Edge, Result, Ways
from graphvis.analysis.diagnosing.regions import Region, overlap, region_of
from graphvis.model import Call, Trace
from graphvis.model.cut import CutKind

_STRIDED = "strided"
_JAGGED = "jagged"
_OPAQUE = "_mkldnn"
_UNTRACKED = frozenset({"_values", "_indices"})  # autograd does not know of whom these are a part
_MASKING = "sparse_mask"  # it takes the pattern of its mask
_COUNTS = ("int", "uint", "bool")


class Patterns:
    """The patterns of the sparse tensors of a trace, at the moment that is being looked at."""

    def __init__(self, trace: Trace, ways: Ways, memory: Memory, blaming: Blaming) -> None:
        """For a trace that is being followed."""
        self._trace = trace
        self._ways = ways
        self._memory = memory
        self._blaming = blaming
        self._sparse = {
            number for number, tensor in enumerate(trace.tensors) if tensor.layout not in (_STRIDED, _OPAQUE)
        }
        self._of: dict[int, list[Edge]] = {}
        self._told: dict[int, list[tuple[int, Region]]] = {}  # by storage: whose indices lie there
        self._found: set[int] = set()  # the nodes of tensors whose pattern their own values give

    def __bool__(self) -> bool:
        """Whether there are sparse tensors at all."""
        return bool(self._sparse)

    def of_values(self, call: Call, number: int, places: Sequence[int]) -> Sequence[int]:
        """The places among a call's inputs that give what it made its values: not those that hold the indices of it."""
        if not self._is_made(call, number) or not self._shares(call, number):
            return places
        return [at for at in places if not self._counts(call.inputs[at])]

    def opens(self, call: Call, number: int) -> CutKind | None:
        """By which cut autograd does not know that what a call made shares memory; None where it does."""
        if number in self._sparse:
            foreign = self._trace.tensors[number].layout != _JAGGED and self._is_made(call, number)
            return "data" if foreign and self._shares(call, number) else None
        return "data" if short(call) in _UNTRACKED and not self._sparse.isdisjoint(call.inputs) else None

    def note(self, index: int, call: Call, number: int) -> None:
        """Note the pattern of what a call made, or wrote to; that of a source is the source's own."""
        if number not in self._sparse or self._memory.is_followed(number):
            return
        for storage, start, stop in self._trace.tensors[number].indices:
            self._told.setdefault(storage, []).append((number, Region(start, stop)))
        told = [at for at in flowing(call) if call.inputs[at] in self._sparse or self._counts(call.inputs[at])]
        if not told:  # to_sparse(): what is zero is left out
            self._of[number] = self._memory.makers(number)
            self._found.update(edge.maker for edge in self._of[number])
            return
        place = call.outputs.index(number) if number in call.outputs else len(call.outputs)
        result = Result(index, place, number, any(write.tensor == number for write in call.writes))
        found: dict[Edge, None] = {}
        for at in told:
            one = call.inputs[at]
            known = self._of[one] if one in self._of else self._memory.makers(one)
            found.update(dict.fromkeys(self._behind(known, self._blaming.of(result, at))))
        self._of[number] = list(found)

    def write(self, number: int, node: int, region: Region | None) -> None:
        """Note that the value of `node` was written through a tensor, to all of it or to a region."""
        told = self._told.get(self._memory.storages[number])
        if told:
            written = region_of(self._trace.tensors[number]) if region is None else region
            for sparse, place in told:
                if overlap(written, place):
                    self._of[sparse] = [*self._of[sparse], Edge(node, None)]

    def taken(self, index: int, call: Call, name: str, at: int, blame: Blame | None) -> tuple[list[Edge], bool]:
        """The ways by which the pattern of an input goes into what a call makes, and whether its values do not.

        Args:
            index: of the call.
            call: it.
            name: its name.
            at: the place of the input.
            blame: why the gradient of what it makes does not come back to the input.
        """
        number = call.inputs[at]
        known = self._of.get(number)
        if known is None:
            return [], False
        if name in PLACING and at == 0:
            return self._behind(known, blame), True
        severed = Blame("non_differentiable", index, number) if call.connected[at] else None
        if name == _MASKING and at == 1:
            return self._behind(known, severed), True
        held = {edge.maker for edge in self._memory.makers(number)}
        return self._behind([edge for edge in known if edge.maker not in held], severed), False

    def _behind(self, edges: list[Edge], blame: Blame | None) -> list[Edge]:
        """Ways of a pattern behind a call; what indices are made of has been cut before, and so may any other."""
        return [
            self._ways.behind(edge, blame) if edge.blame is None and edge.maker in self._found else edge
            for edge in edges
        ]

    def _is_made(self, call: Call, number: int) -> bool:
        """Whether a call makes a sparse tensor of what is not sparse."""
        return number in self._sparse and self._sparse.isdisjoint(call.inputs)

    def _shares(self, call: Call, number: int) -> bool:
        storages = self._memory.storages
        return any(storages[one] == storages[number] for one in call.inputs)

    def _counts(self, number: int) -> bool:
        """Whether a tensor that is not sparse holds numbers that count, as indices do."""
        tensor = self._trace.tensors[number]
        return tensor.layout == _STRIDED and tensor.dtype.startswith(_COUNTS)
