"""Modes entered without a word: inference, checkpoint, the wrappers of torch.func; and the one that we are."""

from __future__ import annotations

import contextlib
import functools
import sys
from types import FrameType
from typing import Any

import torch
from torch import overrides
from torch._functorch import eager_transforms, vmap
from torch.utils import _python_dispatch, checkpoint

from graphvis.analysis.cutting import PACKING
from graphvis.live.recorder.frames import TORCH
from graphvis.live.recorder.hooks.places import Listener, listening, noting, recordings, replace, tensors_in
from graphvis.live.recorder.insides import Inside
from graphvis.live.recorder.unseen import TURNED_OFF

_TELLING = overrides.handle_torch_function.__code__
_POPPING = frozenset({overrides.__file__, contextlib.__file__})


def wrap() -> None:
    """Wrap them."""
    _wrap_inference_mode()
    _wrap_checkpoint()
    _wrap_packing()  # after the checkpoint's own, which are a kind of them
    _wrap_wrapping()
    _wrap_dispatch()
    _wrap_silence()
    replace(overrides, "has_torch_function", _only_subclasses(overrides.has_torch_function))


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


def _wrap_packing() -> None:
    """What is saved under hooks of the program's own has no version to be compared."""
    owner = torch.autograd.graph.saved_tensors_hooks
    enter, leave = owner.__enter__, owner.__exit__

    @functools.wraps(enter)
    def __enter__(self: Any) -> Any:  # noqa: N807  # stands in for it
        for recording in listening():
            recording.tape.note_mode(PACKING, True, sys._getframe(1))
        return enter(self)

    @functools.wraps(leave)
    def __exit__(self: Any, *args: Any) -> Any:  # noqa: N807  # stands in for it
        for recording in listening():
            recording.tape.note_mode(PACKING, False, sys._getframe(1))
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


def _wrap_dispatch() -> None:
    """Modes that are told of operators run inside of the calls that run these."""
    owner: Any = _python_dispatch.TorchDispatchMode  # of which the types tell less
    enter = owner.__enter__

    @functools.wraps(enter)
    def __enter__(self: Any) -> Any:  # noqa: N807  # stands in for it
        for recording in listening():
            recording.tape.note_mode_inside(self, sys._getframe(1))
        return enter(self)

    replace(owner, "__enter__", __enter__)


def _wrap_silence() -> None:
    """Where the program has PyTorch tell nobody of its calls, that is told; not where it does so inside of a call."""
    core: Any = torch._C  # of which the types tell half
    silence = core.DisableTorchFunction
    enter, set_state, pop = silence.__enter__, core._set_torch_function_state, core._pop_torch_function_stack

    @functools.wraps(enter)
    def __enter__(self: Any) -> Any:  # noqa: N807  # stands in for it
        _tell_of_silence(sys._getframe(1))
        return enter(self)

    @functools.wraps(set_state)
    def _set_torch_function_state(state: Any) -> Any:
        if state == core._TorchFunctionState.ALL_DISABLED:
            _tell_of_silence(sys._getframe(1))
        return set_state(state)

    @functools.wraps(pop)
    def _pop_torch_function_stack() -> Any:
        mode = pop()
        for recording in recordings:
            if recording is mode and (frame := _popping(sys._getframe(1))) is not None and recording.active:
                _tell(recording, frame)
        return mode

    replace(silence, "__enter__", __enter__)
    replace(core, "_set_torch_function_state", _set_torch_function_state)
    for owner in (core, overrides):
        replace(owner, "_pop_torch_function_stack", _pop_torch_function_stack)


def _tell_of_silence(frame: FrameType) -> None:
    modes = torch._C._len_torch_function_stack()
    if modes >= len(recordings) and not isinstance(torch._C._get_function_stack_at(modes - 1), Inside):
        for recording in listening():
            _tell(recording, frame)


def _tell(recording: Listener, frame: FrameType) -> None:
    if recording.tape.frames.kind(frame.f_code.co_filename) != TORCH:
        recording.tape.unseen.note(TURNED_OFF, frame)


def _popping(frame: FrameType | None) -> FrameType | None:
    """The frame that takes a mode off the stack; None where PyTorch does, to have it told of a call."""
    while frame is not None and frame.f_code.co_filename in _POPPING:
        if frame.f_code is _TELLING:
            return None
        frame = frame.f_back
    return frame


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
