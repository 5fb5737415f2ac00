"""The variables of a running script, and what they hold."""

from __future__ import annotations

import dis
import functools
from collections.abc import Collection, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

from torch import nn

_MOST = 10_000  # what a list or dict of more holds is not looked through


def variables_of(frames: list[FrameType]) -> Iterator[tuple[str, Any]]:
    """What the frames' variables hold, innermost first, each thing once; of a method's ``self`` its attributes too."""
    seen: set[int] = set()
    for space, own, _ in _spaces(frames):
        for name, value in _attributes(space, own):
            if id(value) not in seen:
                seen.add(id(value))
                yield name, value


def name_of(module: nn.Module, frames: list[FrameType]) -> str | None:
    """The variable that holds a module; None where none does.

    One that holds it for a while only, as that of a loop or an argument does, tells less than its place in a list.
    """
    place = passing = None
    for space, own, fleeting in _spaces(frames):
        for name, value in _attributes(space, own):
            if value is module:
                if name not in fleeting:
                    return name
                passing = passing or name
            elif place is None and name not in fleeting:
                place = next((f"{name}.{key}" for key, item in _items(value) if item is module), None)
    return place or passing


def _spaces(frames: list[FrameType]) -> Iterator[tuple[Mapping[str, Any], Collection[str], Collection[str]]]:
    """Where the frames look names up, innermost first; what their objects are called; which names are passing ones."""
    for frame in frames:
        yield frame.f_locals, _own(frame.f_code), _passing(frame.f_code)
    if frames and frames[-1].f_locals is not frames[-1].f_globals:
        yield frames[-1].f_globals, (), ()


def _own(code: CodeType) -> frozenset[str]:
    """``self`` and ``cls``, which functions within a method know too, and what else a method's first argument is."""
    inside = code.co_qualname.rpartition(".")[0]
    is_method = bool(code.co_argcount) and inside != "" and not inside.endswith("<locals>")
    return frozenset({"self", "cls", *code.co_varnames[:is_method]})


def _attributes(space: Mapping[str, Any], own: Collection[str]) -> Iterator[tuple[str, Any]]:
    for name, value in list(space.items()):
        if not name.startswith("__"):
            yield name, value
            if name in own and not isinstance(value, nn.Module):
                yield from list(getattr(value, "__dict__", {}).items())


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if type(value) in (list, tuple) and len(value) < _MOST:
        yield from enumerate(value)
    elif type(value) is dict and len(value) < _MOST:
        yield from list(value.items())


@functools.lru_cache(maxsize=256)
def _passing(code: CodeType) -> frozenset[str]:
    """The arguments of a function, and the variables of its loops."""
    names = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) - _own(code)
    stores = 0
    for instruction in dis.get_instructions(code):
        if instruction.opname == "FOR_ITER":
            stores = 1
        elif instruction.opname.startswith("UNPACK_"):
            stores += (instruction.arg or 1) - 1 if stores else 0
        elif instruction.opname.startswith("STORE_") and stores:
            names.update(instruction.argval if isinstance(instruction.argval, tuple) else (str(instruction.argval),))
            stores -= 1
        elif instruction.opname not in ("CACHE", "NOP", "EXTENDED_ARG"):
            stores = 0
    return frozenset(names)
