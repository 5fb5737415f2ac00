"""Values that leave PyTorch while it is watched, and those that are seen to come back."""

from __future__ import annotations

from types import FrameType
from typing import Any

import torch

from graphvis.live.recorder.frames import Frames
from graphvis.live.recorder.functions import Function
from graphvis.live.recorder.identity import Identities

_Tensor = torch.Tensor
_MOST_NUMBERS = 64  # looked at in a list of Python numbers
# A value of exactly such a type is no Python float and holds none.
_NUMBERLESS = frozenset({_Tensor, torch.nn.Parameter, int, bool, str, type(None), torch.dtype, torch.device})


class Exits:
    """The calls by which values left.

    Attributes:
        chains: by call, the places of the frames in which the value left, innermost first.
        variables: by such places, where the recording began there, the names of those that had such a value then.
        addresses: the calls that told where a tensor lies, and not what.
        elsewhere: the calls by which values went where nobody looks: to another process, into others' memory.
        scalars: by id, each float that left and the call it left by; kept so that its id stays its own.
    """

    def __init__(self, identities: Identities, frames: Frames) -> None:
        self._identities, self._frames = identities, frames
        self.chains: dict[int, tuple[int, ...]] = {}
        self.variables: dict[tuple[int, ...], set[str]] = {}
        self.addresses: set[int] = set()
        self.elsewhere: set[int] = set()
        self.scalars: dict[int, tuple[float, int]] = {}

    def leave(self, call: int, function: Function, tensor: Any, result: Any, frame: FrameType) -> None:
        """Note that a value left: the Python numbers that it is now, or the memory that others see."""
        if function.special == "memory":
            self._identities.export(tensor, call)
        elif type(result) is float:
            self.scalars[id(result)] = (result, call)
        elif type(result) is list:
            flat: list[Any] = [result]
            budget = _MOST_NUMBERS
            while flat and budget:
                item = flat.pop()
                budget -= 1
                if type(item) is list:
                    flat.extend(item)
                elif type(item) is float:
                    self.scalars[id(item)] = (item, call)
        if not function.steers:
            self.chains[call] = self._frames.chain(frame)

    def leave_before(self, call: int, names: tuple[str, ...], frame: FrameType) -> None:
        """Note that a value had left when the recording began, and which variables had it; none if others had, too."""
        chain = self._frames.chain(frame)
        if names and chain:
            self.chains[call] = chain
            self.variables.setdefault(chain, set()).update(names)
        else:
            self.elsewhere.add(call)

    def may_come_back(self, args: Any, kwargs: Any) -> bool:
        """Whether the arguments of a call may hold a float that left, by their types alone: asked of every call."""
        return bool(self.scalars) and not (
            _NUMBERLESS.issuperset(map(type, args))
            and (not kwargs or _NUMBERLESS.issuperset(map(type, kwargs.values())))
        )

    def entries(self, function: Function, args: Any, kwargs: Any) -> tuple[tuple[int, bool], ...]:
        """The exits whose very values come back as arguments."""
        found: dict[tuple[int, bool], None] = {}
        if function.special == "entry" and args and self._identities.exported and not isinstance(args[0], _Tensor):
            interface = getattr(args[0], "__array_interface__", None)
            exporter = self._identities.exporter(interface["data"][0]) if interface else None
            if exporter is not None:
                found[exporter[2], True] = None
        stack = [*args, *kwargs.values()] if kwargs else list(args)
        budget = _MOST_NUMBERS
        while stack and budget:
            item = stack.pop()
            budget -= 1
            if type(item) is float:
                known = self.scalars.get(id(item))
                if known is not None:
                    found[known[1], True] = None
            elif isinstance(item, (list, tuple)):
                stack.extend(item)
        return tuple(found)

    def adopt(self, tensor: Any, entries: tuple[tuple[int, bool], ...] = ()) -> tuple[tuple[int, bool], ...]:
        """`entries`, and the exit in whose memory a tensor from outside lies."""
        exporter = self._identities.adopt(tensor)
        return entries if exporter is None or (exporter, True) in entries else (*entries, (exporter, True))


def may_be_known(source: Any) -> bool:
    """Whether the memory that another library hands in may be a tensor's: not where NumPy itself has allocated it."""
    base = getattr(source, "base", None)
    while type(base) is type(source) and base is not None:
        source, base = base, getattr(base, "base", None)
    return base is not None or not hasattr(source, "__array_interface__")
