"""Looking at tensors without anyone noticing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import _disable_current_modes

from graphvis.collecting import uncollected as uncollected


@contextmanager
def unwatched() -> Iterator[None]:
    """Nothing that is asked of a tensor inside reaches a mode, nor ``__torch_function__`` of a subclass."""
    with torch._C.DisableTorchFunction(), _disable_current_modes():
        yield
