"""From a stack of frames to a line, cheaply: code objects and offsets while recording, source when frozen."""

from __future__ import annotations

import itertools
import linecache
import os
import sys
import sysconfig
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from graphvis.live.recorder.instructions import Place, line_of
from graphvis.model import Location


def _folder(path: str) -> str:
    return os.path.join(os.path.abspath(path), "")


_OURS = _folder(str(Path(__file__).parents[2]))
_SCENARIOS = os.path.join(_OURS, "scenarios", "")  # shipped with us, and yet what a user would write
_PATHS = sysconfig.get_paths()
_PACKAGES = tuple({_folder(_PATHS[key]) for key in ("purelib", "platlib")})
_STANDARD = tuple({_folder(_PATHS[key]) for key in ("stdlib", "platstdlib")})
_GENERATED = "<eval_with_key>"  # what torch.fx calls the code that it writes
# What a frame's file makes of it.
TORCH, LIBRARY, USER = 0, 1, 2
# Places of the innermost frame outside torch and of the user's own, and the innermost module.
Found = tuple[int, int, Any]
_marks = itertools.count()


class Frames:
    """Finds the line, the user's own line, and the module of the call that is being made.

    Walking the whole stack at each call is what a recording would spend most of its time on. The frames outside a
    running ``Module.__call__`` cannot move on while it runs, so what a walk finds there is noted in that frame's own
    ``f_locals``, which ends with it: no frame is kept, and no reused ``id`` can deceive.
    """

    def __init__(self) -> None:
        import torch

        self._torch = _folder(os.path.dirname(torch.__file__))
        self._module_call = torch.nn.Module._wrapped_call_impl.__code__
        self._mark = f"graphvis {next(_marks)}"
        self._kinds: dict[str, int] = {}  # by file: the hash of a code object is not cached, and slow
        self._places: dict[tuple[int, int], int] = {}
        self.places: list[Place] = []
        self._base: tuple[int, CodeType | None] = (0, None)
        self._below: Found = (-1, -1, None)

    def start(self, frame: FrameType | None) -> None:
        """Note the frame in which the recording begins: what lies below it is looked at now, and not again."""
        self._base = (0, None)
        frame = self.users(frame)
        if frame is not None:
            self._below = self.find(frame.f_back)
            self._base = (id(frame), frame.f_code)

    def stop(self) -> None:
        """Forget that frame."""
        self._base = (0, None)

    def kind(self, name: str) -> int:
        """Whose code the file of that name holds."""
        known = self._kinds.get(name)
        if known is not None:
            return known
        if name.startswith(_SCENARIOS):
            kind = USER
        elif name.startswith((self._torch, _OURS, "<frozen ")):
            kind = TORCH
        elif "site-packages" in name or "dist-packages" in name or name.startswith((*_PACKAGES, _GENERATED)):
            kind = LIBRARY
        elif name.startswith(_STANDARD):  # copy.deepcopy, contextlib, ...: nobody's line
            kind = TORCH
        else:
            kind = USER
        self._kinds[name] = kind
        return kind

    def place(self, frame: FrameType) -> int:
        """The number of the place where `frame` stands."""
        code = frame.f_code
        key = (id(code), frame.f_lasti)
        number = self._places.get(key)
        if number is None:
            number = self._places[key] = len(self.places)
            self.places.append((code, frame.f_lasti))
        return number

    def find(self, start: FrameType | None) -> Found:
        """Where the call is made that runs in the frame `start`.

        It goes outwards until all is known: to a module's frame that knows the rest, or to where the recording began.

        Returns:
            The place of the innermost frame outside torch, and of the innermost frame of the user, which may
            be the same; -1 where there is none. The innermost module whose forward is running, or None.
        """
        frame = start
        kinds, places, call, (base, base_code) = self._kinds, self._places, self._module_call, self._base
        place = caller = -1
        outside: Found = (-1, -1, None)
        while frame is not None:
            code = frame.f_code
            if code is call:
                outside = self._outside(frame)
                break
            kind = kinds.get(code.co_filename)
            if kind is None:
                kind = self.kind(code.co_filename)
            if kind != TORCH:
                if place < 0:
                    known = places.get((id(code), frame.f_lasti))
                    place = self.place(frame) if known is None else known
                    if kind == USER:
                        caller = place
                elif caller < 0 and kind == USER:
                    caller = self.place(frame)
                if id(frame) == base and code is base_code:
                    outside = self._below
                    break
            frame = frame.f_back
        return outside[0] if place < 0 else place, outside[1] if caller < 0 else caller, outside[2]

    def _outside(self, frame: FrameType) -> Found:
        """What lies outside the frame of a ``Module.__call__``, and its module."""
        variables = frame.f_locals
        known = variables.get(self._mark)
        if known is None:
            known = self._mark_all(frame)
        return known[0], known[1], variables["self"]

    def _mark_all(self, frame: FrameType) -> tuple[int, int]:
        """Note in the frame of a module's call, and in those of the calls around it, what lies outside each."""
        calls = [frame]
        outer = frame.f_back
        base, base_code = self._base
        while outer is not None:  # no recursion: modules nest as deep as the interpreter's own limit
            if id(outer) == base and outer.f_code is base_code:
                break
            if outer.f_code is self._module_call:
                if self._mark in outer.f_locals:
                    break
                calls.append(outer)
            outer = outer.f_back
        while calls:
            inner = calls.pop()
            place, caller, _ = self.find(inner.f_back)
            inner.f_locals[self._mark] = (place, caller)
        return place, caller

    def chain(self, start: FrameType, most: int = 8) -> tuple[int, ...]:
        """The places of the frames outside torch from `start` on, innermost first, `most` at most."""
        frame: FrameType | None = start
        found: list[int] = []
        while frame is not None and len(found) < most:
            if self.kind(frame.f_code.co_filename) != TORCH:
                found.append(self.place(frame))
            frame = frame.f_back
        return tuple(found)

    def users(self, frame: FrameType | None) -> FrameType | None:
        """The innermost frame outside torch and the standard library, from `frame` on."""
        while frame is not None and self.kind(frame.f_code.co_filename) == TORCH:
            frame = frame.f_back
        return frame

    def modules(self, frame: FrameType | None) -> list[Any]:
        """The modules whose forward is running, innermost first, from `frame` on."""
        found = []
        while frame is not None:
            if frame.f_code is self._module_call:
                found.append(frame.f_locals["self"])
            frame = frame.f_back
        return found


def names_in(frame: FrameType) -> dict[str, Any]:
    """The tensors among a frame's variables by name, and the parameters of its modules by dotted path."""
    from graphvis.live.moments.names import tensors_of  # that package builds on this one

    return dict(tensors_of(variables_of(frame)))


def variables_of(frame: FrameType) -> dict[str, Any]:
    """A frame's variables, in a dict that nobody else has."""
    variables = frame.f_locals
    found = dict(variables)
    # Before Python 3.13 a function's frame keeps this copy of its variables, and with it tensors that die later.
    if sys.version_info < (3, 13) and frame.f_code.co_flags & CO_OPTIMIZED and sys.getrefcount(variables) <= 3:
        variables.clear()
    return found


def locate(place: Place) -> Location:
    """The source line of a place."""
    code, line = place[0], line_of(place)
    name = code.co_filename
    text = linecache.getline(name, line).strip()
    return Location(name if name.startswith("<") else os.path.abspath(name), line, code.co_qualname, text)
