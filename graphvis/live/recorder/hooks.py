"""The few places that PyTorch does not report, wrapped while some recording is on.

Each wrapper is put in place by the first recording that is entered and taken out by the last that
leaves; what stood there before is put back exactly.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.utils.dlpack
from torch._C._autograd import _get_sequence_nr
from torch._functorch import eager_transforms, vmap
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils import checkpoint

if TYPE_CHECKING:
    from graphvis.live.recorder.recording import Recording

_MISSING = object()
_lock = threading.RLock()
_recordings: list[Recording] = []
_replaced: list[tuple[Any, str, Any]] = []
_handles: list[Any] = []
# Threads that only move batches or draw progress bars.
_QUIET_THREADS = ("tqdm", "torch.utils.data", "multiprocessing", "concurrent.futures.process", "queue")


def install(recording: Recording) -> None:
    """Have `recording` told of what PyTorch does not report."""
    with _lock:
        _recordings.append(recording)
        if len(_recordings) == 1:
            try:
                _replace_all()
            except BaseException:
                _recordings.clear()
                _restore()
                raise


def remove(recording: Recording) -> None:
    """Tell `recording` no more."""
    with _lock:
        if recording in _recordings:
            _recordings.remove(recording)
        if not _recordings:
            _restore()


def _restore() -> None:
    while _handles:
        _handles.pop().remove()
    while _replaced:
        owner, name, original = _replaced.pop()
        if original is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


def _replace(owner: Any, name: str, wrapper: Any) -> None:
    _replaced.append((owner, name, vars(owner).get(name, _MISSING)))
    setattr(owner, name, wrapper)


def _listening() -> list[Recording]:
    return [recording for recording in _recordings if recording.active]


def _replace_all() -> None:
    _replace_apply()
    _replace(torch.Tensor, "_make_subclass", staticmethod(_wrap(torch.Tensor._make_subclass, "nn.Parameter", 1)))
    for owner, name in ((torch, "from_numpy"), (torch, "frombuffer"), (torch, "from_dlpack"),
                        (torch.utils.dlpack, "from_dlpack")):  # fmt: skip
        _replace(owner, name, _wrap_entry(getattr(owner, name), f"torch.{name}"))
    _replace(torch.nn.Parameter, "__deepcopy__", _wrap_copy(torch.nn.Parameter.__deepcopy__))
    for kind in (torch.Tensor, torch.nn.Parameter):
        _replace(kind, "__reduce_ex__", _wrap_pickling(kind.__reduce_ex__))
    _replace(torch.Tensor, "set_", _wrap_set(torch.Tensor.set_))
    _replace_inference_mode()
    _replace_checkpoint()
    _replace_wrapping()
    _replace_swap()
    _replace_optimizer()
    _replace_thread()
    _replace_scripted()
    _replace(torch.overrides, "has_torch_function", _only_subclasses(torch.overrides.has_torch_function))


def _tensors(values: Any) -> list[Any]:
    return [value for value in values if isinstance(value, torch.Tensor)]


def _wrap(original: Any, name: str, position: int) -> Any:
    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        listening = _listening()
        before = _get_sequence_nr()
        result = original(*args, **kwargs)
        for recording in listening:
            recording.note_call(name, _tensors(args[position : position + 1]), result, before, 3)
        return result

    return wrapper


def _wrap_entry(original: Any, name: str) -> Any:
    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        listening = _listening()
        before = _get_sequence_nr()
        result = original(*args, **kwargs)
        for recording in listening:
            recording.note_entry(name, result, before, 3)
        return result

    return wrapper


def _wrap_set(original: Any) -> Any:
    @functools.wraps(original)
    def set_(self: Any, *args: Any, **kwargs: Any) -> Any:
        listening = _listening()
        with torch._C.DisableTorchFunction():
            for recording in listening:
                recording.identities.see(self)
        result = original(self, *args, **kwargs)
        for recording in listening:
            recording.note_exchange("Tensor.set_", self, _tensors(args[:1]), 3)
        return result

    return set_


def _wrap_copy(original: Any) -> Any:
    @functools.wraps(original)
    def __deepcopy__(self: Any, memo: Any) -> Any:  # noqa: N807  # stands in for it
        listening = _listening()
        before = _get_sequence_nr()
        for recording in listening:
            recording.pause()
        try:
            result = original(self, memo)
        finally:
            for recording in listening:
                recording.resume()
        for recording in listening:
            recording.note_call("Tensor.__deepcopy__", [self], result, before, 3)
        return result

    return __deepcopy__


def _wrap_pickling(original: Any) -> Any:
    @functools.wraps(original)
    def __reduce_ex__(self: Any, protocol: Any) -> Any:  # noqa: N807  # stands in for it
        listening = _listening()
        for recording in listening:
            recording.note_exit("Tensor.__reduce_ex__", self, 3)
            recording.pause()
        try:
            return original(self, protocol)
        finally:
            for recording in listening:
                recording.resume()

    return __reduce_ex__


def _replace_apply() -> None:
    base, public = torch.autograd.function._SingleLevelFunction, torch.autograd.Function
    own = vars(public).get("apply")
    _replace(base, "apply", classmethod(_wrap_apply(lambda cls: super(base, cls).apply)))
    if own is not None and not isinstance(own, classmethod):
        # Since 2.14 it is C's own, which does not come by the base.
        _replace(public, "apply", classmethod(_wrap_apply(lambda cls: own.__get__(None, cls))))


def _wrap_apply(original: Callable[[Any], Any]) -> Any:
    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        listening = _listening()
        if not listening:
            return original(cls)(*args, **kwargs)
        before = _get_sequence_nr()
        for recording in listening:
            recording.depth += 1
        try:
            result = original(cls)(*args, **kwargs)
        finally:
            for recording in listening:
                recording.depth -= 1
        inputs = _tensors([*args, *kwargs.values()])
        for recording in listening:
            with torch._C.DisableTorchFunction():
                own = tuple(
                    number
                    for output in _tensors(result if isinstance(result, (tuple, list)) else [result])
                    if not any(output is tensor for tensor in inputs)
                    and (number := recording.identities.find(output)) is not None
                )
            recording.note_call(f"Function.apply ({cls.__name__})", inputs, result, before, 3, own)
        return result

    return apply


def _replace_inference_mode() -> None:
    owner = torch.inference_mode
    enter, leave = owner.__enter__, owner.__exit__

    @functools.wraps(enter)
    def __enter__(self: Any) -> Any:  # noqa: N807  # stands in for it
        for recording in _listening():
            recording.note_mode("torch.inference_mode", self.mode, 3)
        return enter(self)

    @functools.wraps(leave)
    def __exit__(self: Any, *args: Any) -> Any:  # noqa: N807  # stands in for it
        return leave(self, *args)

    _replace(owner, "__enter__", __enter__)
    _replace(owner, "__exit__", __exit__)


def _replace_checkpoint() -> None:
    """A non-reentrant checkpoint saves nothing: what it runs will be run again by backward."""
    owner = getattr(checkpoint, "_checkpoint_hook", None)
    if owner is None:
        return
    enter, leave = owner.__enter__, owner.__exit__

    @functools.wraps(enter)
    def __enter__(self: Any) -> Any:  # noqa: N807  # stands in for it
        for recording in _listening():
            recording.note_mode("torch.utils.checkpoint", True, 3)
        return enter(self)

    @functools.wraps(leave)
    def __exit__(self: Any, *args: Any) -> Any:  # noqa: N807  # stands in for it
        for recording in _listening():
            recording.note_mode("torch.utils.checkpoint", False, 3)
        return leave(self, *args)

    _replace(owner, "__enter__", __enter__)
    _replace(owner, "__exit__", __exit__)


def _replace_wrapping() -> None:
    """vmap and grad put tensors into wrappers and take them out again; the value is the same."""
    for module, name in ((vmap, "_add_batch_dim"), (vmap, "_remove_batch_dim"),
                         (eager_transforms, "_wrap_for_grad"), (eager_transforms, "_unwrap_for_grad")):  # fmt: skip
        original = getattr(module, name, None)
        if original is not None:
            _replace(module, name, _wrap(original, "torch.func", 1 if name.endswith("for_grad") else 0))


def _replace_swap() -> None:
    original = torch.utils.swap_tensors

    @functools.wraps(original)
    def swap_tensors(t1: Any, t2: Any) -> Any:
        listening = _listening()
        with torch._C.DisableTorchFunction():
            numbers = [(recording.identities.find(t1), recording.identities.find(t2)) for recording in listening]
        result = original(t1, t2)  # type: ignore[no-untyped-call]
        for recording, (first, second) in zip(listening, numbers, strict=True):
            with torch._C.DisableTorchFunction():
                recording.identities.bind(t1, second)
                recording.identities.bind(t2, first)
        return result

    _replace(torch.utils, "swap_tensors", swap_tensors)


def _replace_optimizer() -> None:
    owner = torch.optim.Optimizer
    original = owner.__init__

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # stands in for it
        original(self, *args, **kwargs)
        for recording in _listening():
            recording.tell_optimizer("built", self)

    def stepped(optimizer: Any, args: Any, kwargs: Any) -> None:
        for recording in _listening():
            recording.tell_optimizer("stepped", optimizer)

    _replace(owner, "__init__", __init__)
    _handles.append(register_optimizer_step_post_hook(stepped))


def _replace_thread() -> None:
    original = threading.Thread.start

    @functools.wraps(original)
    def start(self: threading.Thread) -> None:
        original(self)
        if not type(self).__module__.startswith(_QUIET_THREADS) and not _runs_for(self, _QUIET_THREADS):
            for recording in _listening():
                recording.note_unseen("A thread was started: what it computes was not seen.")

    _replace(threading.Thread, "start", start)


def _runs_for(thread: threading.Thread, modules: tuple[str, ...]) -> bool:
    target = getattr(thread, "_target", None)
    return (getattr(target, "__module__", None) or "").startswith(modules)


def _replace_scripted() -> None:
    for owner in (torch._C.ScriptMethod, torch._C.ScriptFunction):
        original = owner.__call__

        def call(self: Any, *args: Any, _original: Any = original, **kwargs: Any) -> Any:
            for recording in _listening():
                recording.note_unseen("Scripted code ran: what it computes inside was not seen.")
            return _original(self, *args, **kwargs)

        _replace(owner, "__call__", call)


def _only_subclasses(original: Any) -> Any:
    """Modules that have an eval fast path ask this, and an active mode would keep them off it."""
    disabled = torch._C._disabled_torch_function_impl

    @functools.wraps(original)
    def has_torch_function(values: Any) -> bool:
        if torch._C._len_torch_function_stack() > len(_recordings):
            return bool(original(values))
        return any(
            getattr(type(value), "__torch_function__", disabled) not in (disabled, torch.Tensor.__torch_function__)
            for value in values
        )

    return has_torch_function
