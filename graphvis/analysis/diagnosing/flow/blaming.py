"""Why the gradient of a call's result does not come back to one of its inputs."""

from __future__ import annotations

from collections.abc import Mapping

from graphvis.analysis.cutting import WRAPPING, classify, cut_by_name, is_checkpoint
from graphvis.analysis.diagnosing.flow.ways import Blame, Result
from graphvis.analysis.diagnosing.inside import Inside
from graphvis.model import Trace
from graphvis.model.cut import CutKind


class Blaming:
    """Finds whom to blame."""

    def __init__(self, trace: Trace, turned_off: Mapping[int, int]) -> None:
        """For a trace.

        Args:
            trace: the recorded run.
            turned_off: see :func:`~graphvis.analysis.diagnosing.modes.turned_off`.
        """
        self._trace = trace
        self._inside = Inside(trace, turned_off)
        self._kinds: dict[int, CutKind | None] = {}

    def kind(self, index: int) -> CutKind | None:
        """See :func:`~graphvis.analysis.cutting.classify`; asked often."""
        try:
            return self._kinds[index]
        except KeyError:
            kind = self._kinds[index] = classify(self._trace, index)
            return kind

    def passes(self, index: int) -> bool:
        """Whether the gradient comes back from all that a call made to all that went in, as it mostly does."""
        call = self._trace.calls[index]
        if call.inner or call.forwarded or call.writes or cut_by_name(call) is not None:
            return False
        return all(call.results)

    def of(self, result: Result, at: int) -> Blame | None:
        """Why the gradient of a result does not come back to the input at the place `at`.

        None where it does, or never could.
        """
        index, place = result.call, result.place
        call = self._trace.calls[index]
        number = call.inputs[at]
        if call.inner:
            kind = self._inside.cut(index, at)
            return Blame(kind, index, number) if kind else None
        if call.forwarded and at >= len(call.inputs) - call.forwarded:
            # The result of the forward: what it read by closure, and its arguments, which have a way of their own.
            if is_checkpoint(call) and all(call.results):
                return None
            return Blame(self.kind(index) or "function", index, None)
        if not call.connected[at]:
            return None
        kind = self.kind(index)
        if kind is not None and kind != "grad" and cut_by_name(call) == kind:
            return Blame(kind, index, number)
        connected = call.results[place] if place < len(call.results) else False
        if result.written and not call.grad_mode:
            # The tensor that is written keeps its history; what is written into it gets none.
            if number == result.number and connected:
                return None
            return Blame("inference_mode" if call.inference else "no_grad", index, number)
        if connected or (kind is None and (cut_by_name(call) == "grad" or call.function == WRAPPING)):
            return None
        return Blame(kind or "non_differentiable", index, number)
