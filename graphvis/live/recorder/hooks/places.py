"""The places that are wrapped, what stood there before, and the recordings that are told."""

from __future__ import annotations

import ctypes
import functools
import gc
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

import torch
from torch._C._autograd import _get_sequence_nr

from graphvis.live.recorder.tape import Tape


class Listener(Protocol):
    """What the wrappers tell of what they see: a recording."""

    tape: Tape

    @property
    def active(self) -> bool:
        """Whether it wants to be told of what the running thread does."""

    def pause(self) -> None:
        """Be told nothing by others, until as many :meth:`resume` have come."""

    def resume(self) -> None:
        """Be told again."""

    def tell_optimizer(self, what: str, optimizer: Any) -> None:
        """Take note that an optimizer was built or has stepped."""


lock = threading.RLock()
recordings: list[Listener] = []
handles: list[Any] = []  # of hooks of torch's own, to be removed
_MISSING = object()
_replaced: list[tuple[Any, str, Any]] = []
_FROM_PYTHON = 1 << 9  # the flag of types that Python code may change


def replace(owner: Any, name: str, wrapper: Any) -> None:
    """Put `wrapper` in the place of what `owner` has by that name."""
    _replaced.append((owner, name, vars(owner).get(name, _MISSING)))
    _put(owner, name, wrapper)


def _put(owner: Any, name: str, value: Any) -> None:
    if not isinstance(owner, type) or owner.__flags__ & _FROM_PYTHON:
        setattr(owner, name, value)
        return
    # C's own, which refuse that: so are reached those who have had the type, or an object of it, since before.
    (attributes,) = gc.get_referents(owner.__dict__)
    attributes[name] = value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))


def restore() -> None:
    """Put back exactly what stood there."""
    while handles:
        handles.pop().remove()
    while _replaced:
        owner, name, original = _replaced.pop()
        if original is _MISSING:
            delattr(owner, name)
        else:
            _put(owner, name, original)


def listening() -> list[Listener]:
    """The recordings that are to be told of what the running thread does."""
    return [recording for recording in recordings if recording.active]


def tensors_in(values: Any) -> list[Any]:
    """The tensors among `values`."""
    return [value for value in values if isinstance(value, torch.Tensor)]


def telling(original: Any, tell: Callable[[Tape, Any, Any, int, FrameType], None]) -> Any:
    """A wrapper that has `tell` write down each call: with the arguments, the result, the sequence number before.

    Arguments by name stand last, without their names.
    """

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        told = listening()
        before = _get_sequence_nr()
        result = original(*args, **kwargs)
        for recording in told:
            tell(recording.tape, (*args, *kwargs.values()), result, before, sys._getframe(1))
        return result

    return wrapper


def noting(original: Any, name: str, positions: slice) -> Any:
    """A wrapper that writes down a call by that name, whose value comes from the arguments at `positions`."""

    def tell(tape: Tape, args: Any, result: Any, before: int, frame: FrameType) -> None:
        tape.note_call(name, tensors_in(args[positions]), result, before, frame)

    return telling(original, tell)
