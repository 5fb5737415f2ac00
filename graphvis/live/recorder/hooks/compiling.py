"""The compiler: what the program compiles runs eagerly meanwhile, what PyTorch compiles by itself does not."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._higher_order_ops import utils
from torch.overrides import _get_current_function_mode_stack, _pop_mode, _push_mode

from graphvis.live.recorder.hooks.places import handles, listening, recordings, replace

_COMPILED = "Code that PyTorch compiled by itself was run by {}: what it computes inside was not seen."
_by_itself: list[object] = []  # one for each such code that runs now


def compiles_by_itself() -> bool:
    """Whether it is PyTorch that compiles now, and not the program."""
    return bool(_by_itself)


def wrap() -> None:
    """Wrap it."""
    _wrap_compile()
    if hasattr(utils, "_set_compilation_env"):
        replace(utils, "_set_compilation_env", _letting_it_compile(utils._set_compilation_env))


def _wrap_compile() -> None:
    """Compiled functions run eagerly meanwhile: else the compiler would compile the recording with them."""
    if "torch._dynamo" in sys.modules:  # to set its stance imports the compiler, which takes seconds
        handles.append(_Eager())
        return
    original = torch.compile

    @functools.wraps(original)
    def compile(*args: Any, **kwargs: Any) -> Any:  # noqa: A001  # stands in for torch's
        result = original(*args, **kwargs)
        if not (compiles_by_itself() or any(isinstance(handle, _Eager) for handle in handles)):
            handles.append(_Eager())
        return result

    replace(torch, "compile", compile)


def _letting_it_compile(original: Any) -> Any:
    """The environment of ``torch.cond`` and its kin, which compile themselves, without a recording among the modes.

    Only the compiler finds the tensors that their functions read by closure: run eagerly they give these no gradient.
    """

    @functools.wraps(original)
    @contextmanager
    def environment(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for recording in listening():
            recording.tape.unseen.note(_COMPILED, sys._getframe(2))
        with original(*args, **kwargs) as given, torch.compiler.set_stance("default"), _unwatched():
            _by_itself.append(given)
            try:
                yield given
            finally:
                _by_itself.pop()

    return environment


@contextmanager
def _unwatched() -> Iterator[None]:
    """The modes of the program alone."""
    modes = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]  # PyTorch's own
    _put([mode for mode in modes if mode not in recordings])
    try:
        yield
    finally:
        _put(modes)


def _put(modes: list[Any]) -> None:
    while torch._C._len_torch_function_stack():
        _pop_mode()  # type: ignore[no-untyped-call]
    for mode in modes:
        _push_mode(mode)  # type: ignore[no-untyped-call]


class _Eager:
    """The compiler's stance to run what it has compiled eagerly, until it is removed."""

    def __init__(self) -> None:
        self._stance = torch.compiler.set_stance("force_eager")

    def remove(self) -> None:
        self._stance.__exit__(None, None, None)
