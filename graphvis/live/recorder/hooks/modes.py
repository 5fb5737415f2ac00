"""Modes entered without a word: inference, checkpoint, the wrappers of torch.func; and the one that we are."""

from __future__ import annotations

import functools
import sys
from typing import Any

import torch
from torch._functorch import eager_transforms, vmap
from torch.utils import checkpoint

from graphvis.live.recorder.frames import TORCH
from graphvis.live.recorder.hooks.imports import imported
from graphvis.live.recorder.hooks.places import listening, noting, recordings, replace, tensors_in
from graphvis.live.recorder.unseen import TURNED_OFF


def wrap() -> None:
    """Wrap them."""
    _wrap_inference_mode()
    _wrap_checkpoint()
    _wrap_wrapping()
    silence = torch._C.DisableTorchFunction
    for owner, name in [(torch, "DisableTorchFunction"), (torch._C, "DisableTorchFunction"), *imported(silence)]:
        replace(owner, name, _telling_of_silence(silence))
    replace(torch.overrides, "has_torch_function", _only_subclasses(torch.overrides.has_torch_function))


def _wrap_inference_mode() -> None:
    owner = torch.inference_mode
    enter, leave = owner.__enter__, owner.__exit__

    @functools.wraps(enter)
    def __enter__(self: Any) -> Any:  # noqa: N807  # stands in for it
        for recording in listening():
            recording.tape.note_mode("torch.inference_mode", self.mode, sys._getframe(1))
        return enter(self)

    @functools.wraps(leave)
    def __exit__(self: Any, *args: Any) -> Any:  # noqa: N807  # stands in for it
        return leave(self, *args)

    replace(owner, "__enter__", __enter__)
    replace(owner, "__exit__", __exit__)


def _wrap_checkpoint() -> None:
    """A non-reentrant checkpoint saves nothing: what it runs will be run again by backward."""
    owner = getattr(checkpoint, "_checkpoint_hook", None)
    if owner is None:
        return
    enter, leave = owner.__enter__, owner.__exit__

    @functools.wraps(enter)
    def __enter__(self: Any) -> Any:  # noqa: N807  # stands in for it
        frame = sys._getframe(1)
        given = tensors_in(frame.f_locals.get("args", ()))  # what it keeps, with their versions, to run again on
        for recording in listening():
            recording.tape.note_mode("torch.utils.checkpoint", True, frame, given)
        return enter(self)

    @functools.wraps(leave)
    def __exit__(self: Any, *args: Any) -> Any:  # noqa: N807  # stands in for it
        for recording in listening():
            recording.tape.note_mode("torch.utils.checkpoint", False, sys._getframe(1))
        return leave(self, *args)

    replace(owner, "__enter__", __enter__)
    replace(owner, "__exit__", __exit__)


def _wrap_wrapping() -> None:
    """vmap and grad put tensors into wrappers and take them out again; the value is the same."""
    for module, name in ((vmap, "_add_batch_dim"), (vmap, "_remove_batch_dim"),
                         (eager_transforms, "_wrap_for_grad"), (eager_transforms, "_unwrap_for_grad"),
                         (eager_transforms, "_wrap_functional_tensor"),
                         (eager_transforms, "_unwrap_functional_tensor")):  # fmt: skip
        original = getattr(module, name, None)
        if original is not None:
            replace(module, name, noting(original, "torch.func", slice(2)))  # beside the tensor stands a level


def _telling_of_silence(original: Any) -> Any:
    """Where the program has PyTorch tell nobody of its calls, that is told; not where it does so inside of a call."""

    @functools.wraps(original, updated=())
    def silenced() -> Any:
        frame = sys._getframe(1)
        for recording in listening() if torch._C._len_torch_function_stack() >= len(recordings) else ():
            if recording.tape.frames.kind(frame.f_code.co_filename) != TORCH:
                recording.tape.unseen.note(TURNED_OFF, frame)
        return original()

    return silenced


def _only_subclasses(original: Any) -> Any:
    """Modules that have an eval fast path ask this, and an active mode would keep them off it."""
    disabled = torch._C._disabled_torch_function_impl

    @functools.wraps(original)
    def has_torch_function(values: Any) -> bool:
        if torch._C._len_torch_function_stack() > len(recordings):
            return bool(original(values))
        return any(
            getattr(type(value), "__torch_function__", disabled) not in (disabled, torch.Tensor.__torch_function__)
            for value in values
        )

    return has_torch_function
