"""A backward that is run while a recording is on: written down, and told of before and after."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch._C import DisableTorchFunction
from torch._C._autograd import _get_sequence_nr

from graphvis.live.recorder.arguments import tensors_of
from graphvis.live.recorder.events import BackwardEvent
from graphvis.live.recorder.identity import Identities
from graphvis.live.recorder.raw import RawCall
from graphvis.live.recorder.tape import Tape


def run(
    tape: Tape, tell: Callable[[BackwardEvent], None], index: int, func: Any, args: Any, kwargs: dict[str, Any]
) -> Any:
    """Run a backward.

    Args:
        tape: what it is written down on.
        tell: is given the event before it runs, and again after it has, or has raised.
        index: of its function.
        func: the function itself.
        args: of the call.
        kwargs: the same, by name.
    """
    function, frame, before = tape.functions[index], sys._getframe(1), _get_sequence_nr()
    with DisableTorchFunction():
        tensors = tensors_of(args, kwargs)
        inputs, flags = tape.identities.see_all(tensors)
        call = len(tape.calls)
        tape.append(index, inputs, flags, (), 0, tape.modes(), before, before, frame)
    record = RawCall._make(tape.calls[call])
    event = BackwardEvent(call, function.name, args, kwargs, record.place, record.caller)
    tell(event)
    try:
        event.gradients = result = func(*args, **kwargs)
    except BaseException as error:
        event.error = error
        event.done = True
        tell(event)
        raise
    with DisableTorchFunction():
        if _frees(function.name, args, kwargs):
            roots, ends = _numbers(tape.identities, event.roots), _numbers(tape.identities, event.inputs or ())
            tape.keeping.stakes.release(roots, ends)
        outputs, results = tape.number(result, tensors, inputs, False)
    if outputs:
        tape.calls[call] = tuple(record._replace(outputs=outputs, results=results, after=_get_sequence_nr()))
    event.done = True
    tell(event)
    return result


def _frees(name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a backward frees what it needed."""
    place = 3 if name == "torch.autograd.grad" else 2
    retain = args[place] if len(args) > place else kwargs.get("retain_graph")
    create = args[place + 1] if len(args) > place + 1 else kwargs.get("create_graph", False)
    return not (create if retain is None else retain)


def _numbers(identities: Identities, tensors: Iterable[Any]) -> frozenset[int]:
    """Those of the tensors that were seen."""
    found = (identities.find(tensor) for tensor in tensors if isinstance(tensor, torch.Tensor))
    return frozenset(number for number in found if number is not None)
