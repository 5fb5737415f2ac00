"""Optimizers that are built and step, and threads that compute unseen."""

from __future__ import annotations

import functools
import threading
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from graphvis.live.recorder.hooks.places import handles, listening, replace

# Threads that only move batches or draw progress bars.
_QUIET_THREADS = ("tqdm", "torch.utils.data", "multiprocessing", "concurrent.futures.process", "queue")


def wrap() -> None:
    """Wrap them."""
    _wrap_optimizer()
    _wrap_thread()


def _wrap_optimizer() -> None:
    owner = torch.optim.Optimizer
    original = owner.__init__

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # stands in for it
        original(self, *args, **kwargs)
        for recording in listening():
            recording.tell_optimizer("built", self)

    def stepped(optimizer: Any, args: Any, kwargs: Any) -> None:
        for recording in listening():
            recording.tell_optimizer("stepped", optimizer)

    replace(owner, "__init__", __init__)
    handles.append(register_optimizer_step_post_hook(stepped))


def _wrap_thread() -> None:
    original = threading.Thread.start

    @functools.wraps(original)
    def start(self: threading.Thread) -> None:
        original(self)
        if not type(self).__module__.startswith(_QUIET_THREADS) and not _runs_for(self, _QUIET_THREADS):
            for recording in listening():
                recording.tape.note_unseen("A thread was started: what it computes was not seen.")

    replace(threading.Thread, "start", start)


def _runs_for(thread: threading.Thread, modules: tuple[str, ...]) -> bool:
    target = getattr(thread, "_target", None)
    return (getattr(target, "__module__", None) or "").startswith(modules)
