"""Custom Functions, scripted code, tensors made parameters or of another class: what runs without a call to be seen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch._C import DisableTorchFunction
from torch._C._autograd import _get_sequence_nr

from graphvis.live.recorder.hooks.places import listening, noting, replace, telling, tensors_in

if TYPE_CHECKING:
    from graphvis.live.recorder.tape import Tape


def wrap() -> None:
    """Wrap them."""
    _wrap_functions()
    replace(
        torch.Tensor, "_make_subclass", staticmethod(noting(torch.Tensor._make_subclass, "nn.Parameter", slice(1, 2)))
    )
    replace(torch.Tensor, "as_subclass", telling(torch.Tensor.as_subclass, _tell_of_class))
    _wrap_scripted()


_CONVERT = torch._tensor._convert.__code__  # a result to the class of its arguments, within a call that is seen


def _tell_of_class(tape: Tape, args: Any, result: Any, before: int, frame: FrameType) -> None:
    if frame.f_code is not _CONVERT:
        tape.note_call("Tensor.as_subclass", [args[0]], result, before, frame)


def _wrap_functions() -> None:
    base, public = torch.autograd.function._SingleLevelFunction, torch.autograd.Function
    own = vars(public).get("apply")
    replace(base, "apply", classmethod(_wrap_apply(lambda cls: super(base, cls).apply)))
    if own is not None and not isinstance(own, classmethod):
        # Since 2.14 it is C's own, which does not come by the base.
        replace(public, "apply", classmethod(_wrap_apply(lambda cls: own.__get__(None, cls))))


def _wrap_apply(original: Callable[[Any], Any]) -> Any:
    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        told = listening()
        if not told:
            return original(cls)(*args, **kwargs)
        before = _get_sequence_nr()
        inputs = tensors_in([*args, *kwargs.values()])
        with DisableTorchFunction():
            versions = [-1 if tensor.is_inference() else tensor._version for tensor in inputs]
        for recording in told:
            recording.tape.depth += 1
        try:
            result = original(cls)(*args, **kwargs)
        finally:
            for recording in told:
                recording.tape.depth -= 1
        # An operator that writes to its arguments returns nothing.
        moved = () if result is not None else _moved(inputs, versions)
        for recording in told:
            with DisableTorchFunction():
                own = tuple(
                    number
                    for output in tensors_in(result if isinstance(result, (tuple, list)) else [result])
                    if not any(output is tensor for tensor in inputs)
                    and (number := recording.tape.identities.find(output)) is not None
                )
            recording.tape.note_call(
                f"Function.apply ({cls.__name__})", inputs, result, before, sys._getframe(1), own, written=moved
            )
        return result

    return apply


def _moved(tensors: list[Any], versions: list[int]) -> list[Any]:
    """The tensors that were written to since they had these versions; -1 for those that have none."""
    with DisableTorchFunction():
        return [one for one, version in zip(tensors, versions, strict=True) if 0 <= version != one._version]


def _wrap_scripted() -> None:
    for owner in (torch._C.ScriptMethod, torch._C.ScriptFunction):
        original = owner.__call__

        def call(self: Any, *args: Any, _original: Any = original, **kwargs: Any) -> Any:
            for recording in listening():
                recording.tape.unseen.note(
                    "Scripted code was run by {}: what it computes inside was not seen.", sys._getframe(1)
                )
            return _original(self, *args, **kwargs)

        replace(owner, "__call__", call)
