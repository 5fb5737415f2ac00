"""Calls that a class which is no tensor takes over, by a ``__torch_function__`` of its own: what it runs is seen."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, _pop_mode, _push_mode

from graphvis.live.recorder.unseen import TAKEN_OVER, Unseen


def run(recording: TorchFunctionMode, unseen: Unseen, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Have the class run a call that takes its objects, recorded: for the call itself PyTorch took the recording off.

    Args:
        recording: is to see what it runs.
        unseen: is told where that cannot be.
        func: what was called.
        types: the classes that PyTorch asks about it.
        args: of the call.
        kwargs: the same, by name.

    Returns:
        What came out; NotImplemented where PyTorch is to ask: all are tensors' classes, or the first is one, or it
        hands the call on, or asks the object itself, or other modes come before it.
    """
    if all(issubclass(kind, torch.Tensor) for kind in types):
        return NotImplemented
    result, first = NotImplemented, types[0]
    method: Any = getattr(first, "__torch_function__", None)
    own = not issubclass(first, torch.Tensor) and getattr(method, "__self__", None) is first
    if own and not torch._C._len_torch_function_stack():
        _push_mode(recording)  # type: ignore[no-untyped-call]  # PyTorch's own
        try:
            result = method(func, types, args, kwargs or {})
        finally:
            _pop_mode()  # type: ignore[no-untyped-call]
    if result is NotImplemented:
        unseen.note(TAKEN_OVER, sys._getframe(3))
    return result
