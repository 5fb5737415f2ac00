"""Looking at tensors without anyone noticing, and without being interrupted."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import _disable_current_modes


@contextmanager
def unwatched() -> Iterator[None]:
    """Nothing that is asked of a tensor inside reaches a mode, nor ``__torch_function__`` of a subclass."""
    with torch._C.DisableTorchFunction(), _disable_current_modes():
        yield


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection inside: many objects are made that all stay, and collecting doubles the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
