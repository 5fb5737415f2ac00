"""In which part of a call's result the numbers of its inputs arrive."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from graphvis.analysis.diagnosing.flow.joining import JOINING, parts
from graphvis.analysis.diagnosing.flow.laying import Laid, broadcast, carried, covered, laid, reshaped
from graphvis.analysis.diagnosing.flow.memory import Memory
from graphvis.analysis.diagnosing.flow.ways import Result
from graphvis.analysis.diagnosing.regions import Region, Runs, region_of, runs
from graphvis.model import Call, Trace, Write

# These hand out the same numbers in the same order; by another shape, or as a copy.
_IN_ORDER = frozenset("reshape reshape_as flatten ravel tensor new_tensor as_tensor asarray".split())


def written_by(write: Write) -> Region | None:
    """The region that a write touched; None for all of its tensor."""
    return region_of(write, write.shape) if write.stop or write.strides else None


class Spots:
    """Tells for one result of a call where what went in arrives.

    Attributes:
        whole: the bytes of the result, or of what was written of it.
    """

    def __init__(
        self, trace: Trace, memory: Memory, call: Call, result: Result, name: str, places: Sequence[int]
    ) -> None:
        """For a result of a call of that name, into which values flow from the inputs at `places`."""
        self._tensors, self._memory = trace.tensors, memory
        self._call, self._result, self._name = call, result, name
        self._alone = len(places) == 1
        region = {write.tensor: written_by(write) for write in call.writes}[result.number] if result.written else None
        self.whole = memory.runs(result.number) if region is None else runs(region)
        self._partly = region is not None and region != region_of(trace.tensors[result.number])

    def of(self, at: int, stretches: Runs) -> Runs:
        """Where some bytes of the input at the place `at` arrive; the whole result where that is not known."""
        number = self._call.inputs[at]
        entire = stretches == self._memory.runs(number)
        if self._joined is not None:
            whole = covered(self._joined[at])
            arrives = None if entire else self._into(self._joined[at], number, stretches)
        else:
            whole = self.whole
            arrives = None if entire or self._to is None else self._across(self._to, at, stretches)
        return whole if arrives is None else arrives

    def _into(self, part: Laid, number: int, stretches: Runs) -> Runs | None:
        """Where some bytes of a tensor arrive in the part of the result that it is joined to."""
        numbers = laid(self._tensors[number])
        of = None if numbers is None else reshaped(numbers, part.shape)
        return None if of is None else carried(stretches, of, part)

    def _across(self, result: Laid, at: int, stretches: Runs) -> Runs | None:
        """Where some bytes of an input arrive in a result that is made place by place, or in the same order."""
        numbers = laid(self._tensors[self._call.inputs[at]])
        if numbers is None:
            return None
        if at < self._call.aligned:
            of = broadcast(numbers, result.shape)
            return None if of is None else carried(stretches, of, result)
        to = reshaped(result, numbers.shape) if self._alone and self._name in _IN_ORDER else None
        return None if to is None else carried(stretches, numbers, to)

    @cached_property
    def _to(self) -> Laid | None:
        """How the numbers of the result lie."""
        return None if self._partly else laid(self._tensors[self._result.number])

    @cached_property
    def _joined(self) -> list[Laid] | None:
        """How those of each input lie in it, where the call joins them."""
        if self._name not in JOINING or self._to is None:
            return None
        inputs = [self._tensors[number] for number in self._call.inputs]
        return parts(self._name, self._tensors[self._result.number], inputs, self._call.dim)
