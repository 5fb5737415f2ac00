"""The backward passes that the recorded program makes, as others are told of them."""

from __future__ import annotations

from typing import Any


class BackwardEvent:
    """A backward() or autograd.grad that the recorded program makes.

    Attributes:
        call: index of the call in the trace.
        function: ``Tensor.backward``, ``torch.autograd.backward`` or ``torch.autograd.grad``.
        roots: the live tensors that it starts from.
        inputs: the live tensors whose gradients are asked for; None for all leaves.
        place: where it is made; :meth:`Recording.location` spells it.
        caller: the user's own frame, the same where that is it; -1 where there is none.
        gradients: what ``autograd.grad`` gave; None before, and for backward().
        error: the exception that it raised; None before, and where it succeeded.
        done: whether it has run.
    """

    __slots__ = ("call", "caller", "done", "error", "function", "gradients", "inputs", "place", "roots")

    def __init__(self, call: int, function: str, args: Any, kwargs: Any, place: int, caller: int) -> None:
        self.call, self.function = call, function
        self.roots, self.inputs = _roots_of(function, args, kwargs)
        self.place, self.caller = place, caller
        self.gradients: Any = None
        self.error: BaseException | None = None
        self.done = False


def _roots_of(name: str, args: Any, kwargs: Any) -> tuple[list[Any], list[Any] | None]:
    key = {"Tensor.backward": "self", "torch.autograd.backward": "tensors"}.get(name, "outputs")
    roots = args[0] if args else kwargs.get(key)
    place = {"Tensor.backward": 4, "torch.autograd.backward": 5}.get(name, 1)
    wanted = args[place] if len(args) > place else kwargs.get("inputs")
    return _listed(roots), None if wanted is None else _listed(wanted)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value]
