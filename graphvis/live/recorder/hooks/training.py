"""Optimizers that are built and step."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from graphvis.live.recorder.hooks.places import handles, listening, replace


def wrap() -> None:
    """Wrap them."""
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
