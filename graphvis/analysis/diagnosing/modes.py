"""Who turned the grad mode off: the switches of a trace, matched as the program nested them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphvis.analysis.cutting import WRAPPING, is_checkpoint
from graphvis.model import Call, Trace

_SWITCH = "torch._set_grad_enabled"
_INFERENCE = "torch.inference_mode (True)"


class _Mode(NamedTuple):
    on: bool
    switch: int
    entered: bool  # by a context manager, which puts back what was before
    location: int


def turned_off(trace: Trace) -> dict[int, int]:
    """For each call that the program ran with grad off the call that turned it off, where that was seen.

    A reentrant checkpoint runs its function without grad, and once more with grad when backward comes to it: of the
    calls in it only those are here that the program itself put under a ``no_grad``.
    """
    found: dict[int, int] = {}
    passed_over = _of_checkpoints(trace)
    modes: list[_Mode] = []
    inference: int | None = None
    for index, call in enumerate(trace.calls):
        if call.function == _INFERENCE:
            inference = index if inference is None else inference
        elif call.function.startswith(_SWITCH):
            _switch(modes, index, call, index in passed_over)
        elif call.inference:
            if inference is not None:
                found[index] = inference
        else:
            inference = None
            if call.function == WRAPPING:
                off = [mode.switch for mode in modes if not mode.on]
                found.update({index: off[-1]} if off else {})
            elif modes and not modes[-1].on:
                if call.grad_mode and not call.inner:
                    modes.clear()  # it was turned on by something that is not seen
                else:
                    found[index] = modes[-1].switch
    return found


def _switch(modes: list[_Mode], index: int, call: Call, passed_over: bool) -> None:
    if _leaves(call):
        # set_grad_enabled() switches when it is made, and when it is entered, which as a decorator it never is.
        while modes and not (modes[-1].entered or modes[-1].location == call.location):
            modes.pop()
        if modes:
            modes.pop()
        while modes and not modes[-1].entered and modes[-1].location == call.location:
            modes.pop()
        return
    before = modes[-1] if modes else _Mode(True, index, False, call.location)
    on = before.on if passed_over else call.function.endswith("(True)")
    # What changes nothing turns nothing off: whoever did so before is still to blame.
    modes.append(_Mode(on, before.switch if on == before.on else index, _enters(call), call.location))


def _of_checkpoints(trace: Trace) -> set[int]:
    """The switches of reentrant checkpoints themselves: what they turn off they turn back right before their apply.

    Between the two the program's own hooks may compute with what is saved. But of the outermost checkpoint it is known
    where its forward begins, and with what.
    """
    found: set[int] = set()
    entered: list[int] = []
    first = 0  # of the calls that run within a Function's forward
    for index, call in enumerate(trace.calls):
        if not call.inner:
            if is_checkpoint(call) and first < index and _enters(trace.calls[first]):
                found.add(first)
            first = index + 1
        if _enters(call):
            entered.append(index)
        elif _leaves(call) and entered:
            start = entered.pop()
            after = _after(trace.calls, index + 1)
            if after < len(trace.calls) and is_checkpoint(trace.calls[after]):
                found.add(start)
    return found


def _after(calls: Sequence[Call], index: int) -> int:
    """The first call from `index` on that is the program's: not what PyTorch does with what a Function hands over.

    It saves tensors by the hooks of a checkpoint around that one, which turn grad off for a moment.
    """
    while index < len(calls):
        if _hands_on(calls[index]):
            index += 1
        elif index + 1 < len(calls) and _enters(calls[index]) and _leaves(calls[index + 1]):
            index += 2
        else:
            break
    return index


def _hands_on(call: Call) -> bool:
    """Whether it is PyTorch that makes a view of an argument, because a Function's forward has returned it."""
    return call.inner and call.function == "Tensor.view_as" and len(set(call.inputs)) == 1


def _enters(call: Call) -> bool:
    return call.function.startswith(f"{_SWITCH}.__enter__")


def _leaves(call: Call) -> bool:
    return call.function.startswith(f"{_SWITCH}.__exit__")
