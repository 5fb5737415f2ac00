"""Where the numbers of a tensor lie that has no memory of its own: in that of the tensors which it is made of."""

from __future__ import annotations

from typing import Any

import torch
from torch._C import _AutoDispatchBelowAutograd, _DisableTorchDispatch

_within_transform = torch._C._functorch.maybe_current_level
_is_wrapped, _unwrap = torch._C._functorch.is_functorch_wrapped_tensor, torch._C._functorch.get_unwrapped
_ROWS = frozenset({torch.sparse_csr, torch.sparse_bsr})
_COMPRESSED = frozenset({*_ROWS, torch.sparse_csc, torch.sparse_bsc})


def values_of(tensor: Any) -> Any:
    """The tensor in whose memory the numbers of one lie that is not strided; None where there is none to be had.

    A sparse tensor has it, and a jagged one. The memory of an opaque one, as oneDNN makes them, cannot be looked at.
    """
    layout = tensor.layout
    if layout is torch.jagged:
        return getattr(tensor, "_values", None)
    if _within_transform() is not None:  # it would answer with a wrapper, or trace that it was asked
        return None
    # Neither a mode of the program's nor autograd may see us look.
    try:
        if layout is torch.sparse_coo:
            with _DisableTorchDispatch():
                return tensor._values()
        if layout in _COMPRESSED:
            with _DisableTorchDispatch(), _AutoDispatchBelowAutograd():
                return tensor.values()
    except (RuntimeError, NotImplementedError):  # a wrapper that only says it is sparse
        pass
    return None


def unwrapped(tensor: Any) -> Any:
    """The tensor that one of ``torch.func`` is wrapped around, however often; any other itself."""
    inner = tensor
    try:
        while _is_wrapped(inner):
            inner = _unwrap(inner)
    except RuntimeError:  # the transform has ended
        return tensor
    return inner


def indices_of(tensor: Any) -> tuple[Any, ...]:
    """The tensors that say where the numbers stand which :func:`values_of` found."""
    layout = tensor.layout
    if layout is torch.jagged:
        return (tensor._offsets,) if isinstance(getattr(tensor, "_offsets", None), torch.Tensor) else ()
    with _DisableTorchDispatch(), _AutoDispatchBelowAutograd():
        if layout is torch.sparse_coo:
            return (tensor._indices(),)
        if layout in _ROWS:
            return tensor.crow_indices(), tensor.col_indices()
        return tensor.ccol_indices(), tensor.row_indices()
