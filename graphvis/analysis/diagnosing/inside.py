"""Calls inside a ``Function``'s forward: their gradient is judged at apply.

A reentrant checkpoint runs its function again, with grad mode on, when backward comes to it. So what
its forward did without a graph still counts as connected, except where a call would have cut it, or
the program itself has turned grad off.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphvis.analysis.cutting import cut_by_name, is_checkpoint
from graphvis.model import Call, Trace
from graphvis.model.cut import CutKind

_FLOATING = ("float", "bfloat", "complex")


class Inside:
    """What is known of the inner calls of a trace."""

    def __init__(self, trace: Trace, turned_off: Mapping[int, int]) -> None:
        """Run what is in checkpoints once more, in thought.

        Args:
            trace: the recorded run.
            turned_off: see :func:`~graphvis.analysis.diagnosing.modes.turned_off`.
        """
        self._trace = trace
        self._turned_off = turned_off
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
            self._take(index, trace.calls[index])

    def cut(self, index: int, at: int) -> CutKind | None:
        """Why an inner call of a checkpoint would cut the gradient of one input; None where it would not."""
        return self._cuts.get((index, at))

    def _take(self, index: int, call: Call) -> None:
        live = [at for at, number in enumerate(call.inputs) if call.connected[at] or number in self._would]
        if not live:
            return
        kind = cut_by_name(call)
        if kind is None and index in self._turned_off:
            # What is written to keeps its history.
            kind = "inference_mode" if call.inference else "no_grad"
            self._cuts.update({(index, at): kind for at in live if call.inputs[at] not in call.outputs})
            return
        for number in call.outputs:
            if kind is None and self._trace.tensors[number].dtype.startswith(_FLOATING):
                self._would.add(number)
            else:
                self._cuts.update({(index, at): kind or "non_differentiable" for at in live})
