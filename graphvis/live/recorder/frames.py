"""From a stack of frames to a line, cheaply: code objects and offsets while recording, source when frozen."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from graphvis.model import Location

Place = tuple[CodeType, int]


def _folder(path: str) -> str:
    return os.path.join(os.path.abspath(path), "")


_OURS = _folder(str(Path(__file__).parents[2]))
_SCENARIOS = os.path.join(_OURS, "scenarios", "")  # shipped with us, and yet what a user would write
_PATHS = sysconfig.get_paths()
_PACKAGES = tuple({_folder(_PATHS[key]) for key in ("purelib", "platlib")})
_STANDARD = tuple({_folder(_PATHS[key]) for key in ("stdlib", "platstdlib")})
# What a frame's file makes of it.
TORCH, LIBRARY, USER = 0, 1, 2


class Frames:
    """Finds the line, the user's own line, and the module of the call that is being made."""

    def __init__(self) -> None:
        import torch

        self._torch = _folder(os.path.dirname(torch.__file__))
        self._module_call = torch.nn.Module._call_impl.__code__
        self._kinds: dict[str, int] = {}  # by file: the hash of a code object is not cached, and slow
        self._places: dict[tuple[int, int], int] = {}
        self.places: list[Place] = []

    def kind(self, name: str) -> int:
        """Whose code the file of that name holds."""
        if name.startswith(_SCENARIOS):
            kind = USER
        elif name.startswith((self._torch, _OURS, "<frozen ")):
            kind = TORCH
        elif "site-packages" in name or "dist-packages" in name or name.startswith(_PACKAGES):
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

    def find(self, depth: int) -> tuple[int, int, Any]:
        """Where the call is made.

        Args:
            depth: how many frames of ours to skip.

        Returns:
            The place of the innermost frame outside torch; the place of the innermost frame of the
            user, -1 where it is the same or there is none; the innermost module whose forward is
            running, or None.
        """
        frame: FrameType | None = sys._getframe(depth)
        kinds, call, kind = self._kinds, self._module_call, None
        place, caller, module = -1, -1, None
        while frame is not None:
            code = frame.f_code
            if code is call:
                if module is None:
                    module = frame.f_locals["self"]
                    if caller >= 0:
                        break
                frame = frame.f_back
                continue
            kind = kinds.get(code.co_filename)
            if kind is None:
                kind = self.kind(code.co_filename)
            if kind != TORCH:
                if place < 0:
                    place = self.place(frame)
                    if kind == USER:
                        caller = place
                elif caller < 0 and kind == USER:
                    caller = self.place(frame)
                if caller >= 0 and module is not None:
                    break
            frame = frame.f_back
        return place, -1 if caller == place else caller, module

    def chain(self, depth: int, most: int = 8) -> tuple[int, ...]:
        """The places of the frames outside torch, innermost first, `most` at most."""
        frame: FrameType | None = sys._getframe(depth)
        found: list[int] = []
        while frame is not None and len(found) < most:
            name = frame.f_code.co_filename
            kind = self._kinds.get(name)
            if (self.kind(name) if kind is None else kind) != TORCH:
                found.append(self.place(frame))
            frame = frame.f_back
        return tuple(found)

    def users(self, depth: int) -> FrameType | None:
        """The innermost frame outside torch and the standard library."""
        frame: FrameType | None = sys._getframe(depth)
        while frame is not None and self.kind(frame.f_code.co_filename) == TORCH:
            frame = frame.f_back
        return frame

    def modules(self) -> list[Any]:
        """The modules whose forward is running, innermost first."""
        frame: FrameType | None = sys._getframe(1)
        found = []
        while frame is not None:
            if frame.f_code is self._module_call:
                found.append(frame.f_locals["self"])
            frame = frame.f_back
        return found


def names_in(frame: FrameType) -> dict[str, Any]:
    """The tensors among a frame's variables by name, and the parameters of its modules by dotted path."""
    from graphvis.live.moments.names import tensors_of  # that package builds on this one

    variables = frame.f_locals
    found = tensors_of(variables)
    # Before Python 3.13 a function's frame keeps this copy of its variables, and with it tensors that die later.
    if sys.version_info < (3, 13) and frame.f_code.co_flags & CO_OPTIMIZED and sys.getrefcount(variables) <= 3:
        variables.clear()
    return dict(found)


def locate(place: Place) -> Location:
    """The source line of a place."""
    code, offset = place
    line = code.co_firstlineno
    for start, stop, number in code.co_lines():
        if start <= offset < stop and number is not None:
            line = number
            break
    name = code.co_filename
    text = linecache.getline(name, line).strip()
    return Location(name if name.startswith("<") else os.path.abspath(name), line, code.co_qualname, text)
