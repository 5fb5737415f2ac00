"""Calls inside a ``Function``'s forward: their gradient is judged at apply.

A reentrant checkpoint runs its function again, with grad mode on, when backward comes to it. So what
its forward did without a graph still counts as connected, except where a call would have cut it.
"""

from __future__ import annotations

from graphvis.analysis.cutting import cut_by_name, is_checkpoint
from graphvis.model import Trace
from graphvis.model.cut import CutKind

_FLOATING = ("float", "bfloat", "complex")


class Inside:
    """What is known of the inner calls of a trace."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._would: set[int] = set()
        self._cuts: dict[tuple[int, int], CutKind] = {}
        checkpoint = False
        inner: list[int] = []
        for index in range(len(trace.calls) - 1, -1, -1):
            call = trace.calls[index]
            if not call.inner:
                checkpoint = is_checkpoint(call)
            elif checkpoint:
                inner.append(index)
        for index in reversed(inner):
            self._take(index)

    def cut(self, index: int, at: int) -> CutKind | None:
        """Why an inner call of a checkpoint would cut the gradient of one input; None where it would not."""
        return self._cuts.get((index, at))

    def _take(self, index: int) -> None:
        call = self._trace.calls[index]
        live = [at for at, number in enumerate(call.inputs) if call.connected[at] or number in self._would]
        if not live:
            return
        kind = cut_by_name(call)
        for number in call.outputs:
            if kind is None and self._trace.tensors[number].dtype.startswith(_FLOATING):
                self._would.add(number)
            else:
                self._cuts.update({(index, at): kind or "non_differentiable" for at in live})
