"""What a backward of our own leaves as it was: the program's own runs after it as if there had been none."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

import torch
from torch.autograd.grad_mode import _unsafe_preserve_version_counter
from torch.utils import checkpoint


@contextmanager
def undisturbed(leaves: Sequence[torch.Tensor]) -> Iterator[None]:
    """Put back ``.grad``, the grad mode, the random numbers, and what makes a backward the only one that may run.

    Args:
        leaves: those that it may give a gradient.
    """
    holding = {id(leaf): leaf for leaf in leaves if leaf.is_leaf or leaf.retains_grad}
    kept = [(leaf, leaf.grad) for leaf in holding.values()]
    devices = list({leaf.device.index for leaf, _ in kept if leaf.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices), torch.enable_grad(), _retaining(), _unconsumed():
        for leaf, _ in kept:
            leaf.grad = None
        try:
            yield
        finally:
            for leaf, grad in kept:
                leaf.grad = grad


@contextmanager
def unmoved(buffers: Sequence[torch.Tensor]) -> Iterator[None]:
    """Put back the values of buffers, and their versions: a checkpoint that runs again updates running statistics."""
    with torch.no_grad(), torch._C.DisableTorchFunction():
        kept = [buffer.clone() for buffer in buffers]
    with _unsafe_preserve_version_counter(tuple(buffers)):
        try:
            yield
        finally:
            with torch.no_grad(), torch._C.DisableTorchFunction():
                for buffer, values in zip(buffers, kept, strict=True):
                    buffer.copy_(values)


@contextmanager
def _retaining() -> Iterator[None]:
    """Have the backwards that a Function's backward runs free nothing: they may go into a graph that was there before.

    A reentrant checkpoint does so by a tensor that it is given within a tuple.
    """
    place: Any = torch.autograd
    original = place._engine_run_backward

    @functools.wraps(original)
    def retaining(outputs: Any, gradients: Any, retain_graph: bool, *args: Any, **kwargs: Any) -> Any:
        return original(outputs, gradients, True, *args, **kwargs)

    place._engine_run_backward = retaining
    try:
        yield
    finally:
        place._engine_run_backward = original


@contextmanager
def _unconsumed() -> Iterator[None]:
    """Put back what selective checkpoints keep: each value of it may be taken once, by the program's own backward."""
    place: Any = checkpoint._CachedTorchDispatchMode
    original = place.__enter__
    kept: dict[int, tuple[Any, dict[Any, Any]]] = {}

    @functools.wraps(original)
    def entering(mode: Any) -> Any:
        kept.setdefault(id(mode.storage), (mode.storage, {key: copy(values) for key, values in mode.storage.items()}))
        return original(mode)

    place.__enter__ = entering
    try:
        yield
    finally:
        place.__enter__ = original
        for storage, values in kept.values():
            storage.update(values)
