"""The places that are wrapped, what stood there before, and the recordings that are told."""

from __future__ import annotations

import functools
import sys
import threading
from typing import TYPE_CHECKING, Any

import torch
from torch._C._autograd import _get_sequence_nr

if TYPE_CHECKING:
    from graphvis.live.recorder.recording import Recording

lock = threading.RLock()
recordings: list[Recording] = []
handles: list[Any] = []  # of hooks of torch's own, to be removed
_MISSING = object()
_replaced: list[tuple[Any, str, Any]] = []


def replace(owner: Any, name: str, wrapper: Any) -> None:
    """Put `wrapper` in the place of what `owner` has by that name."""
    _replaced.append((owner, name, vars(owner).get(name, _MISSING)))
    setattr(owner, name, wrapper)


def restore() -> None:
    """Put back exactly what stood there."""
    while handles:
        handles.pop().remove()
    while _replaced:
        owner, name, original = _replaced.pop()
        if original is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


def listening() -> list[Recording]:
    """The recordings that are to be told of what the running thread does."""
    return [recording for recording in recordings if recording.active]


def tensors_in(values: Any) -> list[Any]:
    """The tensors among `values`."""
    return [value for value in values if isinstance(value, torch.Tensor)]


def noting(original: Any, name: str, position: int) -> Any:
    """A wrapper that writes down a call by that name, whose value comes from the argument at `position`."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        told = listening()
        before = _get_sequence_nr()
        result = original(*args, **kwargs)
        for recording in told:
            recording.tape.note_call(name, tensors_in(args[position : position + 1]), result, before, sys._getframe(1))
        return result

    return wrapper
