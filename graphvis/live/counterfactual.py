"""The same program without its cuts, so that the graph that would have been is really built."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from graphvis.errors import GraphvisError
from graphvis.live.recorder.frames import TORCH, Frames, locate
from graphvis.live.recorder.functions import Function, describe
from graphvis.model import Cut, Location
from graphvis.model.cut import CutKind

NEUTRALISED: frozenset[CutKind] = frozenset({"detach", "detach_", "data", "no_grad", "inference_mode", "copy"})
"""The kinds of cut that can be taken out. ``item`` and ``numpy`` hand out a Python object or memory without a graph."""

_Tensor = torch.Tensor
# Where gradients are turned off for good: parameters are written there, and a Function judges for itself.
_OPTIMIZERS = "/torch/optim/"
_INITIALISATION = "/torch/nn/init.py"
_SPARED_FUNCTIONS = frozenset(
    {
        "load_state_dict",
        "_load_from_state_dict",
        "_apply",
        "__deepcopy__",
        "backward",
        "_init_weights",
        "reset_parameters",
    }
)


class NeutraliseError(GraphvisError, ValueError):
    """A kind of cut that cannot be taken out."""


class WithoutCuts(TorchFunctionMode):
    """The mode that :func:`without_cuts` makes.

    Attributes:
        met: whether anything was taken out.
    """

    def __init__(self, kinds: Collection[CutKind], where: Cut | Location | None) -> None:
        super().__init__()
        self._kinds = frozenset(kinds)
        self._where = where
        self._frames = Frames()
        self._described: dict[Any, Function] = {}
        self._armed = False  # within the no_grad region that the place asked for lies in
        self._inference: Any = None
        self.met = False

    def __enter__(self) -> WithoutCuts:
        self._patch_inference_mode()
        try:
            super().__enter__()  # type: ignore[no-untyped-call]
        except BaseException:
            self._unpatch()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            super().__exit__(*error)  # type: ignore[no-untyped-call]
        finally:
            self._unpatch()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        function = self._described.get(func)
        if function is None:
            function = self._described[func] = describe(func)
        if function.special == "memory" or function.name == "Tensor.__deepcopy__":
            # Legal on what was detached; what stands in for it has a graph.
            return _on_detached(func, args, kwargs)
        if function.skip or function.special in ("backward", "exit"):
            return func(*args, **kwargs)
        if function.special == "switch":
            return self._switch(func, args, kwargs)
        instead = _INSTEAD.get(function.name)
        if instead is not None and instead[0] in self._kinds and self._is_here(instead[0]) and not self._is_spared():
            done, result = instead[1](args, kwargs)
            if done:
                self.met = True
                return result
        if torch.is_grad_enabled():
            self._armed = False
            return self._call(func, function, args, kwargs)
        writes = function.writes in ("first", "all") or kwargs.get("out") is not None
        if "no_grad" in self._kinds and not writes and self._is_in_region() and not self._is_spared():
            self.met = True
            with torch.enable_grad():
                return func(*args, **kwargs)
        return func(*args, **kwargs)

    def _call(self, func: Any, function: Function, args: Any, kwargs: Any) -> Any:
        target = args[0] if args else None
        if function.writes == "first" and isinstance(target, _Tensor) and target.requires_grad:
            base = target._base if target._base is not None else target
            if base.is_leaf:
                # What was a detached alias of a leaf is now a view of it, and autograd forbids to write through that.
                with torch.no_grad():
                    func(target.detach(), *args[1:], **kwargs)
                return target
        return func(*args, **kwargs)

    def _switch(self, func: Any, args: Any, kwargs: Any) -> Any:
        since = self._where.since if isinstance(self._where, Cut) else self._where
        if not args[0] and since is not None:
            self._armed = self._stands_at(since)
        return func(*args, **kwargs)

    def _is_in_region(self) -> bool:
        if self._where is None:
            return True
        if not self._armed:
            self._armed = self._is_here("no_grad")
        return self._armed

    def _is_here(self, kind: CutKind) -> bool:
        """Whether the call that is being made is the one to be neutralised."""
        if self._where is None:
            return True
        if isinstance(self._where, Cut):
            return self._where.kind == kind and self._stands_at(self._where.location)
        return self._stands_at(self._where)

    def _stands_at(self, location: Location) -> bool:
        place, caller, _ = self._frames.find(sys._getframe(1))
        return any(
            here.line == location.line and here.file == location.file
            for here in (locate(self._frames.places[number]) for number in (place, caller) if number >= 0)
        )

    def _is_spared(self) -> bool:
        """Whether the call comes from code that turns gradients off for good."""
        frame: FrameType | None = sys._getframe(2)
        closure = False  # whether we came, outwards, through code that is no optimizer's
        while frame is not None:
            code = frame.f_code
            name = code.co_filename.replace("\\", "/")
            if _INITIALISATION in name or (code.co_name in _SPARED_FUNCTIONS and "/torch/" in name):
                return True
            if code.co_name == "apply" and name.endswith("/torch/autograd/function.py"):
                return True
            if _OPTIMIZERS in name:
                return not closure
            if self._frames.kind(code.co_filename) != TORCH:
                if isinstance(frame.f_locals.get("self"), torch.optim.Optimizer):
                    return True
                closure = True
            frame = frame.f_back
        return False

    def _patch_inference_mode(self) -> None:
        """Inference tensors can never have a graph, so the mode is not entered at all."""
        if "inference_mode" not in self._kinds:
            return
        owner = torch.inference_mode
        self._inference = enter = owner.__enter__
        where = self._where.since or self._where.location if isinstance(self._where, Cut) else self._where

        @functools.wraps(enter)
        def __enter__(context: Any) -> None:  # noqa: N807  # stands in for it
            if where is None or self._stands_at(where):
                self.met = True
                context._inference_mode_context = torch._C._InferenceMode(False)
                context._inference_mode_context.__enter__()
            else:
                enter(context)

        owner.__enter__ = __enter__  # type: ignore[method-assign]

    def _unpatch(self) -> None:
        if self._inference is not None:
            torch.inference_mode.__enter__ = self._inference  # type: ignore[method-assign]
            self._inference = None


def without_cuts(where: Cut | Location | None = None, *, kinds: Collection[CutKind] | None = None) -> WithoutCuts:
    """Run the block as if its cuts were not there: a context manager.

    Args:
        where: one cut of a diagnosis, or a line; None for all.
        kinds: which kinds of cut; by default all that can be neutralised (:data:`NEUTRALISED`).

    Optimizers, initialisation, state loading and the forward of custom Functions are left alone, so
    that training goes on as it does; writes into tensors stay without a graph.

    Raises:
        NeutraliseError: for ``item``, ``numpy`` and the other kinds that cannot be taken out.
    """
    if kinds is None:
        kinds = {where.kind} if isinstance(where, Cut) else NEUTRALISED
    wrong = sorted(set(kinds) - NEUTRALISED)
    if wrong:
        raise NeutraliseError(
            f"a cut of kind {wrong[0]} cannot be taken out: its value is no longer a tensor with a graph",
            f"These can: {', '.join(sorted(NEUTRALISED))}.",
        )
    return WithoutCuts(kinds, where)


def _on_detached(func: Any, args: Any, kwargs: Any) -> Any:
    own = args[0]
    if own.is_leaf:
        return func(*args, **kwargs)
    alias = own.detach()
    result = func(alias, *args[1:], **kwargs)
    if len(args) > 1 and isinstance(args[1], dict) and args[1].pop(id(alias), None) is not None:
        args[1][id(own)] = result  # deepcopy's memory of what it has copied, by id
    return result


def _detach(args: Any, kwargs: Any) -> tuple[bool, Any]:
    tensor = args[0]
    if not tensor.requires_grad:
        return False, None
    with torch.enable_grad():
        return True, tensor.view_as(tensor)


def _detach_in_place(args: Any, kwargs: Any) -> tuple[bool, Any]:
    return args[0].requires_grad, args[0]


def _data(args: Any, kwargs: Any) -> tuple[bool, Any]:
    if args[0].is_leaf:  # written through, most likely: p.data.add_(...)
        return False, None
    return _detach(args, kwargs)


def _copy(args: Any, kwargs: Any) -> tuple[bool, Any]:
    value = args[0]
    dtype, device = kwargs.get("dtype"), kwargs.get("device")
    with torch.enable_grad():
        if isinstance(value, _Tensor):
            copied = value.clone()
        elif isinstance(value, (list, tuple)) and any(isinstance(item, _Tensor) for item in value):
            if any(isinstance(item, (list, tuple)) for item in value):
                return False, None
            copied = torch.stack([torch.as_tensor(item) for item in value])
        else:
            return False, None
        return True, copied.to(dtype=dtype or copied.dtype, device=device or copied.device)


def _new_copy(args: Any, kwargs: Any) -> tuple[bool, Any]:
    own = args[0]
    return _copy(args[1:], {"dtype": kwargs.get("dtype") or own.dtype, "device": kwargs.get("device") or own.device})


_INSTEAD: dict[str, tuple[CutKind, Callable[[Any, Any], tuple[bool, Any]]]] = {
    "Tensor.detach": ("detach", _detach),
    "torch.detach": ("detach", _detach),
    "torch.ops.aten.detach": ("detach", _detach),
    "Tensor.detach_": ("detach_", _detach_in_place),
    "torch.detach_": ("detach_", _detach_in_place),
    "Tensor.data": ("data", _data),
    "torch.tensor": ("copy", _copy),
    "Tensor.new_tensor": ("copy", _new_copy),
}
