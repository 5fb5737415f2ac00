"""Calls that a class which is no tensor takes over, by a ``__torch_function__`` of its own: what it runs is seen."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode, _pop_mode, _push_mode


def is_taken_over(types: Any) -> bool:
    """Whether one of the classes that PyTorch asks about a call is no tensor's."""
    return any(not issubclass(kind, torch.Tensor) for kind in types)


def run(mode: TorchFunctionMode, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Have the class run a call that takes its objects, with `mode` on: for the call itself PyTorch took it off.

    Returns:
        What came out; NotImplemented where PyTorch is to ask: the first class is a tensor's, or hands it on, or other
        modes come before it.
    """
    first: type = types[0]
    method: Any = getattr(first, "__torch_function__", None)
    if torch._C._len_torch_function_stack() or issubclass(first, torch.Tensor):
        return NotImplemented
    if getattr(method, "__self__", None) is not first:  # a plain method, which asks the object itself
        return NotImplemented
    _push_mode(mode)  # type: ignore[no-untyped-call]  # PyTorch's own
    try:
        return method(func, types, args, kwargs or {})
    finally:
        _pop_mode()  # type: ignore[no-untyped-call]
